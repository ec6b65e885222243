"""The models in memory: does what `plan` decides, in the child's one thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from studio.errors import OutOfMemory, StudioError
from studio.memory.plan import LADDER, Plan, held, plan, rungs
from studio.memory.sizes import Device, Need, Resident

#: How many evictions are remembered.
_REMEMBERED = 20


@dataclass(frozen=True)
class Eviction:
    """A model that left memory, and why."""

    name: str
    #: `made room for …`, `other weights`, `failed`.
    why: str
    device_bytes: int
    host_bytes: int


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
    """The models in memory, each under its card's name."""

    def __init__(self, device: Device, clock: Callable[[], float] = time.monotonic) -> None:
        self._device = device
        self._clock = clock
        self._tenants: dict[str, _Tenant[M]] = {}
        #: Slower placements that were the fastest to work, by card and shape of its requests.
        self._learned: dict[tuple[str, tuple[int, ...]], str] = {}
        #: Where each card's model was last put, or tried to be.
        self._tried: dict[str, str] = {}
        #: The last models that left, oldest first.
        self.evictions: deque[Eviction] = deque(maxlen=_REMEMBERED)

    @property
    def residents(self) -> tuple[Resident, ...]:
        """The models in memory, in the order they were loaded."""
        return tuple(tenant.entry for tenant in self._tenants.values())

    def placement(self, name: str) -> str:
        """Where the resident model called `name` is."""
        return self._tenants[name].entry.placement

    @contextmanager
    def lease(self, need: Need, revision: str, load: Callable[[str], M]) -> Iterator[M]:
        """The model, loaded by `load(placement)` unless it is here; kept until the lease ends.

        Room is made for what the run needs beside the weights, whether the model is here or not.
        A model that leaves with anything unforeseen is dropped: nobody knows its state.

        Raises:
            OutOfMemory: if no placement fits; nothing was evicted then.
        """
        tenant = self._ready(need, revision)
        if tenant is None:
            tenant = self._tenants[need.name] = self._admit(need, revision, load)
        tenant.entry = replace(tenant.entry, used=self._clock(), busy=True)
        try:
            yield tenant.model
        except StudioError:
            raise
        except BaseException:
            self._leave(need.name, "failed")
            raise
        finally:
            tenant.entry = replace(tenant.entry, used=self._clock(), busy=False)

    def make_room(self, name: str) -> bool:
        """Evict every idle model, for the one called `name`; whether there was one."""
        idle = [r.name for r in self.residents if not r.busy and r.name != name]
        for other in idle:
            self._leave(other, f"made room for {name}")
        self._device.release()
        return bool(idle)

    def slower(self, need: Need) -> Need | None:
        """After `need` ran out of memory where it was: the same on the next rung, remembered for
        this card and shape. None if no placement fitted at all, or at the ladder's end."""
        placement = self._tried.pop(need.name, None)
        if placement is None:
            return None
        if need.name in self._tenants:
            self._leave(need.name, f"ran out of memory in the placement {placement}")
        self._device.release()
        tried = rungs(need, self._device.room())
        below = tried[tried.index(placement) + 1 :]
        if not below:
            return None
        self._learned[_shape(need)] = below[0]
        return replace(need, fastest=below[0])

    def _ready(self, need: Need, revision: str) -> _Tenant[M] | None:
        """The model, if it is here and there can be room for this run of it where it is."""
        tenant = self._tenants.get(need.name)
        if tenant is None:
            return None
        placement = tenant.entry.placement
        fastest = LADDER.index(self._learned.get(_shape(need), need.fastest))
        if tenant.revision != revision:
            self._leave(need.name, "other weights")
            return None
        if LADDER.index(placement) < fastest:
            self._leave(need.name, "moved to a slower placement")
            return None
        tenant.entry = replace(tenant.entry, busy=True)
        try:
            self._evict(plan(need, self._device.room(), self.residents, (placement,)), need)
            self._tried[need.name] = placement
        except OutOfMemory:
            self._leave(need.name, "moved to a slower placement")
            return None
        finally:
            tenant.entry = replace(tenant.entry, busy=False)
        return tenant

    def _admit(self, need: Need, revision: str, load: Callable[[str], M]) -> _Tenant[M]:
        need = replace(need, fastest=self._learned.get(_shape(need), need.fastest))
        self._tried.pop(need.name, None)
        decided = plan(need, self._device.room(), self.residents)
        self._evict(decided, need)
        self._tried[need.name] = decided.placement
        model = load(decided.placement)
        parts = held(decided.placement, need)
        entry = Resident(need.name, decided.placement, parts, self._clock())
        return _Tenant(model, revision, entry)

    def _evict(self, decided: Plan, need: Need) -> None:
        for name in decided.evict:
            self._leave(name, f"made room for {need.name}")

    def _leave(self, name: str, why: str) -> None:
        tenant = self._tenants.pop(name)
        tenant.model.unload()
        entry = tenant.entry
        self.evictions.append(Eviction(name, why, entry.device, entry.host))


def _shape(need: Need) -> tuple[str, tuple[int, ...]]:
    return need.name, tuple(stage.working for stage in need.stages)
