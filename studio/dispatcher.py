"""The dispatcher: the lanes, and what runs on each of them next.

A job enters by `carry_out` and leaves with its outcome. In between it stands in line, is on a lane
for one batch, and stands in line again until all its outputs are made; each output is sealed in a
thread of its own while the lane goes on. The line is one; every lane takes from it what it may run,
whatever the others do. All state is in memory and belongs to one event loop: what must survive is
in the job store (the order, its place, the attempts) and in the artifact store (the outputs).
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Self

import anyio

from studio.artifacts import ArtifactStore
from studio.berths import Berth, Berths
from studio.catalog import Catalog
from studio.errors import Broken, Cancelled, OutOfMemory, StudioError
from studio.families import Order
from studio.inputs import Inputs
from studio.job import Event, Job, JobState, Loading, Outcome, Paused, Queued, Standing
from studio.line import Entry, Line, Turn
from studio.pace import Paces
from studio.parts import Parts
from studio.provenance.marks.text import TextMark
from studio.provenance.seal import Sealer
from studio.scheduler import Share
from studio.sealers import Sealers
from studio.settings import Settings
from studio.watch import Watchers
from studio.worker.supervisor import Lane

#: How often a job is tried again in a row after an error that may pass.
RETRIES = 1
#: How often a worker may begin a job without finishing an output of it, over all restarts of the
#: host. A job that takes the host down each time must stop too.
MOST_ATTEMPTS = 4
#: Seconds between looks at a full disk, and before going on after something unforeseen.
DISK_SECONDS = 5.0
#: Seconds between two looks at the line by which those who watch hear their place in it.
PLACE_SECONDS = 1.0

_GIVEN_UP = "This job was begun {} times and never got anywhere; something in it ends the studio."

_LOG = logging.getLogger(__name__)


class Dispatcher:
    """Runs jobs on lanes. Open it with `async with`; the lanes are opened and closed elsewhere."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        lanes: Sequence[Lane],
        paces: Paces,
        sealer: Sealer,
        store: ArtifactStore,
        texts: TextMark,
        inputs: Inputs,
        *,
        count: Callable[[str, int], Awaitable[None]],
    ) -> None:
        """`count` stores how often a job was begun."""
        self._settings = settings
        self._catalog = catalog
        self._paces = paces
        self._berths = Berths(catalog, lanes, paces)
        self._store = store
        self._texts = texts
        self._inputs = inputs
        self._parts = Parts(settings.home / "parts")
        self._count = count
        self.watchers = Watchers()
        self._line = Line()
        #: Set when places in line may have changed.
        self._moved = asyncio.Event()
        #: Jobs to end that have not been handed over yet.
        self._unwanted: set[str] = set()
        self._sealers = Sealers(
            sealer,
            inputs,
            self._parts,
            done=lambda entry, sealed: self._tell(entry.job.id, sealed),
            failed=lambda entry, error: self._failed([entry], error),
            broken=self._end,
        )

    async def __aenter__(self) -> Self:
        """Begin to run what waits."""
        self._work = [
            asyncio.create_task(self._run(berth), name="dispatcher") for berth in self._berths
        ]
        self._work.append(asyncio.create_task(self._places(), name="places"))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the batches and finish the seals; unfinished jobs stay in the job store."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._sealers.finish()
        for entry in list(self._line):
            # That the studio was closed is not the job's fault.
            if entry.begun:
                await self._count(entry.job.id, entry.attempts - 1)

    async def carry_out(self, job: Job) -> Outcome:
        """Make and seal what `job` still lacks, however long it has to wait for its turn."""
        count = int(job.request["count"])
        # And the whole of its parts, if it has one.
        published = await anyio.to_thread.run_sync(self._store.of_job, job.id, count + 1)
        wanted = [index for index in range(count) if index not in published]
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        entry = Entry(job, outcome, wanted, published, job.attempts)
        self._line.enter(entry)
        if job.state is JobState.CANCELLED or job.id in self._unwanted:
            entry.end(Cancelled())
        elif wanted and job.attempts >= MOST_ATTEMPTS:
            entry.end(Broken(_GIVEN_UP.format(entry.attempts)))
        elif wanted and (missing := self._berths.missing(entry)) is not None:
            entry.end(missing)
        elif wanted:
            self._moved.set()
            self._berths.wake()
        entry.settle()
        reached = await outcome
        if reached.error is None and entry.lacks_whole:
            reached = await self._join(entry)
        try:
            await anyio.to_thread.run_sync(self._inputs.close, job.id)
            await anyio.to_thread.run_sync(self._parts.discard, job.id)
        except OSError as error:
            # What is left over changes nothing about how the job ended.
            _LOG.warning("job %s: its inputs could not be put away", job.id, exc_info=error)
        return reached

    def settled(self, job: str, outcome: Outcome) -> None:
        """The job store has the outcome: tell everyone, and forget the job."""
        self._line.leave(job)
        self._unwanted.discard(job)
        self.watchers.tell(job, outcome.event())

    def cancel(self, job: str) -> None:
        """End the job: at once if it waits, within a step if it runs."""
        if entry := self._line.get(job):
            self._end(entry, Cancelled())
        else:
            self._unwanted.add(job)

    def view(self, job: Job) -> Job:
        """`job` as it is at this moment, if it is in here; else as given."""
        entry = self._line.get(job.id)
        return job if entry is None else entry.view()

    def holds(self, job: str) -> bool:
        """Whether the job is in here, so that its last event is still to come."""
        return job in self._line

    def watch(self, job: str, owner: str) -> AbstractContextManager[AsyncIterable[Event]]:
        """See `Watchers.watch`; a job in line is soon told its place."""
        self._moved.set()
        return self.watchers.watch(job, owner)

    def expect(self, job: Job) -> None:
        """Count a job that is being accepted among its owner's."""
        self._line.expect(job)

    def forgo(self, job: str) -> None:
        """An expected job does not come."""
        self._line.forgo(job)

    def unfinished(self, owner: str) -> int:
        """How many of the owner's jobs are in here, or about to be."""
        return self._line.count(owner)

    def move(self, job: str, before: str | None) -> Standing:
        """Put a waiting job in front of another of its owner's, or behind all; its new standing.

        Raises:
            InvalidRequest: if one of them does not wait any more.
        """
        standing = self._line.move(job, before)
        self._moved.set()
        return standing

    def queue(self) -> list[Turn]:
        """Every unfinished job with its place in line: first those that run."""
        return self._berths.queue(self._line)

    async def _run(self, berth: Berth) -> None:
        """Keep the berth busy for as long as the studio is open, whatever happens."""
        while True:
            try:
                await self._turn(berth)
            except Exception as error:
                broken = Broken()
                _LOG.error("incident %s: a lane stumbled", broken.incident, exc_info=error)
                self._pause(Paused("Something went wrong, and is tried again.", broken.hint))
                await asyncio.sleep(DISK_SECONDS)

    async def _places(self) -> None:
        """Tell everyone who watches a waiting job its place, now and then."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            if any(self.watchers.watched(entry.job.id) for entry in self._line if entry.waits):
                for job, ahead in self._line.order():
                    if self.watchers.watched(job):
                        self._tell(job, Queued(ahead))
            await asyncio.sleep(PLACE_SECONDS)

    async def _turn(self, berth: Berth) -> None:
        await berth.news.wait()
        await self._until_there_is_room()
        # Before looking, so that nothing that comes while the batch runs is missed.
        berth.news.clear()
        for entry in self._line:
            # A card may be gone meanwhile, and a device turn out to be another than was thought.
            if entry.waits and (missing := self._berths.missing(entry)) is not None:
                self._end(entry, missing)
        pick = self._line.pick(
            berth.lane.state.resident,
            lambda leader, alike: self._berths.most(berth, self._line[leader.job], alike),
            partial(self._berths.may_run, berth),
        )
        if pick is None:
            return
        berth.news.set()
        entries = [self._line[share.job] for share in pick.batch]
        outputs = sum(share.outputs for share in pick.batch)
        berth.began = time.monotonic()
        berth.seconds = self._paces.seconds(entries[0].kind, berth.device, outputs)
        await self._make(berth, pick.batch, entries)
        for entry in entries:
            self._line.serve(entry.job.owner, (time.monotonic() - berth.began) / len(entries))
        berth.seconds = 0.0

    def _pause(self, paused: Paused) -> None:
        for waiting in self._line.waiting():
            self._tell(waiting.job, paused)

    async def _until_there_is_room(self) -> None:
        while True:
            usage = await anyio.to_thread.run_sync(shutil.disk_usage, self._settings.home)
            if usage.free >= self._settings.spare_bytes:
                return
            self._pause(
                Paused(
                    "The disk is nearly full, so nothing is started.",
                    f"Make room below {self._settings.home}; the job then goes on by itself.",
                )
            )
            await asyncio.sleep(DISK_SECONDS)

    async def _make(self, berth: Berth, batch: tuple[Share, ...], entries: list[Entry]) -> None:
        """One turn of the lane."""
        for entry in entries:
            entry.lane = berth.number
        self._moved.set()
        cold = False
        orders: list[Order] = []

        def tell(job: str, event: Event) -> None:
            nonlocal cold
            cold = cold or isinstance(event, Loading)
            self._tell(job, event)

        try:
            card = self._catalog[entries[0].job.card]
            self._catalog.permit(card)
            folder = await anyio.to_thread.run_sync(self._catalog.folder, card)
            revision = await anyio.to_thread.run_sync(self._catalog.revision, card)
            shares = zip(entries, batch, strict=True)
            for entry, share in shares:
                orders += await self._orders(entry, share.outputs)
            orders = await anyio.to_thread.run_sync(self._texts.keyed, orders, card, folder)
            # Whoever was stopped meanwhile is left out; perhaps nobody remains.
            orders = [order for order in orders if self._line[order.job].error is None]
            asked = {order.job for order in orders}
            idle = [entry for entry in entries if entry.job.id in asked]
            if orders:
                self._sealers.expect(orders[0].task)
                begun = partial(self._begun, list(idle))
                drafts = berth.lane.generate(card, folder, revision, orders, tell=tell, begun=begun)
                last = None
                # By `cancel`, which has set the jobs' error; else the job is idle.
                with suppress(Cancelled):
                    async with aclosing(drafts):
                        async for made in drafts:
                            last = made
                            idle = [entry for entry in idle if entry.job.id != made.order.job]
                            entry = self._line[made.order.job]
                            full = time.monotonic()
                            await self._sealers.take(entry, berth.lane, made, card, revision)
                            # While all sealers are at work, nobody has the device.
                            berth.began += time.monotonic() - full
                    # The first batch after a load is slower than those that follow.
                    if last is not None and not cold:
                        await self._learn(entries[0], berth, len(orders), last.seconds)
                idle = [entry for entry in idle if entry.error is None]
                self._failed(idle, Broken("The worker ended a batch without its outputs."))
        except StudioError as error:
            if isinstance(error, OutOfMemory) and len(orders) > 1:
                # Too many at once: each for itself has another chance.
                await self._learn(entries[0], berth, len(orders), math.inf)
                error.retry = True
            self._failed(entries, error, company=len({order.job for order in orders}) > 1)
        except Exception as error:
            broken = Broken()
            _LOG.error("incident %s: a batch failed", broken.incident, exc_info=error)
            self._failed(entries, broken)
        for entry in entries:
            entry.lane, entry.begun = None, False
            entry.settle()
        # What they still need is for any lane.
        self._berths.wake()

    async def _orders(self, entry: Entry, outputs: int) -> list[Order]:
        """The entry's next orders with their inputs; none if an input is gone, which ends it."""
        orders = entry.orders(outputs)
        if not orders:
            return []
        if entry.attempts >= MOST_ATTEMPTS:
            self._end(entry, Broken(_GIVEN_UP.format(entry.attempts)))
            return []
        try:
            opened = await anyio.to_thread.run_sync(self._inputs.open, entry.job)
        except StudioError as error:
            self._failed([entry], error)
            return []
        return [replace(order, inputs=opened.drafts) for order in orders]

    async def _join(self, entry: Entry) -> Outcome:
        """Publish what the entry's outputs are the parts of, now that all of them are there."""
        entry.sealing += 1
        try:
            sealed = await self._sealers.join(entry, self._catalog[entry.job.card])
        except StudioError as error:
            entry.end(error)
        except Exception as error:
            broken = Broken()
            _LOG.error("incident %s: joining failed", broken.incident, exc_info=error)
            entry.end(broken)
        else:
            entry.published[sealed.index] = sealed.artifact
            self.watchers.tell(entry.job.id, sealed)
        entry.sealing -= 1
        return Outcome(entry.artifacts, entry.error)

    async def _learn(self, entry: Entry, berth: Berth, batch: int, seconds: float) -> None:
        learn = partial(self._paces.learn, entry.job, berth.device, batch, seconds)
        await anyio.to_thread.run_sync(learn)

    async def _begun(self, entries: list[Entry]) -> None:
        """The worker really begins the batch: count it before anything can go wrong."""
        for entry in entries:
            if any(self.watchers.written(entry.job.id, index) for index in entry.wanted):
                # A text that is begun again: by this event, watchers forget what they heard of it.
                self._tell(entry.job.id, Loading(entry.job.card))
            entry.attempts += 1
            entry.begun = True
            await self._count(entry.job.id, entry.attempts)

    def _failed(self, entries: list[Entry], error: StudioError, *, company: bool = False) -> None:
        """A batch or a seal failed under these jobs: once more, or never again.

        In `company` of others it may have been any one's fault. Each is tried again for itself.
        """
        for entry in entries:
            if not entry.wanted:
                continue  # It has got all that it asked for.
            passing = error.retry and entry.failures < RETRIES and entry.attempts < MOST_ATTEMPTS
            if company or passing:
                entry.failures += 1
                self._berths.wake()
            else:
                self._end(entry, error)

    def _end(self, entry: Entry, error: StudioError) -> None:
        entry.end(error)
        if entry.lane is not None:
            self._berths[entry.lane].lane.cancel(entry.job.id)

    def _tell(self, job: str, event: Event) -> None:
        entry = self._line.get(job)
        if entry is not None and not entry.outcome.done():
            self.watchers.tell(job, event)
