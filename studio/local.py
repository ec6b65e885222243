"""The client inside the host's own process. Every check of who owns what is made here."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from studio import policy
from studio.artifacts import Artifact
from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.fields import FieldSpec, Value, build, fields_of
from studio.job import Event, Job, Outcome
from studio.protocol import Client, Model, Place
from studio.provenance.verdict import Verdict
from studio.tasks import Task, find_task
from studio.tasks.request import MAX_SEED
from studio.worker.supervisor import LaneState

if TYPE_CHECKING:
    from studio.host import Host

_ID = re.compile("[0-9a-f]{32}")


class LocalClient(Client):
    """One owner's view of the host."""

    def __init__(self, host: Host, owner: str) -> None:
        self._host = host
        self._owner = owner

    async def submit(
        self,
        task: str,
        values: Mapping[str, Value],
        *,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        found = find_task(task)
        card, request = await anyio.to_thread.run_sync(self._prepare, found, values)
        drawn = request["seed"] is None
        if drawn:
            request["seed"] = secrets.randbelow(MAX_SEED + 2 - request["count"])
        job = Job(
            id=secrets.token_hex(16) if key is None else self._id_for(key),
            owner=self._owner,
            task=found.id,
            card=card,
            request=request,
            priority=priority,
            created=time.time(),
        )
        stored = None if key is None else await self._find(job.id)
        if stored is None:
            limit = self._host.settings.max_waiting
            if self._host.dispatcher.unfinished(self._owner) >= limit:
                raise Unavailable(
                    f"{limit} of your jobs are waiting, and more are not accepted.",
                    hint="Wait until some are done, or stop some.",
                    retry=True,
                )
            stored = await self._host.jobs.put(job)
        given = {**request, "seed": stored.request["seed"]} if drawn else request
        if (stored.task, stored.request) != (job.task, given):
            raise InvalidRequest(
                "This key belongs to an earlier order that asked for something else.",
                hint="Use a new key for each new order.",
            )
        return self._host.dispatcher.view(stored)

    async def job(self, job: str) -> Job:
        found = await self._find(job)
        if found is None or found.owner != self._owner:
            raise NotFound("You have no such job.", hint="Look through your jobs for its id.")
        return found

    async def jobs(self, *, limit: int = 50, before: str | None = None) -> list[Job]:
        last = None if before is None else await self.job(before)
        found = await self._host.jobs.list(self._owner, limit=limit, before=last)
        return [self._host.dispatcher.view(job) for job in found]

    async def queue(self) -> list[Place]:
        return [
            Place(place, job.state, job.task, job.card, job if job.owner == self._owner else None)
            for job, place in self._host.dispatcher.queue()
        ]

    async def events(self, job: str) -> AsyncIterator[Event]:
        with self._host.dispatcher.watchers.watch(job) as watcher:
            found = await self.job(job)
            if found.state.final and not self._host.dispatcher.holds(job):
                yield Outcome(found.artifacts, found.error).event()
                return
            async for event in watcher:
                yield event

    async def cancel(self, job: str) -> Job:
        found = await self.job(job)
        if not found.state.final:
            # Out of the line first, so that it cannot start while this is being written down.
            self._host.dispatcher.cancel(job)
            await self._host.jobs.cancel(job)
        return await self.job(job)

    async def artifact(self, artifact: str) -> Artifact:
        return (await self._open(artifact))[0]

    async def artifacts(self, *, limit: int = 50, before: str | None = None) -> list[Artifact]:
        if before is not None:
            await self.artifact(before)
        store = self._host.provenance.store
        return await anyio.to_thread.run_sync(
            lambda: store.list(self._owner, limit=limit, before=before)
        )

    async def fetch(self, artifact: str) -> Path:
        return (await self._open(artifact))[1]

    async def verify(self, path: Path, *, name: str | None = None) -> Verdict:
        """See `Client.verify`; `name` is what the verdict calls the file."""
        verifier = self._host.provenance.verifier
        return await anyio.to_thread.run_sync(verifier.verify, path, name)

    async def cards(self) -> list[Model]:
        catalog = self._host.catalog
        return await anyio.to_thread.run_sync(
            lambda: [Model(card, catalog.installed(card)) for card in catalog]
        )

    async def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        found = find_task(task)
        if model is None:
            return fields_of(found.request)
        return self._host.catalog[model].fields(found)

    async def devices(self) -> list[LaneState]:
        return [self._host.lane.state]

    def _prepare(self, task: Task, values: Mapping[str, Value]) -> tuple[str, dict[str, Any]]:
        """The card and the full request that the values come to."""
        request = build(task.request, dict(values))
        card = self._host.catalog.choose(task, request)
        request = card.narrow(task, request)
        policy.check(task, request)
        if request.seed is not None and request.seed + request.count - 1 > MAX_SEED:
            raise InvalidRequest(
                f"seed: {request.count} outputs from this seed on would pass {MAX_SEED}.",
                hint="Choose a smaller seed, or fewer outputs.",
            )
        return card.name, request.model_dump()

    async def _find(self, job: str) -> Job | None:
        if not _ID.fullmatch(job):
            return None
        try:
            return self._host.dispatcher.view(await self._host.jobs.get(job))
        except NotFound:
            return None

    async def _open(self, artifact: str) -> tuple[Artifact, Path]:
        store = self._host.provenance.store

        def find() -> tuple[Artifact, Path] | None:
            try:
                found = store.get(artifact)
            except NotFound:
                return None
            return (found, store.path(artifact)) if found.owner == self._owner else None

        if not _ID.fullmatch(artifact) or (found := await anyio.to_thread.run_sync(find)) is None:
            raise NotFound("You have no such output.", hint="Your gallery lists what you have.")
        return found

    def _id_for(self, key: str) -> str:
        """The id of the job that this owner ordered under `key`: keyed, so nobody can guess it."""
        name = f"{len(self._owner)}:{self._owner}{key}".encode(errors="surrogatepass")
        return hmac.new(self._host.secret, name, hashlib.sha256).hexdigest()[:32]
