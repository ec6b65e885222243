"""A run: one recipe, or one table of orders, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from studio.errors import ErrorRecord
from studio.fields import Value


class RunState(StrEnum):
    """Where a run is."""

    #: It goes on, also after a restart.
    RUNNING = "running"
    #: Every row has ended, well or badly.
    DONE = "done"
    #: Somebody stopped it; it can be taken up again.
    STOPPED = "stopped"


class StepState(StrEnum):
    """How one step, or one row, ended; `WAITING` until it has."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    #: The recipe left it out: its `when` came to nothing, or what it needs was left out.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Run:
    """One run, as its owner sees it."""

    #: 128 bits in hex.
    id: str
    owner: str
    #: The recipe's name, or the table's.
    name: str
    #: Seconds since the epoch.
    created: float
    state: RunState
    #: How many rows there are, and how many of them have ended well and badly.
    total: int
    done: int = 0
    failed: int = 0

    def record(self) -> dict[str, Any]:
        """The run as plain JSON."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The run that `record` describes."""
        return cls(**{**record, "state": RunState(record["state"])})


@dataclass(frozen=True)
class Made:
    """How one step of one row went."""

    step: str
    state: StepState
    #: How often it was ordered anew.
    attempt: int = 0
    job: str | None = None
    #: The seed of its first output; the next ones count up.
    seed: int | None = None
    artifacts: tuple[str, ...] = ()
    error: ErrorRecord | None = None


@dataclass(frozen=True)
class Line:
    """One row of a run, and what has become of it."""

    #: Its place in the run, from 0.
    place: int
    #: The line of the table that it comes from.
    line: int
    #: The task, in a plain batch; None in a recipe.
    task: str | None
    values: Mapping[str, Value]
    state: StepState
    steps: tuple[Made, ...] = ()

    @property
    def artifacts(self) -> tuple[str, ...]:
        """All that its steps have made, in their order."""
        return tuple(artifact for made in self.steps for artifact in made.artifacts)

    @property
    def error(self) -> ErrorRecord | None:
        """Why it failed, by the first step that did."""
        return next((made.error for made in self.steps if made.error), None)

    def record(self) -> dict[str, Any]:
        """The line as plain JSON."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The line that `record` describes."""
        steps = tuple(
            Made(
                **{
                    **made,
                    "state": StepState(made["state"]),
                    "artifacts": tuple(made["artifacts"]),
                }
            )
            for made in record["steps"]
        )
        return cls(**{**record, "state": StepState(record["state"]), "steps": steps})
