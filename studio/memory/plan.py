"""Which placement a model takes, and who makes way for it: a pure function over numbers.

Every decision can be tested without a device. The fastest placement wins that fits after the
models used longest ago have made room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.errors import OutOfMemory
from studio.memory.sizes import Held, Need, Resident, Room

#: Left free on the device and in main memory, in bytes: what contexts and kernels take unasked.
SLACK = 300_000_000

#: From fastest to slowest. `quantised` stores the weights in 8 bits; only where that is allowed.
LADDER = ("full", "model-offload", "group-offload", "quantised", "cpu")
#: Those in which the model is in one place, as it is.
_WHOLE = ("full", "cpu")


@dataclass(frozen=True)
class Plan:
    """How to place the model, after these residents have been evicted in this order."""

    placement: str
    evict: tuple[str, ...]


def rungs(need: Need, room: Room) -> tuple[str, ...]:
    """The placements worth trying, from fastest to slowest."""
    if room.shared:
        # There is nowhere to move anything to.
        return ("full",)
    names = LADDER[LADDER.index(need.fastest) :]
    if not need.offloads:
        return tuple(name for name in names if name in _WHOLE)
    return tuple(name for name in names if name != "quantised" or need.quantisable)


def plan(
    need: Need, room: Room, residents: Sequence[Resident], placements: Sequence[str] = ()
) -> Plan:
    """The fastest placement that fits, evicting as few idle residents as it can.

    `placements` are those to try, in this order; all that make sense unless given.

    Raises:
        OutOfMemory: if nothing fits even with every idle resident gone; with the numbers.
    """
    # Name breaks ties, so that equal input gives an equal plan.
    idle = sorted((r for r in residents if not r.busy), key=lambda r: (r.used, r.name))
    tried = tuple(placements) or rungs(need, room)
    for placement in tried:
        if not _fits(placement, need, room, residents, idle):
            continue
        victims = idle
        # Keep whom we can, the most recently used first.
        for resident in reversed(idle):
            fewer = [victim for victim in victims if victim is not resident]
            if _fits(placement, need, room, residents, fewer):
                victims = fewer
        return Plan(placement, tuple(victim.name for victim in victims))
    raise _too_large(tried[-1], need, room, residents, idle)


def held(placement: str, need: Need) -> tuple[Held, ...]:
    """What the model takes in this placement while nobody uses it; offloaded parts rest in main
    memory. Only parts that are wholly on the device are shared with other models: the hooks and
    casts of the other placements are each model's own."""
    match placement:
        case "full":
            return tuple(Held(part.key, part.weights, 0) for part in need.parts)
        case "quantised":
            return tuple(
                Held(f"{need.name}/{part.key}/8", part.quantised, 0) for part in need.parts
            )
        case "cpu":
            parts = need.doubled().parts
            return tuple(Held(f"{need.name}/{part.key}/cpu", 0, part.weights) for part in parts)
        case _:
            return tuple(Held(f"{need.name}/{part.key}", 0, part.weights) for part in need.parts)


def demand(placement: str, need: Need) -> tuple[int, int]:
    """Bytes on the device and in main memory that a run takes at its peak, its weights included."""
    sizes = {part.key: part for part in need.parts}
    match placement:
        case "full":
            return need.weights + need.working, 0
        case "quantised":
            return sum(part.quantised for part in need.parts) + need.working, 0
        case "model-offload":
            most = max(
                (sum(sizes[key].weights for key in s.parts) + s.working for s in need.stages),
                default=0,
            )
            return most, need.weights
        case "group-offload":
            # The next group is on its way while one computes.
            most = max(
                (2 * sum(sizes[key].block for key in s.parts) + s.working for s in need.stages),
                default=0,
            )
            return most, need.weights
        case _:
            full = need.doubled()
            return 0, full.weights + full.working


def _lacking(
    placement: str,
    need: Need,
    room: Room,
    residents: Iterable[Resident],
    victims: Sequence[Resident],
) -> tuple[int, int]:
    """Bytes that are missing on the device and in main memory; none where not above 0."""
    gone = {id(victim) for victim in victims}
    kept = [part for r in residents if id(r) not in gone for part in r.parts]
    on_device = {part.key for part in kept if part.device}
    on_host = {part.key for part in kept if part.host}
    # A part that a kept model shares is neither freed by its victims nor loaded again.
    going = [part for victim in victims for part in victim.parts]
    freed = {p.key: p.device for p in going if p.device and p.key not in on_device}
    host_freed = {p.key: p.host for p in going if p.host and p.key not in on_host}
    # The slack does not depend on what is shared, so that evicting one more never does harm.
    device, host = (size + SLACK if size else 0 for size in demand(placement, need))
    in_host = host > 0
    mine = held(placement, need)
    device -= sum(part.device for part in mine if part.key in on_device)
    host -= sum(part.host for part in mine if part.key in on_host)
    if room.shared:
        return device + host - room.free - sum(freed.values()) - sum(host_freed.values()), 0
    return (
        device - room.free - sum(freed.values()),
        host - room.host_free - sum(host_freed.values()) if in_host else 0,
    )


def _fits(
    placement: str,
    need: Need,
    room: Room,
    residents: Iterable[Resident],
    victims: Sequence[Resident],
) -> bool:
    return max(_lacking(placement, need, room, residents, victims)) <= 0


def _too_large(
    placement: str,
    need: Need,
    room: Room,
    residents: Sequence[Resident],
    idle: Sequence[Resident],
) -> OutOfMemory:
    lacking, host_lacking = _lacking(placement, need, room, residents, idle)
    device, host = demand(placement, need)
    if lacking > 0:
        where = "main memory" if room.shared else "the device"
        return OutOfMemory(
            f"{need.name} needs {giga(device + SLACK)} of {where} for this request, and at most "
            f"{giga(max(0, device + SLACK - lacking))} of {giga(room.total)} can be had.",
            hint="Ask for a smaller picture or fewer at once, choose a smaller model, or close "
            "other programs.",
        )
    return OutOfMemory(
        f"{need.name} needs {giga(host + SLACK)} of main memory, and "
        f"{giga(max(0, host + SLACK - host_lacking))} can be had.",
        hint="Close other programs, or choose a smaller model.",
    )


def giga(amount: int) -> str:
    """The amount as people read it: `8.3 GB`."""
    return f"{amount / 1e9:.1f} GB"
