"""The studio as a front end sees it: `Client` for pages and bots, `Studio` for scripts.

`Client` is asynchronous and belongs to one owner. `Studio` is the same for scripts: synchronous,
and it finds a running host by itself or becomes one.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from anyio.from_thread import start_blocking_portal

from studio import attach
from studio.artifacts import Artifact
from studio.errors import StudioError
from studio.fields import FieldSpec, Value
from studio.job import Done, Event, Failed, Job
from studio.protocol import LOCAL, Client, Model, Place
from studio.provenance.verdict import Verdict
from studio.settings import Settings
from studio.worker.supervisor import LaneState

__all__ = ["LOCAL", "Client", "Model", "Place", "Result", "Studio"]


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
