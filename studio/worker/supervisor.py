"""The lane: one device, and the child that owns it, as the host uses them.

The host never imports torch. It hands a batch of orders to the lane and gets drafts back, each in
a private folder of the spool; whatever happens to the child, a hang, a crash or a kill, arrives
here as an error that says whether to try again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.cards import Card
from studio.errors import Broken, Cancelled, StudioError, Unavailable
from studio.families import Order, Spec
from studio.job import Event
from studio.memory import Need, components_of, need_of
from studio.peaks import Peak, Peaks, Shape, informed, shape_of
from studio.settings import Settings
from studio.worker.pipe import (
    Began,
    Failed,
    Finished,
    FromChild,
    Memory,
    Ready,
    Run,
    Spooled,
    Stop,
    Told,
)
from studio.worker.process import ChildProcess, Gone
from studio.worker.report import Kept, LaneState, Made

_LOG = logging.getLogger(__name__)

#: A child is replaced when its main memory has grown by this many bytes, and by half, since it
#: last had the same models: nothing else is a sure cure for a leak.
_DRIFT_BYTES = 1_000_000_000
_DRIFT_SHARE = 1.5
#: And when the device's library still holds this share of what is free, and does not use it.
_IDLE_SHARE = 0.5


@dataclass
class _Batch:
    number: int
    orders: tuple[Order, ...]
    cancelled: set[str] = field(default_factory=set)
    #: The orders whose drafts are somebody else's to discard.
    handed_over: set[int] = field(default_factory=set)
    #: The child that has it.
    child: ChildProcess | None = None
    #: What it took, once it is made.
    peak: Peak | None = None

    def wanted(self) -> tuple[Order, ...]:
        return tuple(order for order in self.orders if order.job not in self.cancelled)


class Lane:
    """One device. It belongs to one event loop; `discard` alone may be called from any thread."""

    #: How many batches it takes at a time.
    at_once = 1

    def __init__(self, settings: Settings, device: str = "auto", number: int = 0) -> None:
        """A lane for the device called `device`; no two of a host have the same `number`."""
        self._settings = settings
        self._device = device
        self._spool = settings.home / "spool" / str(number)
        self._turn = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._batches: list[_Batch] = []
        self._peaks = Peaks(settings.home / "paces.sqlite")
        self._child: ChildProcess | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._state = LaneState(device)
        #: The child's main memory when it was last smallest, by the models it had.
        self._smallest: dict[tuple[str, ...], int] = {}

    async def start(self) -> None:
        """Empty the spool; the child is spawned when it is first needed."""
        await asyncio.to_thread(self._empty_spool)
        self._spool.mkdir(mode=0o700, parents=True)

    async def close(self) -> None:
        """End the child and remove the spool; a batch that runs ends with `Broken`."""
        if self._idle is not None:
            self._idle.cancel()
        if self._child is not None:
            self._dismiss(self._child)
        await asyncio.gather(*self._ending)
        await asyncio.to_thread(self._empty_spool)

    @property
    def state(self) -> LaneState:
        """The device and its child as they were last heard of."""
        if self._child is not None and self._child.alive:
            return self._state
        return LaneState(self._state.device, versions=self._state.versions)

    async def warm(self, card: Card, folder: Path, revision: str) -> None:
        """Load a model before anybody asks for it.

        Raises:
            StudioError: as `generate` does.
        """

        async def begun() -> None:
            pass

        async for _ in self.generate(
            card, folder, revision, (), tell=lambda _job, _event: None, begun=begun
        ):
            pass

    async def generate(
        self,
        card: Card,
        folder: Path,
        revision: str,
        orders: Sequence[Order],
        *,
        tell: Callable[[str, Event], None],
        begun: Callable[[], Awaitable[None]],
    ) -> AsyncGenerator[Made, None]:
        """Make `orders`, in order, each as soon as it is ready; batches wait for each other.

        `tell` hears every job's events; `begun` is awaited once, when the child has the batch in
        hand. Leaving the iteration early ends the child.

        Raises:
            Cancelled: if every job of the batch was cancelled.
            OutOfMemory: if no placement of the model fits.
            Unavailable: if the model's files, or the child itself, cannot be used.
            InvalidRequest: if the model cannot do what is asked.
            Broken: if something unforeseen happened, the child died or it hung; worth a retry.
        """
        batch = _Batch(next(self._numbers), tuple(orders))
        self._batches.append(batch)
        place = self._spool / str(batch.number)
        try:
            async with self._turn:
                child = await self._ready()
                try:
                    batch.orders = batch.wanted()
                    if orders and not batch.orders:
                        raise Cancelled
                    place.mkdir(mode=0o700)
                    planning = asyncio.to_thread(self._needed, batch, card, folder, revision)
                    need, shape = await planning
                    batch.child = child
                    child.send(_run(batch, card, folder, revision, need, place))
                    async for made in self._follow(batch, child, place, tell, begun):
                        yield made
                    if shape is not None and batch.peak is not None:
                        await asyncio.to_thread(self._peaks.learn, shape, batch.peak)
                finally:
                    self._rest(batch, child)
                    self._sweep(batch, place)
        finally:
            self._batches.remove(batch)

    def cancel(self, job_id: str) -> None:
        """Stop making this job's outputs: within one step, or before they are begun."""
        for batch in self._batches:
            if job_id not in {order.job for order in batch.orders}:
                continue
            batch.cancelled.add(job_id)
            if batch.child is not None:
                batch.child.send(Stop(batch.number, job_id))

    def discard(self, place: Path) -> None:
        """Delete a draft that is sealed, or that nobody wants."""
        shutil.rmtree(place.parent, ignore_errors=True)
        with suppress(OSError):
            # The batch's own folder, once the last of its drafts is gone.
            place.parent.parent.rmdir()

    async def _follow(
        self,
        batch: _Batch,
        child: ChildProcess,
        place: Path,
        tell: Callable[[str, Event], None],
        begun: Callable[[], Awaitable[None]],
    ) -> AsyncGenerator[Made, None]:
        awaited = set(range(len(batch.orders)))
        while True:
            match await child.messages.get():
                case Began():
                    await begun()
                case Told(job=job, event=event):
                    if job in {order.job for order in batch.wanted()}:
                        tell(job, event)
                case Spooled(order=number, seconds=seconds) if number in awaited:
                    awaited.remove(number)
                    # The path is ours, whatever the child says: it may only choose a number.
                    order = batch.orders[number]
                    draft = place / f"{number:05d}" / f"{order.index:05d}"
                    if order.job in batch.cancelled:
                        self.discard(draft)
                    else:
                        batch.handed_over.add(number)
                        yield Made(order, draft, self._state.versions, len(batch.orders), seconds)
                case Finished(memory=memory, peak=peak, fallen=fallen):
                    batch.child = None
                    batch.peak = Peak(peak, fallen)
                    self._heard(memory)
                    if batch.orders and not batch.wanted():
                        raise Cancelled
                    return
                case Failed(error=record, memory=memory, fatal=fatal):
                    if not fatal:
                        batch.child = None
                    if memory is not None:
                        self._heard(memory)
                    raise StudioError.from_record(record)
                case message:
                    raise self._lost(message)

    def _needed(
        self, batch: _Batch, card: Card, folder: Path, revision: str
    ) -> tuple[Need, Shape | None]:
        """What the batch needs, and the shape that is learned by; none if it only loads."""
        requests = [order.request for order in batch.orders]
        variant = getattr(card.studio.source, "variant", None)
        need = need_of(card, requests, components_of(folder, card.studio.dtype, variant))
        need = need.doubled() if self._state.device == "cpu" else need
        if not requests:
            return need, None
        task = batch.orders[0].task
        shape = shape_of(card.name, revision, task, requests, self._state.versions)
        return informed(need, self._peaks.of(shape)), shape

    def _rest(self, batch: _Batch, child: ChildProcess) -> None:
        """After a batch: drop the child if it is not fit for another, or let it idle."""
        if batch.child is not None or not child.alive or self._drifted():
            # It is dying, hung, in an unknown state, or busy with what nobody waits for.
            child.kill()
            self._dismiss(child)
            return
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._settings.idle_seconds, self._dismiss, child)

    async def _ready(self) -> ChildProcess:
        """A child that can take a batch; spawned if there is none."""
        if self._idle is not None:
            self._idle.cancel()
        if self._child is not None and self._child.alive:
            return self._child
        how = ""
        # Once more, since a child may be killed while it starts; not for ever.
        for _ in range(2):
            child = self._child = await ChildProcess.spawn(self._settings, self._device)
            first: FromChild | Gone | None = None
            try:
                first = await child.messages.get()
                match first:
                    case Ready(device=device, versions=versions, network=network, memory=memory):
                        self._state = LaneState(
                            device, pid=child.pid, versions=versions, network=network
                        )
                        self._heard(memory)
                        return child
                    case Failed(error=record):
                        raise StudioError.from_record(record)
                    case Gone(how=how):
                        continue
                    case _:
                        raise self._lost(first)
            finally:
                if not isinstance(first, Ready):
                    child.kill()
                    self._dismiss(child)
        raise Unavailable(
            f"The worker that owns the device does not start: {how}.",
            hint=f"Its last words are in {self._settings.home / 'logs' / 'worker.log'}.",
        )

    def _lost(self, message: FromChild | Gone) -> Broken:
        how = message.how if isinstance(message, Gone) else f"it said {message.kind} out of turn"
        broken = Broken(f"The worker that owns the device ended: {how}.")
        log = self._settings.home / "logs" / "worker.log"
        _LOG.error("incident %s: the device child ended: %s; see %s", broken.incident, how, log)
        return broken

    def _heard(self, memory: Memory) -> None:
        self._state = replace(
            self._state,
            total=memory.total,
            free=memory.free,
            rss=memory.rss,
            resident=tuple(resident.name for resident in memory.residents),
            kept=tuple(
                Kept(r.name, r.placement, r.device, r.host, memory.clock - r.used)
                for r in memory.residents
            ),
            evictions=memory.evictions,
            idle=memory.idle,
        )

    def _drifted(self) -> bool:
        """Whether the child has grown without reason, or its device is in fragments."""
        resident, rss = self._state.resident, self._state.rss
        smallest = self._smallest[resident] = min(rss, self._smallest.get(resident, rss))
        grown = rss > max(smallest + _DRIFT_BYTES, smallest * _DRIFT_SHARE)
        return grown or self._state.idle > _IDLE_SHARE * max(self._state.free, _DRIFT_BYTES)

    def _dismiss(self, child: ChildProcess) -> None:
        """Give the child no more work, and see to it that it ends."""
        if self._child is child:
            self._child = None
            self._smallest.clear()
        ending = asyncio.create_task(child.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _sweep(self, batch: _Batch, place: Path) -> None:
        """Delete what the batch left in the spool and nobody was given."""
        for number in range(len(batch.orders)):
            if number not in batch.handed_over:
                shutil.rmtree(place / f"{number:05d}", ignore_errors=True)
        with suppress(OSError):
            place.rmdir()

    def _empty_spool(self) -> None:
        # Errors are those of a thread that discards its draft at the same moment.
        shutil.rmtree(self._spool, ignore_errors=True)
        with suppress(OSError):
            self._spool.parent.rmdir()


def _run(batch: _Batch, card: Card, folder: Path, revision: str, need: Need, place: Path) -> Run:
    block = card.studio
    variant = getattr(block.source, "variant", None)
    spec = Spec(card.name, folder, block.dtype, variant, block.options)
    return Run(batch.number, block.family, spec, revision, need, batch.orders, place)
