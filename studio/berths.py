"""The berths: one place for each batch that can run at a time, and what may lie where.

A device's lane has one berth. A lane that takes several batches at a time, as one for models that
run elsewhere does, has as many.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from studio import scheduler
from studio.catalog import Catalog
from studio.elsewhere import Hosted
from studio.errors import NotFound, StudioError, Unavailable
from studio.line import Entry, Line, Turn
from studio.pace import Paces
from studio.tasks import TASKS
from studio.worker.supervisor import Lane

_ACCELERATORS = {"cuda", "mps"}
_PROCESSORS = {"cpu", *_ACCELERATORS}


@dataclass
class Berth:
    """Room for one batch on a lane, and what lies there."""

    number: int
    lane: Lane
    #: Set when there may be something for it to do.
    news: asyncio.Event = field(default_factory=asyncio.Event)
    #: When its batch began, on the monotonic clock, and how long it should take, if known.
    began: float = 0.0
    seconds: float | None = 0.0

    @property
    def kind(self) -> str:
        """`cpu`, `cuda`, `mps`; anything else is not known yet."""
        return self.lane.state.device.partition(":")[0]

    @property
    def device(self) -> str:
        """What its lane computes on, as the measurements call it."""
        state = self.lane.state
        return state.versions.get("device", state.device)

    @property
    def left(self) -> float | None:
        """In how many seconds it is free, as far as that can be told."""
        if self.seconds is None:
            return None
        return max(0.0, self.began + self.seconds - time.monotonic())


class Berths:
    """All berths of one host."""

    def __init__(self, catalog: Catalog, lanes: Sequence[Lane], paces: Paces) -> None:
        """Berths on `lanes`, in their order."""
        self._catalog = catalog
        self._paces = paces
        every = (lane for lane in lanes for _ in range(lane.at_once))
        self._berths = [Berth(number, lane) for number, lane in enumerate(every)]

    def __iter__(self) -> Iterator[Berth]:
        return iter(self._berths)

    def __getitem__(self, number: int) -> Berth:
        return self._berths[number]

    def wake(self) -> None:
        """Let every berth look whether there is something for it."""
        for berth in self:
            berth.news.set()

    def able(self, entry: Entry) -> list[int]:
        """The numbers of the berths that may run the job; none if its card is gone."""
        return [berth.number for berth in self if self.may_run(berth, entry)]

    def may_run(self, berth: Berth, entry: Entry) -> bool:
        """Whether the job may run in this berth."""
        try:
            card = self._catalog[entry.job.card]
        except NotFound:
            return False  # `missing` says why.
        if isinstance(card.studio.source, Hosted):
            return berth.lane.state.device == f"hosted:{card.studio.source.provider}"
        if berth.kind == "hosted":
            return False
        wanted = card.studio.devices
        if berth.kind not in _PROCESSORS:
            return True  # It will know what it is once it has run something.
        if wanted:
            return berth.kind in wanted
        # What is fast on an accelerator would only keep people waiting on a processor.
        return berth.kind != "cpu" or not any(other.kind in _ACCELERATORS for other in self)

    def missing(self, entry: Entry) -> StudioError | None:
        """Why nothing here can run the job; None if something can."""
        if entry.job.task not in TASKS:
            return Unavailable(
                f"This studio has no task {entry.job.task} any more.",
                hint="`studio tasks` lists what it does; order it again under the new name.",
            )
        if any(self.may_run(berth, entry) for berth in self):
            return None
        try:
            self._catalog[entry.job.card]
        except NotFound as error:
            return error
        return Unavailable(
            f"No device of this studio runs {entry.job.card}.",
            hint=f"`studio models show {entry.job.card}` says what it runs on, the setting "
            "`devices` what this studio uses.",
        )

    def most(self, berth: Berth, leader: Entry, alike: int) -> int:
        """How many of so many outputs to make at once: what proved fastest, if the card allows."""
        card = self._catalog[leader.job.card]
        if leader.exact or isinstance(card.studio.source, Hosted):
            return 1
        limit = int(card.studio.options.get("batch", 1))
        return self._paces.batch(leader.kind, berth.device, limit, alike)

    def expected(self, entry: Entry, outputs: int) -> float | None:
        """Seconds that so many of the job's outputs take on the fastest device for it, if known."""
        known = [
            seconds
            for number in self.able(entry)
            if (seconds := self._paces.seconds(entry.kind, self[number].device, outputs))
            is not None
        ]
        return min(known, default=None)

    def queue(self, line: Line) -> list[Turn]:
        """Every unfinished job with its place in line: first those that run."""
        left = [berth.left for berth in self]
        turns = [
            Turn(job, 0, 0.0, 0.0 if entry.lane is None else left[entry.lane])
            for entry in line
            if not entry.waits and not (job := entry.view()).state.final
        ]
        waiting = [line[job] for job, _ in line.order()]
        takes = [self.expected(entry, len(entry.wanted)) for entry in waiting]
        able = [self.able(entry) for entry in waiting]
        starts = scheduler.forecast(list(zip(takes, able, strict=True)), left)
        for place, entry in enumerate(waiting):
            turns.append(Turn(entry.view(), place + 1, starts[place], takes[place]))
        return turns
