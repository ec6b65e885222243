"""Whether a model fits a device that need not be here, and the smallest one it would fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.errors import OutOfMemory
from studio.memory.plan import SLACK, demand, plan, rungs
from studio.memory.sizes import Room, need_of

if TYPE_CHECKING:
    # The device child starts without the tasks and the cards.
    from studio.cards import Card

#: What graphics cards commonly have, in bytes.
COMMON = tuple(size * 1_000_000_000 for size in (8, 12, 16, 24, 48, 80, 141))


@dataclass(frozen=True)
class Fit:
    """How a card's model would run on a device; bytes, `SLACK` included."""

    #: The fastest placement that fits; None where none does.
    placement: str | None
    #: What that takes at its peak; the least demanding placement's where none fits.
    device_bytes: int
    host_bytes: int
    #: Why none fits; empty where one does.
    why: str = ""


def fit(card: Card, room: Room, request: Mapping[str, Any] | None = None) -> Fit:
    """How one `request` (the card's defaults unless given) would run on an empty device; one that
    shares main memory is taken for a processor."""
    need = need_of(card, [request or {}])
    if room.shared:
        need = need.doubled()
    try:
        placement, why = plan(need, room, ()).placement, ""
    except OutOfMemory as error:
        placement, why = None, error.message
    device, host = demand(placement or rungs(need, room)[-1], need)
    return Fit(placement, device + SLACK if device else 0, host + SLACK if host else 0, why)


def nearest(card: Card, host_bytes: int, request: Mapping[str, Any] | None = None) -> int | None:
    """The smallest of `COMMON` on which the model runs, beside this much main memory."""
    for size in COMMON:
        if fit(card, room_of(size, host_bytes), request).placement not in (None, "cpu"):
            return size
    return None


def room_of(device_bytes: int, host_bytes: int) -> Room:
    """An empty graphics card of `device_bytes`, in a machine with `host_bytes` free; a device of
    0 bytes is a processor."""
    if not device_bytes:
        return Room(host_bytes, host_bytes, host_bytes, shared=True)
    return Room(device_bytes, device_bytes, host_bytes)
