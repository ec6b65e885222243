"""What the host and the device child say to each other: one JSON message a line, both ways.

JSON and nothing else: the child may run under another interpreter, and nothing it says can make
the host run code. Every line is validated against these dataclasses before anyone looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, TypeAdapter

from studio.errors import ErrorRecord
from studio.families import Order, Spec
from studio.job import Event, Loading, Step, TextDelta
from studio.memory import Eviction, Need, Resident

#: The longest line in bytes. A preview of 128 × 128 px takes 64 kB of it.
MAX_LINE = 1_000_000


_EVENTS: TypeAdapter[Event] = TypeAdapter(
    Loading | Step | TextDelta, config=ConfigDict(strict=True, revalidate_instances="always")
)


def _event(record: dict[str, Any]) -> Event:
    """The event that `record` describes; `ValueError` if a child has no business saying it."""
    try:
        event = Event.from_record(record)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no such event: {error}") from None
    return _EVENTS.validate_python(event)


@dataclass(frozen=True)
class Run:
    """Host to child: load this model if need be, and make these orders. None at all only loads."""

    batch: int
    family: str
    spec: Spec
    #: Which weights lie in the folder; a resident model of another revision is loaded anew.
    revision: str
    need: Need
    orders: tuple[Order, ...]
    #: An empty private folder; order number n is spooled below `spool/n`.
    spool: Path
    kind: Literal["run"] = "run"


@dataclass(frozen=True)
class Stop:
    """Host to child: nobody wants this job's orders any more."""

    batch: int
    job: str
    kind: Literal["stop"] = "stop"


@dataclass(frozen=True)
class Memory:
    """How the device and the child stand after a batch; bytes."""

    total: int
    free: int
    #: The child's own main memory.
    rss: int
    #: The models in memory; when they were used is on the child's own clock.
    residents: tuple[Resident, ...]
    #: The last models that left, oldest first.
    evictions: tuple[Eviction, ...]
    #: What the device's library holds beyond what is in use.
    idle: int
    #: The child's clock now, in seconds.
    clock: float


@dataclass(frozen=True)
class Ready:
    """Child to host, once: the libraries are loaded and the device answers."""

    device: str
    versions: Mapping[str, str]
    #: What keeps the child off the network: `namespace` (the kernel) or `refusal` (Python only).
    network: Literal["namespace", "refusal"]
    memory: Memory
    kind: Literal["ready"] = "ready"


@dataclass(frozen=True)
class Beat:
    """Child to host, several times a second of `hang_seconds`: alive, and this far."""

    #: Grows with every sign of progress; a hang is a number that stands still.
    progress: int
    kind: Literal["beat"] = "beat"


@dataclass(frozen=True)
class Began:
    """Child to host: the batch is no longer waiting; from here on it has had its attempt."""

    batch: int
    kind: Literal["began"] = "began"


@dataclass(frozen=True)
class Told:
    """Child to host: an event for one of the batch's jobs."""

    batch: int
    job: str
    event: Annotated[Event, PlainValidator(_event), PlainSerializer(lambda event: event.record())]
    kind: Literal["told"] = "told"


@dataclass(frozen=True)
class Spooled:
    """Child to host: the draft of order number `order` is in the spool, whole."""

    batch: int
    order: int
    #: How long the model had taken over the batch by then, loading it left out.
    seconds: float
    kind: Literal["spooled"] = "spooled"


@dataclass(frozen=True)
class Finished:
    """Child to host: every order that was still wanted is made."""

    batch: int
    memory: Memory
    #: The most memory that it had in use beside the weights, in bytes; 0 if nobody could tell.
    peak: int = 0
    #: The slower placement in which it was made after memory had run out; empty if it had not.
    fallen: str = ""
    kind: Literal["finished"] = "finished"


@dataclass(frozen=True)
class Failed:
    """Child to host: the batch ended with an error; without a batch, the child could not start."""

    batch: int | None
    error: ErrorRecord
    memory: Memory | None = None
    #: Whether the child is of no further use: its device is in an error state.
    fatal: bool = False
    kind: Literal["failed"] = "failed"


ToChild = Run | Stop
FromChild = Ready | Beat | Began | Told | Spooled | Finished | Failed

_TO_CHILD: TypeAdapter[ToChild] = TypeAdapter(Annotated[ToChild, Field(discriminator="kind")])
_FROM_CHILD: TypeAdapter[FromChild] = TypeAdapter(Annotated[FromChild, Field(discriminator="kind")])


def to_line(message: ToChild | FromChild) -> bytes:
    """The message as one line of JSON, its newline included."""
    adapter: TypeAdapter[Any] = _TO_CHILD if isinstance(message, Run | Stop) else _FROM_CHILD
    return adapter.dump_json(message) + b"\n"


def for_child(line: bytes) -> ToChild:
    """The host's message in `line`; `ValueError` if it is none."""
    return _TO_CHILD.validate_json(line)


def from_child(line: bytes) -> FromChild:
    """The child's message in `line`; `ValueError` if it is none."""
    return _FROM_CHILD.validate_json(line)
