"""What a lane reports: the state of its device, and each draft that is ready to be sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from studio.families import Order
from studio.memory import Eviction
from studio.pace import Speed


@dataclass(frozen=True)
class Kept:
    """A model in memory; bytes while nobody uses it."""

    name: str
    placement: str
    device_bytes: int
    host_bytes: int
    #: How many seconds ago it was last used, as of the last batch's end.
    unused: float


@dataclass(frozen=True)
class LaneState:
    """What is known of the device and its child; bytes, 0 until a child has told."""

    #: `cpu`, `mps`, `cuda:0`; `auto` until a child has found out.
    device: str
    total: int = 0
    free: int = 0
    #: The child's process id; None while there is none.
    pid: int | None = None
    #: The child's own main memory.
    rss: int = 0
    #: The cards whose models are in memory.
    resident: tuple[str, ...] = ()
    #: The same models, with what they take.
    kept: tuple[Kept, ...] = ()
    #: The last models that left memory, and why; oldest first.
    evictions: tuple[Eviction, ...] = ()
    #: What the device's library holds beyond what is in use.
    idle: int = 0
    #: What would make the next draft: studio, torch, diffusers, device …
    versions: Mapping[str, str] = field(default_factory=dict)
    #: What keeps the child off the network: `namespace` (the kernel) or `refusal` (Python only).
    network: str | None = None
    #: What was measured on such a device, by model, request and size of batch.
    speeds: tuple[Speed, ...] = ()


@dataclass(frozen=True)
class Original:
    """The file that a draft was read from, where it came from elsewhere with a manifest in it."""

    path: Path
    media_type: str
    #: Whether that manifest holds.
    holds: bool


@dataclass(frozen=True)
class Made:
    """A draft that is ready to be sealed."""

    order: Order
    #: Where `Draft.unspool` finds it; give it to `Lane.discard` afterwards.
    place: Path
    versions: Mapping[str, str]
    #: How many orders ran in its batch.
    batch: int
    #: How long the model had taken over the batch by then.
    seconds: float
    #: Gone with the draft.
    original: Original | None = None
