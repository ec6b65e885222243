"""`studio recipe`: chains of jobs across media."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import click

from studio.client import Studio
from studio.commands.batch import LOOK, carry_out, foretell, parse_settings, report
from studio.commands.tasks import limits
from studio.errors import InvalidRequest, StudioError
from studio.export import Export, holds
from studio.fields import Value
from studio.origin import written
from studio.recipes import shipped
from studio.recipes.document import Recipe
from studio.recipes.rows import Row, read
from studio.recipes.run import RunState
from studio.runs import Plan


@click.group()
def recipe() -> None:
    """Run chains of jobs across media; list them, show them, make one from an output."""


@recipe.command("list")
def list_recipes() -> None:
    """List the recipes that ship with the studio."""
    for name in shipped.names():
        found = shipped.recipe(name)
        click.echo(f"{name:<16} {found.title}: {found.description}")


@recipe.command()
@click.argument("name", metavar="NAME|FILE")
def show(name: str) -> None:
    """Print a recipe with its inputs; the text is a file to copy and change."""
    click.echo(shipped.text(name), nl=False)
    click.echo("# inputs:")
    for spec in shipped.recipe(name).specs():
        click.echo(f"#   {spec.name}: {spec.description or spec.title} {limits(spec)}".rstrip())


@recipe.command()
@click.argument("name", metavar="NAME|FILE")
@click.option("--set", "settings", metavar="INPUT=VALUE", multiple=True, help="An input's value.")
@click.option(
    "--rows", type=click.Path(path_type=Path), help="A table: the recipe is run once per row."
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to."
)
@click.option("--retry-failed", is_flag=True, help="Order anew what failed before.")
@click.option("--dry-run", is_flag=True, help="Check everything, and make nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def run(
    name: str,
    settings: tuple[str, ...],
    rows: Path | None,
    out: Path,
    retry_failed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Carry out a recipe; killed or stopped, the same command goes on where it was."""
    follow(shipped.recipe(name), settings, rows, out, retry_failed, dry_run, as_json)


def follow(
    found: Recipe,
    settings: tuple[str, ...],
    rows: Path | None,
    out: Path,
    retry_failed: bool,
    dry_run: bool,
    as_json: bool,
    *,
    revise: bool = False,
) -> None:
    """Carry out a recipe to its end, or go on where an earlier command was.

    If `revise`, what lies in `out` from an earlier form of the recipe is kept or replaced.
    """
    given = parse_settings(settings, found.specs())
    table = [Row(1, given)] if rows is None else (_over(row, given) for row in read(rows))
    with Studio() as studio:
        files = (_uploaded(studio, found, row) for row in table)
        earlier = holds(out) if revise else None
        plan = Plan(found.name, recipe=found, dry=dry_run, revises=earlier)
        key = None if dry_run else _key(found, given, rows, out)
        began = studio.begin(plan, files, key=key)
        if dry_run:
            foretell(began, as_json)
            return
        pattern = "{step}-{index}" if rows is None else "{row}-{step}-{index}"
        export = Export(out, began.run, pattern, instead_of=earlier)
        ended = carry_out(studio, began.run, export, retry_failed)
    report(ended, out, as_json)


@recipe.command("runs")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def list_runs(as_json: bool) -> None:
    """List the latest runs, recipes and batches, newest first."""
    with Studio() as studio:
        runs = studio.runs()
    if as_json:
        click.echo(json.dumps([run.record() for run in runs], indent=2, ensure_ascii=False))
        return
    for one in runs:
        failed = f", {one.failed} failed" if one.failed else ""
        click.echo(f"{one.id}  {one.state:<8} {one.done} of {one.total}{failed}  {one.name}")


@recipe.command()
@click.argument("run_id", metavar="RUN")
@click.argument("step")
@click.option("--row", default=1, show_default=True, help="Which of the run's rows, from 1.")
def redo(run_id: str, step: str, row: int) -> None:
    """Make one STEP of a RUN again, and everything that needs it.

    A step whose seed the recipe fixes comes out as it was; the others get another. The command that
    began the run then fetches what is new.
    """
    with Studio() as studio:
        begun = studio.redo(run_id, row - 1, step)
        while begun.state is RunState.RUNNING:
            time.sleep(LOOK)
            begun = studio.run(run_id)
        (line,) = studio.lines(run_id, limit=1, after=row - 2)
    for made in line.steps:
        click.echo(f"{made.step:<16} {made.state:<8} {' '.join(made.artifacts)}".rstrip())
    if line.error is not None:
        raise StudioError.from_record(line.error)


@recipe.command("from")
@click.argument("artifact")
def from_artifact(artifact: str) -> None:
    """Print the recipe that makes ARTIFACT again from its own beginnings, prompts as inputs."""
    with Studio() as studio:
        click.echo(written(studio.origin(artifact)), nl=False)


def _over(row: Row, given: dict[str, Value]) -> Row:
    return Row(row.line, {**given, **{k: v for k, v in row.cells.items() if v not in (None, "")}})


def _uploaded(studio: Studio, found: Recipe, row: Row) -> Row:
    """The row, files among its media inputs handed to the studio and replaced by their ids."""
    cells = dict(row.cells)
    for spec in found.specs():
        path = Path(str(cells.get(spec.name) or ""))
        if spec.media is not None and path.is_file():
            cells[spec.name] = studio.upload(path).id
    return Row(row.line, cells)


def _key(found: Recipe, given: dict[str, Value], rows: Path | None, out: Path) -> str:
    try:
        table = "" if rows is None else hashlib.sha256(rows.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidRequest(
            f"{rows} cannot be read: {error.strerror}.", hint="Name a table that is there."
        ) from None
    asked = [found.record(), given, table, str(out.resolve())]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
