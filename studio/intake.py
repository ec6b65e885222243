"""What comes in for a run: rows become lines whose orders have been checked, before any begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from studio.errors import InvalidRequest, StudioError
from studio.fields import Value, fields_of
from studio.recipes.document import Recipe, Step
from studio.recipes.references import Reference, fill
from studio.recipes.rows import Row
from studio.recipes.run import Line, Made, StepState
from studio.runs import Forecast, Plan
from studio.tasks import find_task

#: How many errors of a table are told at once.
MOST_ERRORS = 50

#: What a condition's value is where it means no.
_NO = (None, "", False, 0, "false", "no", "0")


class Intake:
    """One run's rows on their way in."""

    def __init__(self, plan: Plan, check: Callable[[str, Mapping[str, Value]], Forecast]) -> None:
        """`check` takes a task and values; it refuses what `submit` would, or foretells."""
        self._plan = plan
        self._check = check
        #: What is wrong with rows, as far as they were read.
        self.problems: list[str] = []
        #: What the good ones take.
        self.forecast = Forecast()

    def lines(self, rows: Iterable[Row]) -> Iterator[Line]:
        """The good rows as lines.

        Raises:
            InvalidRequest: at the end, if bad ones are not to be skipped, or none is good.
        """
        place = 0
        for row in rows:
            try:
                task, values = self._order(row)
            except StudioError as error:
                self.problems.append(f"line {row.line}: {error.message}")
                continue
            yield Line(place, row.line, task, values, StepState.WAITING)
            place += 1
        if self.problems and (not self._plan.skip_bad or not place):
            more = len(self.problems) - MOST_ERRORS
            told = self.problems[:MOST_ERRORS] + ([f"and {more} more"] if more > 0 else [])
            raise InvalidRequest(
                f"{len(self.problems)} rows are wrong:\n" + "\n".join(told),
                hint="Mend them, or go on without them with --skip-bad. Nothing was made.",
            )
        if not place:
            raise InvalidRequest("There is nothing to make.", hint="Write at least one row.")

    def _order(self, row: Row) -> tuple[str | None, dict[str, Value]]:
        """The task and fields that a row asks for; of a recipe, its inputs."""
        if self._plan.recipe is None:
            task, values = _plain(row, self._plan)
            self.forecast += self._check(task, values)
            return task, values
        inputs = self._plan.recipe.values(row.cells)
        known = {Reference(name): value for name, value in inputs.items()}
        # Only the steps that take inputs alone can be judged before anything is made.
        for step in self._plan.recipe.steps.values():
            if step.needs() <= known.keys() and holds(step, known):
                self.forecast += self._check(step.task, filled(step, known))
        return None, inputs


def filled(step: Step, values: Mapping[Reference, Value]) -> dict[str, Value]:
    """The step's fields; texts that came out of references are read as their field's type."""
    specs = {spec.name: spec for spec in fields_of(find_task(step.task).request)}
    fields: dict[str, Value] = {}
    for name, template in step.fields.items():
        value = fill(template, values)
        text = isinstance(value, str) and specs[name].type not in ("text", "choice", "model")
        fields[name] = specs[name].parse(value) if text and isinstance(value, str) else value
    return fields


def holds(step: Step, values: Mapping[Reference, Value]) -> bool:
    """Whether the step's condition, if it has one, means yes."""
    return step.when is None or fill(step.when, values) not in _NO


def unchanged(recipe: Recipe, line: Line, before: Recipe, earlier: Line) -> Iterator[Made]:
    """What an earlier form of a recipe has made and this one would make no differently.

    A step stays if it is the same, and so is everything that goes into it.
    """
    done = {made.step: made for made in earlier.steps if made.state is StepState.DONE}
    kept: set[str] = set()
    for name, needs in recipe.needed().items():
        step = recipe.steps[name]
        inputs = {reference.name for reference in step.needs()} & recipe.inputs.keys()
        same = all(line.values.get(one) == earlier.values.get(one) for one in inputs)
        if name in done and step == before.steps.get(name) and needs <= kept and same:
            kept.add(name)
            yield done[name]


def _plain(row: Row, plan: Plan) -> tuple[str, dict[str, Value]]:
    """The task and the fields that a row of a plain batch asks for."""
    given = {name: cell for name, cell in row.cells.items() if cell not in (None, "")}
    cells = {**(plan.defaults or {}), **given}
    named = str(cells.pop("task", None) or plan.task or "")
    if not named:
        raise InvalidRequest(
            "it names no task.", hint="Add a column 'task', or name one with --task."
        )
    found = find_task(named)
    specs = {spec.name: spec for spec in fields_of(found.request)}
    values: dict[str, Value] = {}
    for name, cell in cells.items():
        if name not in specs:
            raise InvalidRequest(
                f"{found.id} has no field {name!r}.",
                hint=f"Its fields are: {', '.join(specs)}.",
            )
        values[name] = specs[name].parse(cell) if isinstance(cell, str) else cell
    return found.id, values
