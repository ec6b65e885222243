"""A lane without a device, for tests of order, durability and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from studio.cards import Card
from studio.draft import Draft
from studio.errors import Cancelled, StudioError
from studio.families import VECTORS, Order
from studio.job import Event, Loading, Step
from studio.settings import Settings
from studio.worker.report import LaneState, Made
from studio.worker.supervisor import Lane

_VERSIONS = {"device": "none"}


class FakeLane(Lane):
    """A lane without a child: its pictures are noise from the seed, and it fails when told to.

    It proves nothing about devices or models; the spool and all that follows is real.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        steps: int = 2,
        seconds: float = 0.0,
        errors: Iterable[StudioError | None] = (),
        number: int = 0,
        draft: Callable[[Order], Draft] | None = None,
    ) -> None:
        """Take `steps` of `seconds` each for a batch; `errors` ends one batch after the other.

        `draft` makes what it gives out; without it, that is noise.
        """
        super().__init__(settings, number=number)
        self._steps = steps
        self._seconds = seconds
        self._errors = iter(errors)
        self._draft = draft or _draft
        self._unwanted: set[str] = set()
        self._resident: tuple[str, ...] = ()
        #: Cleared, it keeps every batch at its beginning.
        self.go = asyncio.Event()
        self.go.set()
        #: Every batch that was begun, in order.
        self.batches: list[tuple[Order, ...]] = []
        #: The job of every step that was told, in order.
        self.told: list[str] = []

    @property
    def state(self) -> LaneState:
        """No device, and the last card that was used."""
        return LaneState("none", resident=self._resident, versions=_VERSIONS)

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
        """Noise for every order, after the steps; see `Lane.generate`."""
        if orders and orders[0].request.get("format") == VECTORS:
            # Looking is quick, and is nobody's batch.
            spool = self._spool / f"looking-{id(orders)}"
            place = await asyncio.to_thread(_draft(orders[0]).spool, spool)
            yield Made(orders[0], place, _VERSIONS, 1, 0.0)
            return
        self._unwanted.clear()
        cold = card.name not in self._resident
        self._resident = (card.name,)
        await begun()
        self.batches.append(tuple(orders))
        begin = len(self.batches)
        for order in orders if cold else ():
            tell(order.job, Loading(card.name))
        await self.go.wait()
        for step in range(1, self._steps + 1):
            await asyncio.sleep(self._seconds)
            if all(order.job in self._unwanted for order in orders):
                raise Cancelled
            for order in orders:
                tell(order.job, Step(step, self._steps, order.index))
                self.told.append(order.job)
        if (error := next(self._errors, None)) is not None:
            raise error
        for number, order in enumerate(orders):
            if order.job not in self._unwanted:
                spool = self._spool / f"{begin}-{number}"
                place = await asyncio.to_thread(self._draft(order).spool, spool)
                yield Made(order, place, _VERSIONS, len(orders), self._steps * self._seconds)

    def cancel(self, job_id: str) -> None:
        """Drop the job's orders from the batch that runs."""
        self._unwanted.add(job_id)


def _draft(order: Order) -> Draft:
    if order.request.get("format") == VECTORS:
        vectors = np.eye(16)[: max(1, len(order.inputs))].tolist()
        return Draft("text", order.index, order.seed, facts={"text": "", VECTORS: vectors})
    # A task that asks for no size gets a small one.
    width, height = (int(order.request.get(side, 64)) for side in ("width", "height"))
    shape = (height, width, 3)
    # Of little contrast: small noise of all bytes is too busy to carry a mark in every case.
    pixels = np.random.default_rng(order.seed).integers(96, 160, shape, dtype=np.uint8)
    return Draft("image", order.index, order.seed, {"pixels": pixels})
