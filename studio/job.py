"""A job, and what it tells its watchers from the queue to the last byte.

Events are live and in memory only; what must outlast a restart is in the job store. Jobs and
events have one JSON form, the same in the worker's pipe, over HTTP and in the browser.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

from studio.errors import ErrorRecord


class JobState(StrEnum):
    """Where a job is. The last three are final."""

    #: Stored, and not yet with a worker; it will run even after a restart.
    WAITING = "waiting"
    #: A worker has it, or its outputs are being sealed.
    RUNNING = "running"
    #: All outputs are published.
    DONE = "done"
    #: It ended with an error; outputs sealed before that remain.
    FAILED = "failed"
    #: Somebody stopped it; outputs sealed before that remain.
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the job will not change any more."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Remark:
    """A word of the order that the model does not know, with those that it knows and look alike,
    and the titles of other models here that know it.
    """

    word: str
    near: tuple[str, ...] = ()
    known_by: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The remark in English."""
        near = f" Did you mean {', '.join(self.near)}?" if self.near else ""
        others = f" Known to: {', '.join(self.known_by)}." if self.known_by else ""
        return f"This model does not know the word “{self.word}”.{near}{others}"


@dataclass(frozen=True)
class Standing:
    """Where its owner has put a job: beside another one, whose claim it then has."""

    priority: int
    #: In seconds since the epoch.
    since: float
    #: Among jobs of one owner and equal claim the lowest goes first; 0 where nothing was moved.
    rank: float = 0.0


@dataclass(frozen=True)
class Job:
    """One accepted order, as the job store knows it."""

    #: 128 random bits in hex: unguessable, and the root of its artifacts' ids.
    id: str
    #: Who asked: `local`, a token's name, `discord:1234`.
    owner: str
    task: str
    #: The card that runs it; chosen when the job was accepted, so that it never changes.
    card: str
    #: The narrowed request, every field filled in, the seed included.
    request: Mapping[str, Any]
    #: Higher goes first, within the bounds that fairness sets.
    priority: int
    #: Seconds since the epoch.
    created: float
    state: JobState = JobState.WAITING
    #: How often a worker has begun it since it last finished an output.
    attempts: int = 0
    #: Published outputs, by index; complete once the state is `done`.
    artifacts: tuple[str, ...] = ()
    #: Why it failed.
    error: ErrorRecord | None = None
    #: What the studio has to say about the order, though it carries it out.
    remarks: tuple[Remark, ...] = ()
    #: Where it stands in line, if its owner has moved it.
    moved: Standing | None = None
    #: SHA-256 of the task and the values as they were sent under a key; empty without a key.
    asked: str = ""

    @property
    def standing(self) -> Standing:
        """What decides its place in line."""
        return self.moved or Standing(self.priority, self.created)

    def record(self) -> dict[str, Any]:
        """The job as plain JSON."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The job that `record` describes."""
        values = dict(record)
        values["state"] = JobState(values["state"])
        values["artifacts"] = tuple(values["artifacts"])
        values["remarks"] = tuple(
            Remark(remark["word"], tuple(remark["near"]), tuple(remark.get("known_by", ())))
            for remark in values.get("remarks", ())
        )
        if (moved := values.get("moved")) is not None:
            values["moved"] = Standing(**moved)
        return cls(**values)


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with all its outputs, or with an error and those that came before it."""

    artifacts: tuple[str, ...]
    error: ErrorRecord | None = None

    @property
    def state(self) -> JobState:
        """The final state that this outcome means."""
        if self.error is None:
            return JobState.DONE
        return JobState.CANCELLED if self.error["error"] == "Cancelled" else JobState.FAILED

    def event(self) -> Event:
        """The last thing that watchers hear."""
        return Done(self.artifacts) if self.error is None else Failed(self.error)


@dataclass(frozen=True)
class Event:
    """Something happened to a job."""

    #: Whether nothing follows this event.
    last: ClassVar[bool] = False

    def record(self) -> dict[str, Any]:
        """The event as plain JSON, with its name under `event`."""
        return {"event": type(self).__name__, **asdict(self)}

    @staticmethod
    def from_record(record: dict[str, Any]) -> Event:
        """The event that `record` describes.

        Raises:
            KeyError: if there is no such event.
        """
        values = dict(record)
        kind = EVENTS[values.pop("event")]
        return kind._from_values(values)

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> Event:
        return cls(**values)


@dataclass(frozen=True)
class Queued(Event):
    """The job waits; `ahead` others go first."""

    ahead: int


@dataclass(frozen=True)
class Paused(Event):
    """The studio cannot run anything for now; the job is safe and goes on by itself."""

    message: str
    hint: str


@dataclass(frozen=True)
class Loading(Event):
    """The job has its turn, and its model is on the way into memory."""

    card: str


@dataclass(frozen=True)
class Preview:
    """A small, unfinished picture: raw RGB bytes, at most 128 px a side, never stored."""

    width: int
    height: int
    rgb: bytes


@dataclass(frozen=True)
class Step(Event):
    """`done` of `total` steps of output `index` are made; `preview` shows how it looks so far."""

    done: int
    total: int
    index: int = 0
    preview: Preview | None = None

    def record(self) -> dict[str, Any]:
        values = super().record()
        if self.preview is not None:
            values["preview"]["rgb"] = base64.b64encode(self.preview.rgb).decode()
        return values

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> Event:
        preview = values.get("preview")
        if preview is not None:
            values["preview"] = Preview(
                preview["width"], preview["height"], base64.b64decode(preview["rgb"])
            )
        return cls(**values)


@dataclass(frozen=True)
class TextDelta(Event):
    """More of a text that is being written; AI output, not yet sealed."""

    text: str
    index: int = 0


@dataclass(frozen=True)
class Sealed(Event):
    """One of the job's outputs is finished, marked, signed and published."""

    index: int
    artifact: str


@dataclass(frozen=True)
class Done(Event):
    """All outputs are published; `ids` in the order of their index."""

    last: ClassVar[bool] = True
    ids: tuple[str, ...]

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> Event:
        return cls(tuple(values["ids"]))


@dataclass(frozen=True)
class Failed(Event):
    """The job ended without its outputs: an error, or somebody stopped it."""

    last: ClassVar[bool] = True
    error: ErrorRecord


EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Queued, Paused, Loading, Step, TextDelta, Sealed, Done, Failed)
}
