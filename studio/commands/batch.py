"""`studio batch`: a table of orders, carried out to the last row."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from studio.artifact import Artifact
from studio.client import Studio
from studio.errors import Cancelled, InvalidRequest, NotFound
from studio.export import NAME, Export, entries
from studio.fields import FieldSpec, Value, fields_of
from studio.recipes.rows import Row, read
from studio.recipes.run import Line, Run, RunState, StepState
from studio.runs import Begun, Forecast, Plan
from studio.tasks import find_task

#: Seconds between looks at a run.
LOOK = 0.25

#: The exit status where rows failed.
FAILED = 6
#: How many pictures one contact sheet shows.
_ON_A_SHEET = 100


@click.command()
@click.argument("table", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--task", help="The task of rows that name none in a column 'task'.")
@click.option(
    "--set",
    "settings",
    metavar="FIELD=VALUE",
    multiple=True,
    help="A field for every row that leaves it open; as often as you like.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; a folder of the table's name unless you say otherwise.",
)
@click.option("--name", default=NAME, show_default=True, help="Pattern of the file names.")
@click.option("--skip-bad", is_flag=True, help="Leave out rows that are wrong.")
@click.option("--retry-failed", is_flag=True, help="Order anew what failed before.")
@click.option("--dry-run", is_flag=True, help="Check every row and say what would be made.")
@click.option("--sheet", is_flag=True, help="Make a signed contact sheet of the pictures, too.")
@click.option("--verify", is_flag=True, help="Check every file at the end, and note the verdicts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def batch(
    table: Path,
    task: str | None,
    settings: tuple[str, ...],
    out: Path | None,
    name: str,
    skip_bad: bool,
    retry_failed: bool,
    dry_run: bool,
    sheet: bool,
    verify: bool,
    as_json: bool,
) -> None:
    """Make what the rows of FILE (.csv, .tsv, .jsonl, .yaml) ask for.

    Columns are the fields of the task. `{red|blue}`, `{1..4}` and `{files:photos/*.png}` in a cell
    make a row for each. Nothing begins before every row has been checked. Killed or stopped, the
    same command goes on where it was, and makes nothing twice.
    """
    defaults = parse_settings(settings, fields_of(find_task(task).request) if task else ())
    out = out or Path(table.stem)
    plan = Plan(table.stem, task=task, defaults=defaults, skip_bad=skip_bad, dry=dry_run)
    with Studio() as studio:
        key = None if dry_run else _key(table, plan, out)
        began = studio.begin(plan, with_files(studio, read(table), task), key=key)
        for problem in began.problems:
            click.echo(f"studio: left out: {problem}", err=True)
        if dry_run:
            foretell(began, as_json)
            return
        run = carry_out(studio, began.run, Export(out, began.run, name), retry_failed, verify)
        if sheet:
            for path in sheets(studio, run, out):
                click.echo(path, err=as_json)
    report(run, out, as_json)


def parse_settings(settings: tuple[str, ...], specs: tuple[FieldSpec, ...]) -> dict[str, Value]:
    """`name=value` texts as values, each read as its field's type where that is known."""
    known = {spec.name: spec for spec in specs}
    values: dict[str, Value] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InvalidRequest(f"--set {setting!r} has no '='.", hint="Write --set steps=8.")
        values[name] = known[name].parse(text) if name in known else text
    return values


def with_files(studio: Studio, rows: Iterator[Row], task: str | None) -> Iterator[Row]:
    """The rows, files in media columns handed to the studio and replaced by their ids."""
    ids: dict[str, str] = {}

    def brought(given: str | list[str], spec: FieldSpec) -> Value:
        if spec.type == "list":
            several = given if isinstance(given, list) else given.split(",")
            alone = replace(spec, type="text")
            return [str(brought(one.strip(), alone)) for one in several]
        path = str(given)
        if path not in ids and Path(path).is_file():
            ids[path] = studio.upload(Path(path)).id
        return ids.get(path, path)

    for row in rows:
        named = row.cells.get("task") or task
        cells = dict(row.cells)
        for spec in fields_of(find_task(str(named)).request) if named else ():
            if spec.media is not None and (given := cells.get(spec.name)):
                cells[spec.name] = brought(given if isinstance(given, list) else str(given), spec)
        yield Row(row.line, cells)


def carry_out(
    studio: Studio, run: Run, export: Export, retry_failed: bool = False, verify: bool = False
) -> Run:
    """Follow a run to its end and fill its folder; Ctrl-C stops it."""
    if run.state is RunState.STOPPED or (retry_failed and run.failed):
        run = studio.resume_run(run.id)
    try:
        with tqdm(total=run.total, unit="row", disable=not sys.stderr.isatty()) as bar:
            export.tables(_records(studio, run, export, bar, verify))
    except KeyboardInterrupt:
        studio.stop_run(run.id)
        raise Cancelled("Stopped; the same command goes on where it was.") from None
    return studio.run(run.id)


def sheets(studio: Studio, run: Run, out: Path) -> Iterator[Path]:
    """Signed contact sheets of all the pictures that a run has made, in its folder."""
    pictures: list[tuple[str, str]] = []
    after = -1
    while lines := studio.lines(run.id, limit=200, after=after):
        after = lines[-1].place
        for line in lines:
            caption = str(line.values.get("prompt", f"row {line.place + 1}"))
            pictures += [
                (identity, caption)
                for identity in line.artifacts
                if (artifact := _kept(studio, identity)) and artifact.kind == "image"
            ]
    for number in range(0, len(pictures), _ON_A_SHEET):
        part = pictures[number : number + _ON_A_SHEET]
        (result,) = studio.make(
            "contact-sheet",
            images=[identity for identity, _ in part],
            captions=[caption[:300] for _, caption in part],
            title=run.name[:200],
            columns=min(8, max(4, round(len(part) ** 0.5))),
        )
        yield Path(shutil.copy(result.path, out / f"contact-sheet-{number // _ON_A_SHEET + 1}.png"))


def report(run: Run, out: Path, as_json: bool) -> None:
    """Say how a run ended; the exit status says whether any row failed."""
    if as_json:
        click.echo(json.dumps(run.record(), indent=2, ensure_ascii=False))
    else:
        click.echo(f"{run.done} of {run.total} rows done; {out / 'index.html'}")
        if run.failed:
            click.echo(f"{run.failed} failed: see results.csv, then try --retry-failed", err=True)
    if run.failed:
        sys.exit(FAILED)


def _records(
    studio: Studio, run: Run, export: Export, bar: Any, verify: bool
) -> Iterator[dict[str, Any]]:
    """The results row by row, in the table's order, each as soon as it is there."""
    after = -1
    while after < run.total - 1:
        ready = 0
        for line in studio.lines(run.id, limit=200, after=after):
            if line.state is StepState.WAITING:
                break
            yield from _saved(studio, line, export, verify)
            after, ready = line.place, ready + 1
            bar.update()
        if not ready:
            if studio.run(run.id).state is RunState.STOPPED:
                raise Cancelled("The run was stopped; the same command goes on where it was.")
            time.sleep(LOOK)


def _saved(studio: Studio, line: Line, export: Export, verify: bool) -> Iterator[dict[str, Any]]:
    """The results of a row, whose files are in the folder by then."""
    for step, index, identity in entries(line):
        artifact = identity and _kept(studio, identity)
        if not artifact:
            yield export.record(line, step)
            continue
        target = export.place(line, step, index, artifact)
        if not export.has(target, artifact):
            export.fill(studio.fetch(artifact.id), target, artifact, studio.companion(artifact.id))
        record = export.record(line, step, target, artifact)
        if verify:
            record["verdict"] = studio.verify(target).outcome
        yield record


def _kept(studio: Studio, identity: str) -> Artifact | None:
    """The output, unless somebody has thrown it away since."""
    try:
        return studio.artifact(identity)
    except NotFound:
        return None


def _key(table: Path, plan: Plan, out: Path) -> str:
    """What makes it the same batch: the table's bytes, what is asked of it, and the folder."""
    try:
        content = hashlib.sha256(table.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidRequest(
            f"{table} cannot be read: {error.strerror}.", hint="Name a table that is there."
        ) from None
    asked = [content, plan.task, dict(plan.defaults or {}), plan.skip_bad, str(out.resolve())]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def foretell(begun: Begun, as_json: bool) -> None:
    """Say what would be made, how long that would take and how large it would be."""
    forecast = begun.forecast or Forecast()
    if as_json:
        click.echo(json.dumps({"rows": begun.run.total, **forecast.record()}, indent=2))
        return
    click.echo(f"{begun.run.total} rows are right. Nothing was made.")
    for (task, card), count in forecast.outputs.items():
        click.echo(f"  {count} × {task} by {card}")
    if forecast.seconds:
        length, size = _length(forecast.seconds), forecast.size / 1e6
        click.echo(f"  about {length} on this machine, about {size:.1f} MB")
    if forecast.unknown:
        click.echo(f"  of {forecast.unknown} nothing is known yet: none alike was made here")


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
