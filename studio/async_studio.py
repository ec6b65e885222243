"""The studio for programs with a loop: `AsyncStudio` finds a running host, or becomes one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from studio import attach
from studio.artifact import Artifact
from studio.errors import StudioError
from studio.fields import Value
from studio.job import Done, Event, Failed, Job
from studio.protocol import LOCAL, Client
from studio.settings import Settings

#: What scripts may give for a field: files for media fields, too.
Given = Value | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Result:
    """One finished, signed output."""

    artifact: Artifact
    #: The file; it belongs to the studio.
    path: Path
    seed: int
    #: The name of the card that made it.
    card: str
    #: The signed manifest beside it, if such files cannot hold one.
    companion: Path | None = None

    def save(self, folder: Path) -> Path:
        """Copy the file into `folder`, which exists; a stem's name says which. The copy's path."""
        stem = self.artifact.note.about.get("stem")
        named = self.path.with_stem(f"{self.path.stem}-{stem}") if stem else self.path
        copy = Path(shutil.copy(self.path, folder / named.name))
        if self.companion is not None:
            shutil.copy(self.companion, copy.with_name(f"{copy.name}.c2pa"))
        return copy


class AsyncStudio:
    """The studio in a running loop: `async with AsyncStudio() as studio`.

    Attaches to a running host, or is one. `studio.client` has every verb.
    """

    #: What its owner can do; from the moment the context is entered.
    client: Client

    def __init__(self, settings: Settings | None = None, *, owner: str = LOCAL) -> None:
        self._settings = settings or Settings.load()
        self._owner = owner

    async def __aenter__(self) -> Self:
        """Find the host of the home, or become it.

        Raises:
            Unavailable: if another process holds the home and cannot be attached to.
        """
        async with AsyncExitStack() as stack:
            running = attach.find(self._settings.home)
            if running is not None and running.url and running.token:
                from studio.remote import RemoteClient

                self.client = await stack.enter_async_context(
                    RemoteClient(running.url, running.token, owner=self._owner)
                )
            else:
                # Here, so that a command that attaches does not pay for what a host imports.
                from studio.host import Host

                host = await stack.enter_async_context(Host(self._settings))
                self.client = host.client(self._owner)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the host, or close it."""
        await self._stack.aclose()

    async def make(
        self,
        task: str,
        /,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        **fields: Given,
    ) -> list[Result]:
        """Order something and wait for it; whoever cancels the waiting stops the job.

        Paths are uploaded by themselves.

        Raises:
            StudioError: what `Client.submit` raises, and whatever ended the job.
        """
        job = await self.submit(task, fields)
        try:
            async for event in self.client.events(job.id):
                on_event(event)
                match event:
                    case Done(ids=ids):
                        return [await self.result(artifact) for artifact in ids]
                    case Failed(error=error):
                        raise StudioError.from_record(error)
        except asyncio.CancelledError:
            await asyncio.shield(self.client.cancel(job.id))
            raise
        raise AssertionError("a job's events end with Done or Failed")

    async def submit(
        self,
        task: str,
        values: Mapping[str, Given],
        *,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        """See `Client.submit`; paths are uploaded first, and their uploads' ids sent."""
        sent = {name: await self._brought(value) for name, value in values.items()}
        return await self.client.submit(task, sent, key=key, priority=priority)

    async def result(self, artifact: str) -> Result:
        """A finished output with its file."""
        found = await self.client.artifact(artifact)
        path, beside = await self.client.fetch(artifact), await self.client.companion(artifact)
        return Result(found, path, found.note.seed, found.note.card, beside)

    async def _brought(self, value: Given) -> Value:
        """The value with an upload's id in the place of every path."""
        if isinstance(value, Path):
            return (await self.client.upload(value)).id
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [str(await self._brought(one)) for one in value]
        return value
