"""Which models fit this machine, before anything is loaded: the same plan that the worker makes."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from studio import memory
from studio.cards import Card
from studio.worker.report import LaneState


@dataclass(frozen=True)
class Fit:
    """How one model would run on one device, at its default size; bytes."""

    card: str
    device: str
    #: `full`, or what is done to make it fit, which is slower; None if nothing does.
    placement: str | None
    #: What that takes at its peak.
    device_bytes: int
    host_bytes: int
    #: Why it does not fit, with numbers.
    why: str
    #: The smallest common graphics card on which it would, if it does not; 0 if there is none.
    nearest_bytes: int


def fit(card: Card, device: LaneState) -> Fit:
    """How `card` would run on `device` with nothing else in its memory."""
    main = psutil.virtual_memory()
    free = min(main.total, main.available + device.rss)
    # A device whose worker has not told yet counts as a processor, which there is in any case.
    accelerator = device.total if device.device.startswith("cuda") else 0
    found = memory.fit(card, memory.room_of(accelerator, free))
    nearest = memory.nearest(card, free) if found.placement is None else None
    return Fit(
        card.name,
        device.device,
        found.placement,
        found.device_bytes,
        found.host_bytes,
        found.why,
        nearest or 0,
    )
