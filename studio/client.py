"""The studio as a front end sees it: `Client` for pages and bots, `Studio` for scripts.

`Client` is asynchronous and belongs to one owner. `Studio` finds a running host, or becomes one, as
`AsyncStudio` does, and has every verb of `Client`, synchronous (a test compares the two, name by
name).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from anyio.from_thread import start_blocking_portal

from studio.artifact import Artifact
from studio.async_studio import AsyncStudio, Given, Result
from studio.checkup import Finding
from studio.client_talk import SpokenStudio
from studio.errors import StudioError
from studio.fields import FieldSpec
from studio.fitting import Fit
from studio.gallery import Collection, Contents, Filter, Findings, Lineage
from studio.imports import Survey
from studio.job import Done, Event, Failed, Job
from studio.origin import origin
from studio.presets import Preset
from studio.protocol import LOCAL, Client, Model, Place
from studio.provenance.verdict import Verdict
from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import Line, Run, StepState
from studio.runs import Begun, Plan
from studio.settings import Settings
from studio.shelf import Download
from studio.uploads import Upload
from studio.worker.report import LaneState

__all__ = ["LOCAL", "Client", "Model", "Place", "Studio"]


class Studio(SpokenStudio):
    """The studio for scripts: `with Studio() as studio`. Attaches to a running host, or is one."""

    def __init__(self, settings: Settings | None = None, *, owner: str = LOCAL) -> None:
        self._studio = AsyncStudio(settings, owner=owner)

    def __enter__(self) -> Self:
        """Find the host of the home, or become it.

        Raises:
            Unavailable: if another process holds the home and cannot be attached to.
        """
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._portal.wrap_async_context_manager(self._studio))
            self._client = self._studio.client
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the host, or close it."""
        self._stack.close()

    def make(
        self,
        task: str,
        /,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        **fields: Given,
    ) -> list[Result]:
        """Order something and wait for it; Ctrl-C stops the job. Paths are uploaded by themselves.

        Raises:
            StudioError: what `submit` raises, and whatever ended the job.
        """
        job = self.submit(task, fields)
        try:
            for event in self.events(job.id):
                on_event(event)
                match event:
                    case Done(ids=ids):
                        return [self._portal.call(self._studio.result, one) for one in ids]
                    case Failed(error=error):
                        raise StudioError.from_record(error)
        except KeyboardInterrupt:
            self.cancel(job.id)
            raise
        raise AssertionError("a job's events end with Done or Failed")

    def submit(
        self,
        task: str,
        values: Mapping[str, Given],
        *,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        """See `Client.submit`; paths are uploaded first, and their uploads' ids sent."""
        order = partial(self._studio.submit, task, values, key=key, priority=priority)
        return self._portal.call(order)

    def upload(self, path: Path, *, name: str | None = None) -> Upload:
        """See `Client.upload`."""
        return self._portal.call(lambda: self._client.upload(path, name=name))

    def job(self, job: str) -> Job:
        """See `Client.job`."""
        return self._portal.call(self._client.job, job)

    def jobs(self, *, limit: int = 50, before: str | None = None) -> list[Job]:
        """See `Client.jobs`."""
        return self._portal.call(partial(self._client.jobs, limit=limit, before=before))

    def queue(self) -> list[Place]:
        """See `Client.queue`."""
        return self._portal.call(self._client.queue)

    def events(self, job: str) -> Iterator[Event]:
        """See `Client.events`."""
        events = self._portal.call(_iterate, self._client, job)
        while (event := self._portal.call(_next, events)) is not None:
            yield event

    def cancel(self, job: str) -> Job:
        """See `Client.cancel`."""
        return self._portal.call(self._client.cancel, job)

    def retry(self, job: str) -> Job:
        """See `Client.retry`."""
        return self._portal.call(self._client.retry, job)

    def move(self, job: str, before: str | None = None) -> Job:
        """See `Client.move`."""
        return self._portal.call(self._client.move, job, before)

    def artifact(self, artifact: str) -> Artifact:
        """See `Client.artifact`."""
        return self._portal.call(self._client.artifact, artifact)

    def artifacts(
        self, where: Filter | None = None, *, limit: int = 50, before: str | None = None
    ) -> list[Artifact]:
        """See `Client.artifacts`."""
        page = partial(self._client.artifacts, where, limit=limit, before=before)
        return self._portal.call(page)

    def search(
        self,
        where: Filter | None = None,
        *,
        meaning: str = "",
        like: str | None = None,
        limit: int = 50,
    ) -> Findings:
        """See `Client.search`."""
        return self._portal.call(
            partial(self._client.search, where, meaning=meaning, like=like, limit=limit)
        )

    def fetch(self, artifact: str) -> Path:
        """See `Client.fetch`."""
        return self._portal.call(self._client.fetch, artifact)

    def companion(self, artifact: str) -> Path | None:
        """See `Client.companion`."""
        return self._portal.call(self._client.companion, artifact)

    def preview(self, artifact: str) -> Path:
        """See `Client.preview`."""
        return self._portal.call(self._client.preview, artifact)

    def share(self, artifact: str, *, seconds: float) -> str:
        """See `Client.share`."""
        return self._portal.call(partial(self._client.share, artifact, seconds=seconds))

    def contents(self) -> Contents:
        """See `Client.contents`."""
        return self._portal.call(self._client.contents)

    def lineage(self, artifact: str) -> Lineage:
        """See `Client.lineage`."""
        return self._portal.call(self._client.lineage, artifact)

    def star(self, artifact: str, starred: bool = True) -> Artifact:
        """See `Client.star`."""
        return self._portal.call(self._client.star, artifact, starred)

    def tag(self, artifact: str, tags: Sequence[str]) -> Artifact:
        """See `Client.tag`."""
        return self._portal.call(self._client.tag, artifact, tags)

    def delete(self, artifact: str) -> None:
        """See `Client.delete`."""
        self._portal.call(self._client.delete, artifact)

    def restore(self, artifact: str) -> Artifact:
        """See `Client.restore`."""
        return self._portal.call(self._client.restore, artifact)

    def create_collection(self, name: str) -> Collection:
        """See `Client.create_collection`."""
        return self._portal.call(self._client.create_collection, name)

    def rename_collection(self, collection: str, name: str) -> Collection:
        """See `Client.rename_collection`."""
        return self._portal.call(self._client.rename_collection, collection, name)

    def delete_collection(self, collection: str) -> None:
        """See `Client.delete_collection`."""
        self._portal.call(self._client.delete_collection, collection)

    def collect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        """See `Client.collect`."""
        return self._portal.call(self._client.collect, collection, artifacts)

    def uncollect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        """See `Client.uncollect`."""
        return self._portal.call(self._client.uncollect, collection, artifacts)

    def verify(self, path: Path | str) -> Verdict:
        """See `Client.verify`."""
        return self._portal.call(self._client.verify, Path(path))

    def cards(self) -> list[Model]:
        """See `Client.cards`."""
        return self._portal.call(self._client.cards)

    def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        """See `Client.fields`."""
        return self._portal.call(self._client.fields, task, model)

    def get_model(self, name: str) -> None:
        """See `Client.get_model`."""
        self._portal.call(self._client.get_model, name)

    def stop_model(self, name: str) -> None:
        """See `Client.stop_model`."""
        self._portal.call(self._client.stop_model, name)

    def remove_model(self, name: str) -> None:
        """See `Client.remove_model`."""
        self._portal.call(self._client.remove_model, name)

    def survey(self, path: Path, *, base: str | None = None) -> Survey:
        """See `Client.survey`."""
        return self._portal.call(partial(self._client.survey, path, base=base))

    def import_model(
        self,
        path: Path,
        *,
        name: str | None = None,
        base: str | None = None,
        copy: bool = False,
        licence: str = "other",
    ) -> str:
        """See `Client.import_model`."""
        asked = partial(self._client.import_model, path, name=name, base=base, copy=copy)
        return self._portal.call(partial(asked, licence=licence))

    def imports(self) -> dict[str, Download]:
        """See `Client.imports`."""
        return self._portal.call(self._client.imports)

    def presets(self) -> list[Preset]:
        """See `Client.presets`."""
        return self._portal.call(self._client.presets)

    def save_preset(self, preset: Preset) -> None:
        """See `Client.save_preset`."""
        self._portal.call(self._client.save_preset, preset)

    def delete_preset(self, name: str) -> None:
        """See `Client.delete_preset`."""
        self._portal.call(self._client.delete_preset, name)

    def examine(self) -> list[Finding]:
        """See `Client.examine`."""
        return self._portal.call(self._client.examine)

    def users(self) -> list[str]:
        """See `Client.users`."""
        return self._portal.call(self._client.users)

    def add_user(self, name: str) -> str:
        """See `Client.add_user`."""
        return self._portal.call(self._client.add_user, name)

    def remove_user(self, name: str) -> None:
        """See `Client.remove_user`."""
        self._portal.call(self._client.remove_user, name)

    def begin(self, plan: Plan, rows: Iterable[Row], *, key: str | None = None) -> Begun:
        """See `Client.begin`."""
        return self._portal.call(lambda: self._client.begin(plan, rows, key=key))

    def run(self, run: str) -> Run:
        """See `Client.run`."""
        return self._portal.call(self._client.run, run)

    def runs(self, *, limit: int = 50, before: str | None = None) -> list[Run]:
        """See `Client.runs`."""
        return self._portal.call(partial(self._client.runs, limit=limit, before=before))

    def lines(
        self, run: str, *, limit: int = 100, after: int = -1, state: StepState | None = None
    ) -> list[Line]:
        """See `Client.lines`."""
        page = partial(self._client.lines, run, limit=limit, after=after, state=state)
        return self._portal.call(page)

    def recipe(self, run: str) -> Recipe | None:
        """See `Client.recipe`."""
        return self._portal.call(self._client.recipe, run)

    def origin(self, artifact: str) -> Recipe:
        """The recipe that makes an output again; see `studio.origin`."""
        return self._portal.call(origin, self._client, artifact)

    def stop_run(self, run: str) -> Run:
        """See `Client.stop_run`."""
        return self._portal.call(self._client.stop_run, run)

    def resume_run(self, run: str) -> Run:
        """See `Client.resume_run`."""
        return self._portal.call(self._client.resume_run, run)

    def redo(self, run: str, place: int, step: str) -> Run:
        """See `Client.redo`."""
        return self._portal.call(self._client.redo, run, place, step)

    def devices(self) -> list[LaneState]:
        """See `Client.devices`."""
        return self._portal.call(self._client.devices)

    def fit(self, model: str | None = None) -> list[Fit]:
        """See `Client.fit`."""
        return self._portal.call(self._client.fit, model)


async def _iterate(client: Client, job: str) -> AsyncIterator[Event]:
    return client.events(job)


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)
