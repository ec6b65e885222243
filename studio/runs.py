"""Runs as their owner uses them: batches and recipes, begun, watched, stopped, taken up again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from studio.fields import Value
from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import Line, Run, StepState


@dataclass(frozen=True)
class Plan:
    """What a run is to make: a recipe once for each of its rows, or each row's own order."""

    #: What people call it: the recipe's name, or the table's.
    name: str
    recipe: Recipe | None = None
    #: In a plain batch, the task of rows that name none.
    task: str | None = None
    #: In a plain batch, fields that rows leave open.
    defaults: Mapping[str, Value] | None = None
    #: Leave out rows that are wrong, instead of refusing them all.
    skip_bad: bool = False
    #: Only say what would be wrong; keep and make nothing.
    dry: bool = False
    #: An earlier run, of a recipe that was changed since: what it has made is kept, where neither
    #: the step nor anything that goes into it has changed.
    revises: str | None = None

    def record(self) -> dict[str, Any]:
        """The plan as plain JSON."""
        recipe = None if self.recipe is None else self.recipe.record()
        return {
            "name": self.name,
            "recipe": recipe,
            "task": self.task,
            "defaults": dict(self.defaults or {}),
            "skip_bad": self.skip_bad,
            "dry": self.dry,
            "revises": self.revises,
        }

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Plan:
        """The plan that `record` describes."""
        recipe = record.get("recipe")
        return Plan(**{**record, "recipe": None if recipe is None else Recipe.of(recipe)})


@dataclass(frozen=True)
class Forecast:
    """What a run is going to take on this machine, by what was measured here before."""

    #: How many outputs there will be, by task and card. Steps that need what others have made are
    #: not among them.
    outputs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    #: Of those outputs whose like has been made here.
    seconds: float = 0.0
    #: How many outputs there are of whose speed nothing is known.
    unknown: int = 0
    #: Bytes of all outputs, if they are as large as one's earlier ones by the same models.
    size: int = 0

    def __add__(self, other: Forecast) -> Forecast:
        """Both together."""
        outputs = dict(self.outputs)
        for which, count in other.outputs.items():
            outputs[which] = outputs.get(which, 0) + count
        return Forecast(
            outputs,
            self.seconds + other.seconds,
            self.unknown + other.unknown,
            self.size + other.size,
        )

    def record(self) -> dict[str, Any]:
        """The forecast as plain JSON, its outputs as `[task, card, count]`."""
        return {**asdict(self), "outputs": [[*which, n] for which, n in self.outputs.items()]}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Forecast:
        """The forecast that `record` describes."""
        outputs = {(task, card): count for task, card, count in record["outputs"]}
        return Forecast(**{**record, "outputs": outputs})


@dataclass(frozen=True)
class Begun:
    """A run that was accepted, and what was wrong with the rows that were left out."""

    run: Run
    problems: tuple[str, ...] = ()
    #: What it will take, if it was only to be said.
    forecast: Forecast | None = None

    def record(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {
            "run": self.run.record(),
            "problems": self.problems,
            "forecast": None if self.forecast is None else self.forecast.record(),
        }

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Begun:
        """What `record` describes."""
        forecast = record["forecast"]
        return Begun(
            Run.from_record(record["run"]),
            tuple(record["problems"]),
            None if forecast is None else Forecast.from_record(forecast),
        )


class Runs(Protocol):
    """What one owner can do with runs. Somebody else's run is `NotFound`."""

    async def begin(self, plan: Plan, rows: Iterable[Row], *, key: str | None = None) -> Begun:
        """Accept a run; when this returns, it is stored, and goes on by itself to its end.

        The same `key` is the same run, however often it is sent: the rows are not read then.

        Raises:
            InvalidRequest: naming the lines that are wrong; nothing was stored.
        """

    async def run(self, run: str) -> Run:
        """The run with this id, as it is now."""

    async def runs(self, *, limit: int = 50, before: str | None = None) -> list[Run]:
        """One's own runs, newest first; `before` is the id of the last one already seen."""

    async def lines(
        self, run: str, *, limit: int = 100, after: int = -1, state: StepState | None = None
    ) -> list[Line]:
        """The rows of a run behind the place `after`, and what has become of each."""

    async def recipe(self, run: str) -> Recipe | None:
        """The recipe that a run carries out; None for a plain batch."""

    async def stop_run(self, run: str) -> Run:
        """Stop a run and its jobs; what is made stays made."""

    async def resume_run(self, run: str) -> Run:
        """Take up a stopped run, and order anew whatever failed."""

    async def redo(self, run: str, place: int, step: str) -> Run:
        """Order one step of one row anew, and everything that needs it."""
