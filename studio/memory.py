"""What is in memory: `plan` decides with numbers alone, `Residency` carries it out.

`plan` is a pure function, so that every decision can be tested without a device. It takes the
fastest placement that fits after the models used longest ago have made room.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from studio.cards import Card
from studio.errors import OutOfMemory, StudioError

#: Left free on the device and in main memory, in bytes: what contexts and kernels take unasked.
SLACK = 300_000_000


@dataclass(frozen=True)
class Need:
    """What running a model takes, in bytes."""

    #: The card's name.
    name: str
    weights: int
    #: Activations beside the weights, for the batch in hand.
    working: int


@dataclass(frozen=True)
class Room:
    """The memory there is, in bytes."""

    total: int
    #: Free on the device now, with the residents in place.
    free: int
    #: Free in main memory now. The same as `free` where the device has no memory of its own.
    host_free: int
    #: Whether the device computes in main memory: a processor, or an integrated GPU.
    shared: bool = False


@dataclass(frozen=True)
class Resident:
    """A model in memory, in bytes; `used` is when, on any clock that only grows."""

    name: str
    device: int
    host: int
    used: float
    #: A busy model is never evicted.
    busy: bool = False


@dataclass(frozen=True)
class Rung:
    """One way to place a model, and which share of its weights that takes where."""

    name: str
    device: float
    host: float

    def resident(self, need: Need, used: float) -> Resident:
        """The model's entry once it is loaded in this placement."""
        return Resident(
            need.name, int(need.weights * self.device), int(need.weights * self.host), used
        )


#: From fastest to slowest. The shares are those of latent diffusion models, whose denoiser is
#: three quarters of the weights and whose largest single block is less than a tenth.
LADDER = (
    Rung("full", device=1.0, host=0.0),
    Rung("model-offload", device=0.75, host=1.0),
    Rung("group-offload", device=0.1, host=1.0),
)


@dataclass(frozen=True)
class Plan:
    """How to place the model, after these residents have been evicted in this order."""

    placement: str
    evict: tuple[str, ...]


def plan(need: Need, room: Room, residents: Sequence[Resident]) -> Plan:
    """The fastest placement that fits, evicting as few idle residents as it can.

    Raises:
        OutOfMemory: if nothing fits even with every idle resident gone; with the numbers.
    """
    # Name breaks ties, so that equal input gives an equal plan.
    idle = sorted((r for r in residents if not r.busy), key=lambda r: (r.used, r.name))
    for rung in LADDER[:1] if room.shared else LADDER:
        if not _fits(rung, need, room, idle):
            continue
        victims = idle
        # Keep whom we can, the most recently used first.
        for resident in reversed(idle):
            fewer = [victim for victim in victims if victim is not resident]
            if _fits(rung, need, room, fewer):
                victims = fewer
        return Plan(rung.name, tuple(victim.name for victim in victims))
    raise _too_large(need, room, idle)


def _fits(rung: Rung, need: Need, room: Room, victims: Iterable[Resident]) -> bool:
    victims = list(victims)
    device, host = _demand(rung, need)
    freed, host_freed = sum(v.device for v in victims), sum(v.host for v in victims)
    if room.shared:
        return device <= room.free + freed + host_freed
    return device <= room.free + freed and host <= room.host_free + host_freed


def _demand(rung: Rung, need: Need) -> tuple[int, int]:
    """Bytes that must be free on the device and in main memory, slack included."""
    host = int(need.weights * rung.host)
    return int(need.weights * rung.device) + need.working + SLACK, host + SLACK if host else 0


def _too_large(need: Need, room: Room, idle: Iterable[Resident]) -> OutOfMemory:
    rung = LADDER[0] if room.shared else LADDER[-1]
    device, host = _demand(rung, need)
    idle = list(idle)
    free = room.free + sum(r.device for r in idle) + room.shared * sum(r.host for r in idle)
    where = "main memory" if room.shared else "the device"
    if device > free:
        return OutOfMemory(
            f"{need.name} needs {_giga(device)} of {where} for this request, and at most "
            f"{_giga(free)} of {_giga(room.total)} can be freed.",
            hint="Ask for a smaller picture or fewer at once, choose a smaller model, or close "
            "other programs.",
        )
    return OutOfMemory(
        f"{need.name} needs {_giga(host)} of main memory beside the device, and "
        f"{_giga(room.host_free + sum(r.host for r in idle))} can be freed.",
        hint="Close other programs, or choose a smaller model.",
    )


def _giga(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB"


def need_of(card: Card, requests: Sequence[Mapping[str, Any]]) -> Need:
    """What running a batch of `requests` on `card` takes.

    A card's working memory is for one output of its default size; activations grow with the
    pixels of the largest request, and with how many the card's family makes at once.
    """
    block = card.studio
    sides = ("width", "height")
    pixels = math.prod(float(str(block.defaults.get(side, 1))) for side in sides)
    largest = max(
        (math.prod(request.get(side) or 1 for side in sides) for request in requests), default=1
    )
    together = min(len(requests) or 1, int(block.options.get("batch", 1)))
    scale = together * (max(1.0, largest / pixels) if pixels > 1 else 1.0)
    return Need(card.name, int(block.memory.weights * 1e6), int(block.memory.working * 1e6 * scale))


class Evictable(Protocol):
    """A model in memory."""

    def unload(self) -> None:
        """Free everything."""


M = TypeVar("M", bound=Evictable)


@dataclass
class _Tenant(Generic[M]):
    model: M
    revision: str
    entry: Resident


class Residency(Generic[M]):
    """The models in memory, each under its card's name; it does what `plan` decides."""

    def __init__(
        self, room: Callable[[], Room], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._room = room
        self._clock = clock
        self._tenants: dict[str, _Tenant[M]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The cards whose models are in memory, in the order they were loaded."""
        return tuple(self._tenants)

    @contextmanager
    def lease(self, need: Need, revision: str, load: Callable[[str], M]) -> Iterator[M]:
        """The model, loaded by `load(placement)` unless it is here; kept until the lease ends.

        A model that leaves with anything unforeseen is dropped: nobody knows its state.

        Raises:
            OutOfMemory: if no placement fits; nothing was evicted then.
        """
        tenant = self._tenants.get(need.name)
        if tenant is None or tenant.revision != revision:
            self.drop(need.name)
            tenant = self._tenants[need.name] = self._admit(need, revision, load)
        tenant.entry = replace(tenant.entry, used=self._clock(), busy=True)
        try:
            yield tenant.model
        except StudioError:
            raise
        except BaseException:
            self.drop(need.name)
            raise
        finally:
            tenant.entry = replace(tenant.entry, used=self._clock(), busy=False)

    def drop(self, name: str) -> None:
        """Unload the model, if it is in memory."""
        tenant = self._tenants.pop(name, None)
        if tenant is not None:
            tenant.model.unload()

    def _admit(self, need: Need, revision: str, load: Callable[[str], M]) -> _Tenant[M]:
        decided = plan(need, self._room(), [tenant.entry for tenant in self._tenants.values()])
        for name in decided.evict:
            self.drop(name)
        rung = next(rung for rung in LADDER if rung.name == decided.placement)
        return _Tenant(load(decided.placement), revision, rung.resident(need, self._clock()))
