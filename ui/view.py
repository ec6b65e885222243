"""What one open page shows, and how it is kept true while jobs run.

The studio's job store is the truth; a `View` is one page's copy of the part it shows. Everything
that happens, a press of a button as much as an event of a job, changes the view and rings its
bell; whoever draws reads nothing else. So a page that is reloaded, or opened on another device,
shows the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from studio.artifact import Artifact
from studio.client import Client, Model
from studio.errors import NotFound, StudioError
from studio.job import Event, Job, Loading, Preview, Queued, Sealed, Step, TextDelta
from studio.protocol import Place
from studio.provenance.verdict import Verdict
from studio.words import ENGLISH, say
from ui.explain import as_studio_error
from ui.show import read

#: How many of one's latest jobs a page shows.
SHOWN = 24
#: Seconds after which a page looks for itself: at jobs ordered elsewhere, and whether it is still
#: open. Gradio lets go of a closed tab's handler at its next yield.
REST = 2.0
#: Seconds between two drawings; no eye needs more previews than that.
FRAME = 0.1


@dataclass(frozen=True)
class Live:
    """How far an unfinished job is."""

    ahead: int | None = None
    loading: bool = False
    #: The latest step of each output that is being made, by index.
    steps: Mapping[int, Step] = field(default_factory=dict)
    #: What is written so far of each text that is being written, by index.
    texts: Mapping[int, str] = field(default_factory=dict)
    #: The output that was reported last.
    index: int = 0
    #: Finished outputs, by index.
    sealed: Mapping[int, str] = field(default_factory=dict)

    def after(self, event: Event) -> Live:
        """How far it is once `event` has happened."""
        match event:
            case Queued(ahead=ahead):
                return replace(self, ahead=ahead, loading=False)
            case Loading():
                # Whoever begins anew writes anew.
                return replace(self, ahead=None, loading=True, texts={})
            case Step(index=index):
                before = self.steps.get(index)
                if event.preview is None and before is not None:
                    event = replace(event, preview=before.preview)
                steps = {**self.steps, index: event}
                return replace(self, ahead=None, loading=False, index=index, steps=steps)
            case TextDelta(index=index, text=text):
                texts = {**self.texts, index: self.texts.get(index, "") + text}
                return replace(self, ahead=None, loading=False, index=index, texts=texts)
            case Sealed(index=index, artifact=artifact):
                steps = {key: step for key, step in self.steps.items() if key != index}
                texts = {key: text for key, text in self.texts.items() if key != index}
                sealed = {**self.sealed, index: artifact}
                return replace(self, steps=steps, texts=texts, sealed=sealed)
            case _:
                return self

    @property
    def previews(self) -> dict[int, tuple[Step, Preview]]:
        """The unfinished pictures, by index."""
        return {i: (step, step.preview) for i, step in self.steps.items() if step.preview}


@dataclass
class View:
    """What one open page shows. Mutable, because several handlers of one page share it."""

    #: One's own jobs, newest first.
    jobs: list[Job] = field(default_factory=list)
    live: dict[str, Live] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    #: What finished texts say, by artifact.
    texts: dict[str, str] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    #: Results of Verify, by artifact; None while it is being checked.
    verdicts: dict[str, Verdict | StudioError | None] = field(default_factory=dict)
    #: Everybody's places in line, where the page shows them.
    places: list[Place] = field(default_factory=list)
    #: The language of whoever looks.
    language: str = ENGLISH
    #: Why the latest press did nothing.
    problem: StudioError | None = None
    #: Why the page is not up to date: what cannot be heard of a job, by its id; and of the list of
    #: jobs, under no id.
    unheard: dict[str, StudioError] = field(default_factory=dict)
    #: Rung after every change.
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    #: Whether the list of jobs itself may have changed.
    stale: bool = True

    def say(self, key: str, /, **values: object) -> str:
        """The sentence called `key` in the language of whoever looks."""
        return say(key, self.language, **values)

    def ring(self, *, stale: bool = False) -> None:
        """Say that something changed; `stale` asks for a fresh look at the list of jobs."""
        self.stale = self.stale or stale
        self.bell.set()

    @property
    def trouble(self) -> StudioError | None:
        """What there is to be told of."""
        return self.problem or next(iter(self.unheard.values()), None)

    def outputs(self, job: Job) -> list[Artifact]:
        """The job's finished outputs, in order."""
        sealed = self.live[job.id].sealed if job.id in self.live else {}
        ids = job.artifacts or [sealed[index] for index in sorted(sealed)]
        return [self.artifacts[artifact] for artifact in ids if artifact in self.artifacts]


async def watch(client: Client, view: View) -> AsyncGenerator[None]:
    """Keep `view` true for as long as somebody iterates; yields when there is news, or rest."""
    followers: dict[str, asyncio.Task[None]] = {}
    clock = asyncio.get_running_loop().time
    due = clock()
    try:
        while True:
            # Due however much news there is: a job that runs tells nothing of the others.
            if view.stale or clock() >= due:
                view.stale = False
                await _look(client, view)
                due = clock() + REST
            followers = {job: task for job, task in followers.items() if not task.done()}
            for job in view.jobs:
                if not job.state.final and job.id not in followers:
                    followers[job.id] = asyncio.create_task(_follow(client, view, job.id))
            yield
            await asyncio.sleep(FRAME)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await view.bell.wait()
            view.bell.clear()
    finally:
        for task in followers.values():
            task.cancel()


async def _look(client: Client, view: View) -> None:
    """Read the list of jobs, and what is new in it."""
    try:
        view.models = view.models or {model.card.name: model for model in await client.cards()}
        view.jobs = await client.jobs(limit=SHOWN)
        view.places = await client.queue()
        for job in view.jobs:
            for artifact in job.artifacts:
                await _fetch(client, view, artifact)
        unfinished = {job.id for job in view.jobs if not job.state.final}
        view.live = {job: live for job, live in view.live.items() if job in unfinished}
        view.unheard = {job: error for job, error in view.unheard.items() if job in unfinished}
    except Exception as error:
        view.unheard[""] = as_studio_error(error)


async def _follow(client: Client, view: View, job: str) -> None:
    """Note what happens to one job, to its last event."""
    try:
        async for event in client.events(job):
            if isinstance(event, Sealed):
                await _fetch(client, view, event.artifact)
            view.live[job] = view.live.get(job, Live()).after(event)
            view.unheard.pop(job, None)
            view.ring()
    except Exception as error:
        view.unheard[job] = as_studio_error(error)
    view.ring(stale=True)


async def _fetch(client: Client, view: View, artifact: str) -> None:
    if artifact not in view.artifacts:
        # It may have been deleted since; then there is nothing to show of it.
        with suppress(NotFound):
            found = await client.artifact(artifact)
            view.texts[artifact] = await read(client, found)
            view.artifacts[artifact] = found
