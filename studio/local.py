"""The client inside the host's own process. Every check of who owns what is made here."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from studio import imports, policy
from studio.cards import Imported
from studio.checkup import Finding, examine
from studio.disclosure import announced
from studio.elsewhere import Hosted
from studio.errors import InvalidRequest, NotFound, Refused, Unavailable
from studio.fields import FieldSpec, Value, build, described, fields_of
from studio.fitting import Fit, fit
from studio.job import Event, Job, JobState, Outcome, Remark
from studio.local_consent import LocalConsent
from studio.local_gallery import LocalGallery
from studio.local_runs import LocalRuns
from studio.local_talk import LocalTalk
from studio.pace import kind_for
from studio.presets import Preset
from studio.protocol import LOCAL, Client, Model, Place
from studio.provenance.verdict import Verdict
from studio.runs import Forecast
from studio.shelf import Download
from studio.tasks import Task, find_task
from studio.tasks.request import MAX_SEED
from studio.uploads import Upload
from studio.vocabulary import read_vocabulary, remarks_on
from studio.worker.report import LaneState

if TYPE_CHECKING:
    from studio.host import Host

_ID = re.compile("[0-9a-f]{32}")


class LocalClient(LocalGallery, LocalRuns, LocalTalk, LocalConsent, Client):
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
        asked = "" if key is None else _asked(found, values)
        # Before anything is looked at: models and cards may have changed since the key was used.
        if key is not None and (known := await self._find(self._id_for(key))) is not None:
            return _same(known, asked)
        card, request = await anyio.to_thread.run_sync(self._prepare, found, values)
        if request["seed"] is None:
            request["seed"] = secrets.randbelow(MAX_SEED + 2 - request["count"])
        job = Job(
            id=secrets.token_hex(16) if key is None else self._id_for(key),
            owner=self._owner,
            task=found.id,
            card=card,
            request=request,
            # Only whoever runs the studio may put themselves before others.
            priority=priority if self._owner == LOCAL else min(priority, 0),
            created=time.time(),
            remarks=await anyio.to_thread.run_sync(self._remarks, found, card, request),
            asked=asked,
        )
        stored = await self._put(job, drawn=key is None)
        return self._host.dispatcher.view(_same(stored, asked))

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
            Place(
                turn.place,
                turn.job.state,
                turn.job.task,
                turn.job.card,
                turn.job if turn.job.owner == self._owner else None,
                turn.starts_in,
                turn.seconds,
            )
            for turn in self._host.dispatcher.queue()
        ]

    async def events(self, job: str) -> AsyncIterator[Event]:
        with self._host.dispatcher.watch(job, self._owner) as watcher:
            found = await self.job(job)
            if found.state.final and not self._host.dispatcher.holds(job):
                yield Outcome(found.artifacts, found.error).event()
                return
            async for event in watcher:
                yield event

    async def cancel(self, job: str) -> Job:
        found = await self.job(job)
        if not found.state.final:
            await self._keep_written(job)
            # Out of the line first, so that it cannot start while this is being written down.
            self._host.dispatcher.cancel(job)
            await self._host.jobs.cancel(job)
        return await self.job(job)

    async def retry(self, job: str) -> Job:
        last = await self.job(job)
        while last.state in (JobState.FAILED, JobState.CANCELLED):
            again = self._id_for(f"\0again {last.id}")
            found = await self._find(again)
            if found is None:
                return self._host.dispatcher.view(await self._put(_anew(last, again)))
            last = found
        if last.id == job:
            raise InvalidRequest(
                "Only a job that failed or was stopped can be tried again.",
                hint="Order another one instead.",
            )
        return last

    async def move(self, job: str, before: str | None = None) -> Job:
        for one in (job, before):
            if one is not None and (await self.job(one)).state is not JobState.WAITING:
                raise InvalidRequest(
                    "Only jobs that wait can change places.", hint="Look at the line as it is now."
                )
        await self._host.jobs.move(job, self._host.dispatcher.move(job, before))
        return await self.job(job)

    async def upload(self, path: Path, *, name: str | None = None) -> Upload:
        return await anyio.to_thread.run_sync(
            self._host.inputs.take,
            self._owner,
            path,
            name or path.name,
            limiter=self._host.opening,
        )

    async def verify(self, path: Path, *, name: str | None = None) -> Verdict:
        """See `Client.verify`; `name` is what the verdict calls the file."""
        verifier = self._host.provenance.verifier
        return await anyio.to_thread.run_sync(
            verifier.verify, path, name, limiter=self._host.opening
        )

    async def cards(self) -> list[Model]:
        catalog = self._host.catalog
        return await anyio.to_thread.run_sync(
            lambda: [
                Model(
                    card,
                    catalog.installed(card),
                    read_vocabulary(catalog.folder(card)) if catalog.installed(card) else {},
                    self._host.shelf.download(card.name),
                )
                for card in catalog
            ]
        )

    async def get_model(self, name: str) -> None:
        self._operator()
        card = self._host.catalog[name]
        self._host.catalog.permit(card)
        self._host.shelf.get(card)

    async def stop_model(self, name: str) -> None:
        self._operator()
        if name not in await self.imports():
            name = self._host.catalog[name].name
        self._host.shelf.stop(name)

    async def remove_model(self, name: str) -> None:
        self._operator()
        card, host = self._host.catalog[name], self._host
        if isinstance(card.studio.source, Imported):
            await anyio.to_thread.run_sync(imports.forget, card, host.catalog, host.settings)
        else:
            await anyio.to_thread.run_sync(host.shelf.remove, card)

    async def survey(self, path: Path, *, base: str | None = None) -> imports.Survey:
        self._operator()
        return await anyio.to_thread.run_sync(imports.look, path, self._host.catalog, base)

    async def import_model(
        self,
        path: Path,
        *,
        name: str | None = None,
        base: str | None = None,
        copy: bool = False,
        licence: str = "other",
    ) -> str:
        self._operator()
        host = self._host
        wish = imports.Wish(str(path), name, base, copy, licence)
        chosen, _ = await anyio.to_thread.run_sync(imports.prepare, wish, host.catalog)
        host.shelf.bring(chosen, wish, host.catalog, host.settings)
        return chosen

    async def imports(self) -> dict[str, Download]:
        self._operator()
        cards = {card.name for card in self._host.catalog}
        downloads = self._host.shelf.downloads()
        return {name: one for name, one in downloads.items() if name not in cards}

    async def presets(self) -> list[Preset]:
        return await anyio.to_thread.run_sync(self._host.presets.list, self._owner)

    async def save_preset(self, preset: Preset) -> None:
        await anyio.to_thread.run_sync(self._host.presets.save, self._owner, preset)

    async def delete_preset(self, name: str) -> None:
        await anyio.to_thread.run_sync(self._host.presets.delete, self._owner, name)

    async def examine(self) -> list[Finding]:
        self._operator()
        return await anyio.to_thread.run_sync(lambda: list(examine(self._host.settings)))

    async def users(self) -> list[str]:
        self._operator()
        return self._host.users.list()

    async def add_user(self, name: str) -> str:
        self._operator()
        return await anyio.to_thread.run_sync(self._host.users.add, name)

    async def remove_user(self, name: str) -> None:
        self._operator()
        await anyio.to_thread.run_sync(self._host.users.remove, name)

    async def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        found = find_task(task)
        if model is None:
            return fields_of(found.request)
        return self._host.catalog[model].fields(found)

    async def devices(self) -> list[LaneState]:
        return [
            replace(
                state,
                speeds=self._host.paces.speeds(state.versions.get("device", state.device)),
            )
            for state in (lane.state for lane in self._host.lanes)
        ]

    async def fit(self, model: str | None = None) -> list[Fit]:
        catalog = self._host.catalog
        named = list(catalog) if model is None else [catalog[model]]
        # What runs elsewhere fits anywhere.
        cards = [card for card in named if not isinstance(card.studio.source, Hosted)]
        return [fit(card, lane.state) for card in cards for lane in self._host.lanes]

    def check(self, task: str, values: Mapping[str, Value]) -> Forecast:
        """What such an order would take; raises what `submit` would raise, and orders nothing."""
        found = find_task(task)
        card, request = self._prepare(found, values)
        kind, count = kind_for(card, found.id, request), int(request["count"])
        seconds = self._host.paces.anywhere(kind, count)
        return Forecast(
            outputs={(found.id, card): count},
            seconds=seconds or 0.0,
            unknown=count if seconds is None else 0,
        )

    def _prepare(self, task: Task, values: Mapping[str, Value]) -> tuple[str, dict[str, Any]]:
        """The card and the full request that the values come to."""
        request = build(task.request, dict(values))
        card = self._host.catalog.choose(task, request)
        request = card.narrow(task, request)
        request = self._host.inputs.resolve(self._owner, task, card, request)
        policy.check(task, request)
        request = announced(self._host.settings.disclosure, task.id, request)
        if request.seed is not None and request.seed + request.count - 1 > MAX_SEED:
            raise InvalidRequest(
                f"seed: {request.count} outputs from this seed on would pass {MAX_SEED}.",
                hint="Choose a smaller seed, or fewer outputs.",
            )
        return card.name, request.model_dump()

    def _operator(self) -> None:
        """Pass the operator, and nobody else."""
        if self._owner != LOCAL:
            raise Refused(
                "Only whoever runs this studio can do that.", hint="Ask them to do it for you."
            )

    def _remarks(self, task: Task, card: str, request: Mapping[str, Any]) -> tuple[Remark, ...]:
        """What the model does not know of what was asked."""
        catalog = self._host.catalog
        words = read_vocabulary(catalog.folder(catalog[card]))
        if not words:
            return ()
        others = {
            other.studio.title: read_vocabulary(catalog.folder(other))
            for other in catalog.for_task(task)
            if other.name != card and catalog.installed(other) and catalog.permits(other)
        }
        return remarks_on(described(task, request), words, others)

    async def _put(self, job: Job, *, drawn: bool = False) -> Job:
        """Store the job, unless too many of its owner's wait already."""
        dispatcher = self._host.dispatcher
        limit = self._host.settings.max_waiting
        if dispatcher.unfinished(self._owner) >= limit:
            raise Unavailable(
                f"{limit} of your jobs are waiting, and more are not accepted.",
                hint="Wait until some are done, or stop some.",
                retry=True,
            )
        # Counted before the first wait, so that many at once cannot all pass.
        dispatcher.expect(job)
        try:
            stored = await self._host.jobs.put(job, drawn=drawn)
        except BaseException:
            dispatcher.forgo(job.id)
            raise
        if stored.state.final:
            dispatcher.forgo(job.id)
        return stored

    async def _find(self, job: str) -> Job | None:
        if not _ID.fullmatch(job):
            return None
        try:
            return self._host.dispatcher.view(await self._host.jobs.get(job))
        except NotFound:
            return None

    def _id_for(self, key: str) -> str:
        """The id of the job that this owner ordered under `key`: keyed, so nobody can guess it."""
        name = f"{len(self._owner)}:{self._owner}{key}".encode(errors="surrogatepass")
        return hmac.new(self._host.secret, name, hashlib.sha256).hexdigest()[:32]


def _asked(task: Task, values: Mapping[str, Value]) -> str:
    """What tells whether two orders under one key are the same one: SHA-256, in hex."""
    # What is None was left alone. What is no JSON is refused where the request is built.
    given = {name: value for name, value in values.items() if value is not None}
    sent = json.dumps([task.id, given], sort_keys=True, default=repr)
    return hashlib.sha256(sent.encode()).hexdigest()


def _same(job: Job, asked: str) -> Job:
    """The job, if it is what was asked for under its key."""
    if job.asked != asked:
        raise InvalidRequest(
            "This key belongs to an earlier order that asked for something else.",
            hint="Use a new key for each new order.",
        )
    return job


def _anew(job: Job, again: str) -> Job:
    """The same order under the id `again`, as if it had been sent now."""
    return Job(
        again,
        job.owner,
        job.task,
        job.card,
        job.request,
        job.priority,
        time.time(),
        remarks=job.remarks,
    )
