"""The dispatcher: one device, and what runs on it next.

A job enters by `carry_out` and leaves with its outcome. In between it stands in line, is on the
lane for one batch, and stands in line again until all its outputs are made; each output is sealed
in a thread of its own while the lane goes on. All state is in memory and belongs to one event
loop: what must survive is in the job store (the order, the attempts) and in the artifact store
(the outputs).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Self

import anyio

from studio.artifacts import Artifact, ArtifactStore
from studio.cards import Card, Catalog
from studio.draft import Draft
from studio.errors import Broken, Cancelled, StudioError
from studio.job import Event, Job, JobState, Outcome, Paused, Queued, Sealed
from studio.line import Entry, Line
from studio.provenance.seal import Sealer
from studio.scheduler import Share
from studio.settings import Settings
from studio.watch import Watchers
from studio.worker.supervisor import Lane, Made

#: How often a job is tried again in a row after an error that may pass.
RETRIES = 1
#: How often a worker may begin a job without finishing an output of it, over all restarts of the
#: host. A job that takes the host down each time must stop too.
MOST_ATTEMPTS = 4
#: How many outputs are sealed at once. The lane waits beyond that, so that the spool stays small.
SEALERS = 2
#: Seconds between looks at a full disk.
DISK_SECONDS = 5.0

_LOG = logging.getLogger(__name__)


class Dispatcher:
    """Runs jobs on one lane. Open it with `async with`; the lane is opened and closed elsewhere."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        lane: Lane,
        sealer: Sealer,
        store: ArtifactStore,
        *,
        count: Callable[[str, int], Awaitable[None]],
    ) -> None:
        """`count` stores how often a job was begun."""
        self._settings = settings
        self._catalog = catalog
        self._lane = lane
        self._sealer = sealer
        self._store = store
        self._count = count
        # How many outputs go into one batch is the model's matter: its card says so.
        self._most = {card.name: int(card.studio.options.get("batch", 1)) for card in catalog}
        self.watchers = Watchers()
        self._line = Line()
        #: Jobs to end that have not been handed over yet.
        self._unwanted: set[str] = set()
        self._changed = asyncio.Event()
        self._sealers = asyncio.Semaphore(SEALERS)
        self._seals: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin to run what waits."""
        self._work = asyncio.create_task(self._run(), name="dispatcher")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the lane's batch and finish the seals; unfinished jobs stay in the job store."""
        self._work.cancel()
        await asyncio.gather(self._work, *self._seals, return_exceptions=True)
        for entry in list(self._line):
            # That the studio was closed is not the job's fault.
            if entry.begun:
                await self._count(entry.job.id, entry.attempts - 1)

    async def carry_out(self, job: Job) -> Outcome:
        """Make and seal what `job` still lacks, however long it has to wait for its turn."""
        published = await anyio.to_thread.run_sync(self._store.of_job, job.id)
        wanted = [index for index in range(job.request["count"]) if index not in published]
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        entry = Entry(job, outcome, wanted, published, job.attempts)
        self._line.enter(entry)
        if job.state is JobState.CANCELLED or job.id in self._unwanted:
            entry.end(Cancelled())
        elif job.attempts >= MOST_ATTEMPTS:
            entry.end(
                Broken(
                    f"This job was begun {job.attempts} times and never got anywhere; something "
                    "in it ends the studio."
                )
            )
        elif wanted:
            ahead = next(ahead for other, ahead in self._line.order() if other == job.id)
            self._tell(job.id, Queued(ahead))
            self._changed.set()
        entry.settle()
        return await outcome

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

    def unfinished(self, owner: str) -> int:
        """How many of the owner's jobs are in here."""
        return self._line.count(owner)

    def queue(self) -> list[tuple[Job, int]]:
        """Every unfinished job with its place in line: first those that run, with a 0."""
        running = [entry.view() for entry in self._line if not entry.waits]
        waiting = [self._line[job].view() for job, _ in self._line.order()]
        return [(job, 0) for job in running if not job.state.final] + [
            (job, place) for place, job in enumerate(waiting, 1)
        ]

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            await self._until_there_is_room()
            pick = self._line.pick(self._lane.state.resident, self._most)
            if pick is None:
                self._changed.clear()
                continue
            entries = [self._line[share.job] for share in pick.batch]
            began = time.monotonic()
            await self._make(pick.batch, entries)
            for entry in entries:
                self._line.serve(entry.job.owner, (time.monotonic() - began) / len(entries))

    async def _until_there_is_room(self) -> None:
        while True:
            usage = await anyio.to_thread.run_sync(shutil.disk_usage, self._settings.home)
            if usage.free >= self._settings.spare_bytes:
                return
            paused = Paused(
                "The disk is nearly full, so nothing is started.",
                f"Make room below {self._settings.home}; the job then goes on by itself.",
            )
            for waiting in self._line.waiting():
                self._tell(waiting.job, paused)
            await asyncio.sleep(DISK_SECONDS)

    async def _make(self, batch: tuple[Share, ...], entries: list[Entry]) -> None:
        """One turn of the lane."""
        for entry in entries:
            entry.on_lane = True
        for job, ahead in self._line.order():
            self._tell(job, Queued(ahead))
        try:
            card = self._catalog[entries[0].job.card]
            folder = await anyio.to_thread.run_sync(self._catalog.folder, card)
            revision = await anyio.to_thread.run_sync(self._catalog.revision, card)
            shares = zip(entries, batch, strict=True)
            orders = [order for entry, share in shares for order in entry.orders(share.outputs)]
            begun = partial(self._begun, entries)
            # Whoever was stopped while the lane was found has no orders; perhaps nobody has.
            if orders:
                drafts = self._lane.generate(
                    card, folder, revision, orders, tell=self._tell, begun=begun
                )
                async with aclosing(drafts):
                    async for made in drafts:
                        await self._made(made, card, revision)
        except Cancelled:
            pass  # by `cancel`, which has set the jobs' error
        except StudioError as error:
            self._failed(entries, error)
        except Exception as error:
            broken = Broken()
            _LOG.error("incident %s: a batch failed", broken.incident, exc_info=error)
            self._failed(entries, broken)
        for entry in entries:
            entry.on_lane = entry.begun = False
            entry.settle()

    async def _begun(self, entries: list[Entry]) -> None:
        """The worker really begins the batch: count it before anything can go wrong."""
        for entry in entries:
            entry.attempts += 1
            entry.begun = True
            await self._count(entry.job.id, entry.attempts)

    def _failed(self, entries: list[Entry], error: StudioError) -> None:
        """A batch or a seal failed under these jobs: once more, or never again."""
        for entry in entries:
            if error.retry and entry.failures < RETRIES and entry.attempts < MOST_ATTEMPTS:
                entry.failures += 1
                self._changed.set()
            else:
                self._end(entry, error)

    async def _made(self, made: Made, card: Card, revision: str) -> None:
        """Take a draft from the lane and have it sealed; waits while too many are being sealed."""
        entry = self._line[made.order.job]
        entry.made(made.order.index)
        await self._sealers.acquire()
        seal = asyncio.create_task(self._seal(entry, made, card, revision))
        self._seals.add(seal)
        seal.add_done_callback(self._seals.discard)

    async def _seal(self, entry: Entry, made: Made, card: Card, revision: str) -> None:
        def seal() -> Artifact:
            try:
                return self._sealer.seal(
                    Draft.unspool(made.place),
                    job=entry.job,
                    card=card,
                    revision=revision,
                    batch=made.batch,
                    versions=made.versions,
                )
            finally:
                self._lane.discard(made.place)

        try:
            artifact = await anyio.to_thread.run_sync(seal)
        except StudioError as error:
            entry.lost(made.order.index)
            self._failed([entry], error)
        except Exception as error:
            broken = Broken()
            _LOG.error("incident %s: sealing failed", broken.incident, exc_info=error)
            self._end(entry, broken)
        else:
            entry.sealed(made.order.index, artifact.id)
            self._tell(entry.job.id, Sealed(made.order.index, artifact.id))
        finally:
            self._sealers.release()
            entry.sealing -= 1
            entry.settle()

    def _end(self, entry: Entry, error: StudioError) -> None:
        entry.end(error)
        if entry.on_lane:
            self._lane.cancel(entry.job.id)

    def _tell(self, job: str, event: Event) -> None:
        entry = self._line.get(job)
        if entry is not None and not entry.outcome.done():
            self.watchers.tell(job, event)
