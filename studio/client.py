"""The studio as a front end sees it: one protocol, the same in this process and over HTTP.

`Client` is asynchronous and belongs to one owner. `Studio` is the same for scripts: synchronous,
and it finds a running host by itself or becomes one.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from anyio.from_thread import start_blocking_portal

from studio import attach
from studio.artifacts import Artifact
from studio.cards import Card
from studio.errors import StudioError
from studio.fields import FieldSpec, Value
from studio.job import Done, Event, Failed, Job, JobState
from studio.provenance.verdict import Verdict
from studio.settings import Settings
from studio.worker.supervisor import LaneState

#: The owner that everyone at this machine is.
LOCAL = "local"


@dataclass(frozen=True)
class Place:
    """A place in line, and what everybody may know of the job that stands there."""

    #: 0 for a job that runs; 1 for the next.
    place: int
    state: JobState
    task: str
    card: str
    #: The job itself, if it is one's own.
    job: Job | None


@dataclass(frozen=True)
class Model:
    """A model in the catalogue."""

    card: Card
    #: Whether its weights are here.
    installed: bool


class Client(Protocol):
    """What one owner can do. What belongs to somebody else is `NotFound`, like what is not."""

    async def submit(
        self,
        task: str,
        values: Mapping[str, Value],
        *,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        """Order something; when this returns, the job is stored and will be carried out.

        The same `key` is the same job, however often it is sent.

        Raises:
            InvalidRequest: naming every field that is wrong; nothing was stored.
            NotFound: if there is no such task or model.
            Refused: if this studio does not make such things.
            Unavailable: if no model is installed, or too many of one's jobs wait.
        """

    async def job(self, job: str) -> Job:
        """The job with this id, as it is now."""

    async def jobs(self, *, limit: int = 50, before: str | None = None) -> list[Job]:
        """One's own jobs, newest first; `before` is the id of the last one already seen."""

    async def queue(self) -> list[Place]:
        """Everybody's unfinished jobs, those that run first."""

    def events(self, job: str) -> AsyncIterator[Event]:
        """How far the job is, then what happens, to its last event. Can be asked at any time."""

    async def cancel(self, job: str) -> Job:
        """Stop the job: at once if it waits, within a step if it runs. A finished one stays."""

    async def artifact(self, artifact: str) -> Artifact:
        """The finished output with this id."""

    async def artifacts(self, *, limit: int = 50, before: str | None = None) -> list[Artifact]:
        """One's own outputs, newest first; `before` is the id of the last one already seen."""

    async def fetch(self, artifact: str) -> Path:
        """The finished file, byte by byte as it was signed; not to be changed."""

    async def verify(self, path: Path) -> Verdict:
        """What can be found out about the file at `path`, wherever it came from."""

    async def cards(self) -> list[Model]:
        """The catalogue."""

    async def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        """What the task asks for; with the defaults and limits of `model`, if one is named."""

    async def devices(self) -> list[LaneState]:
        """The devices, and what each holds."""


@dataclass(frozen=True)
class Result:
    """One finished, signed output."""

    artifact: Artifact
    #: The file; it belongs to the studio.
    path: Path
    seed: int
    #: The name of the card that made it.
    card: str

    def save(self, folder: Path) -> Path:
        """Copy the file into `folder`, which exists, and return the copy's path."""
        return Path(shutil.copy(self.path, folder))


class Studio:
    """The studio for scripts: `with Studio() as studio`. Attaches to a running host, or is one."""

    def __init__(self, settings: Settings | None = None, *, owner: str = LOCAL) -> None:
        self._settings = settings or Settings.load()
        self._owner = owner

    def __enter__(self) -> Self:
        """Find the host of the home, or become it.

        Raises:
            Unavailable: if another process holds the home and cannot be attached to.
        """
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            running = attach.find(self._settings.home)
            if running is not None and running.url and running.token:
                from studio.remote import RemoteClient

                self._client: Client = stack.enter_context(
                    self._portal.wrap_async_context_manager(
                        RemoteClient(running.url, running.token, owner=self._owner)
                    )
                )
            else:
                # Here, so that a command that attaches does not pay for what a host imports.
                from studio.host import Host

                host = stack.enter_context(
                    self._portal.wrap_async_context_manager(Host(self._settings))
                )
                self._client = host.client(self._owner)
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
        **fields: Value,
    ) -> list[Result]:
        """Order something and wait for it; Ctrl-C stops the job.

        Raises:
            StudioError: what `submit` raises, and whatever ended the job.
        """
        job = self.submit(task, fields)
        try:
            for event in self.events(job.id):
                on_event(event)
                match event:
                    case Done(ids=ids):
                        return [self._result(artifact) for artifact in ids]
                    case Failed(error=error):
                        raise StudioError.from_record(error)
        except KeyboardInterrupt:
            self.cancel(job.id)
            raise
        raise AssertionError("a job's events end with Done or Failed")

    def submit(self, task: str, values: Mapping[str, Value], **options: Any) -> Job:
        """See `Client.submit`."""
        return self._portal.call(lambda: self._client.submit(task, values, **options))

    def job(self, job: str) -> Job:
        """See `Client.job`."""
        return self._portal.call(self._client.job, job)

    def jobs(self, **page: Any) -> list[Job]:
        """See `Client.jobs`."""
        return self._portal.call(lambda: self._client.jobs(**page))

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

    def artifact(self, artifact: str) -> Artifact:
        """See `Client.artifact`."""
        return self._portal.call(self._client.artifact, artifact)

    def artifacts(self, **page: Any) -> list[Artifact]:
        """See `Client.artifacts`."""
        return self._portal.call(lambda: self._client.artifacts(**page))

    def fetch(self, artifact: str) -> Path:
        """See `Client.fetch`."""
        return self._portal.call(self._client.fetch, artifact)

    def verify(self, path: Path | str) -> Verdict:
        """See `Client.verify`."""
        return self._portal.call(self._client.verify, Path(path))

    def cards(self) -> list[Model]:
        """See `Client.cards`."""
        return self._portal.call(self._client.cards)

    def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        """See `Client.fields`."""
        return self._portal.call(self._client.fields, task, model)

    def devices(self) -> list[LaneState]:
        """See `Client.devices`."""
        return self._portal.call(self._client.devices)

    def _result(self, artifact: str) -> Result:
        found = self.artifact(artifact)
        return Result(found, self.fetch(artifact), found.note.seed, found.note.card)


async def _iterate(client: Client, job: str) -> AsyncIterator[Event]:
    return client.events(job)


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)
