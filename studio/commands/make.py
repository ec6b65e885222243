"""`studio make`: one subcommand per task, its options derived from the task's fields."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from studio.async_studio import Given, Result
from studio.client import Studio
from studio.commands.tasks import limits
from studio.elsewhere import Cost
from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.fields import FieldSpec, fields_of
from studio.job import Event, Loading, Queued, Sealed, Step, TextDelta
from studio.tasks import TASKS, Task, find_task

_ID = re.compile("[0-9a-f]{32}")


class Tasks(click.Group):
    """The tasks as subcommands, by id or verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every task's id."""
        return list(TASKS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command that makes what the task called `cmd_name` makes."""
        try:
            return command_for(find_task(cmd_name))
        except NotFound as error:
            raise InvalidRequest(error.message, hint=error.hint) from None


@click.command(cls=Tasks)
def make() -> None:
    """Make something: `studio make text-to-image "a yellow star" --seed 7`."""


def command_for(task: Task) -> click.Command:
    """The command for one task: its first required field by place, the others as options."""
    specs = fields_of(task.request)
    params: list[click.Parameter] = [_parameter(spec, task.positional) for spec in specs]
    params += [
        click.Option(
            ["--out"],
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder for the finished files; without it they stay in the studio.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON instead of text."),
    ]
    return click.Command(task.id, params=params, callback=_run(task, specs), help=task.description)


def _parameter(spec: FieldSpec, positional: str) -> click.Parameter:
    # Values arrive as text and are read by `FieldSpec.parse`, so that a wrong one ends with the
    # same message and status here as everywhere else.
    many = spec.type == "list"
    if spec.name == positional:
        return click.Argument([spec.name], nargs=-1 if many else 1, required=True)
    name = "--" + spec.name.replace("_", "-")
    note = f"{spec.description} {limits(spec)}".strip()
    if spec.type == "boolean":
        return click.Option([f"{name}/--no-{name[2:]}", spec.name], default=None, help=note)
    metavar = "FILE|ID" if spec.media else spec.type.upper()
    # None rather than nothing, so that a list that was left alone is one like any field.
    return click.Option(
        [name, spec.name], metavar=metavar, help=note, multiple=many, default=None,
        callback=lambda _context, _parameter, given: given if given != () else None,
    )  # fmt: skip


def _run(task: Task, specs: tuple[FieldSpec, ...]) -> Callable[..., None]:
    def run(out: Path | None, as_json: bool, **given: Any) -> None:
        values = {
            spec.name: _read(spec, given[spec.name])
            for spec in specs
            if given[spec.name] is not None
        }
        if out is not None:
            _writable(out)
        with Studio() as studio, _Bar(as_json) as bar:
            if cost := _foreseen(studio, task, values):
                click.echo(f"studio: this runs elsewhere and costs about {cost}.", err=True)
            results = studio.make(task.id, on_event=bar.show, **values)
            for remark in studio.job(results[0].artifact.note.job).remarks:
                click.echo(f"studio: {remark.sentence}", err=True)
            paths = [result.save(out) if out else result.path for result in results]
        if as_json:
            records = [_record(result, path) for result, path in zip(results, paths, strict=True)]
            click.echo(json.dumps(records, indent=2, ensure_ascii=False))
        else:
            for path in paths:
                click.echo(path)

    return run


def _foreseen(studio: Studio, task: Task, values: dict[str, Any]) -> Cost | None:
    """What the order costs, if it names a model that runs elsewhere and whose prices are known."""
    for model in studio.cards() if "model" in values else ():
        if model.card.name == values["model"] and model.card.studio.prices is not None:
            usual = {spec.name: spec.default for spec in model.card.fields(task)}
            return model.card.studio.prices.foreseen(usual | values)
    return None


def _read(spec: FieldSpec, given: Any) -> Given:
    """What was given for a field: for media files' paths, unless they can only be ids."""
    if isinstance(given, tuple):
        return [Path(one) if spec.media and not _ID.fullmatch(one) else one for one in given]
    if spec.media is not None and not _ID.fullmatch(given):
        return Path(given)
    return spec.parse(given) if isinstance(given, str) else given


def _record(result: Result, path: Path) -> dict[str, Any]:
    return {
        "id": result.artifact.id,
        "path": str(path),
        "media_type": result.artifact.media_type,
        "seed": result.seed,
        "card": result.card,
        "job": result.artifact.note.job,
    }


def _writable(folder: Path) -> None:
    """Make `folder`, before any work is done for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"The folder {folder} cannot be made: {error.strerror}.",
            hint="Choose another with --out.",
        ) from None


class _Bar:
    """What happens meanwhile, on stderr: a text as it is written, and a bar in a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._writing = False
        self._bar = tqdm(
            disable=quiet or not sys.stderr.isatty(),
            file=sys.stderr,
            leave=False,
            bar_format="{desc} {bar} {n_fmt}/{total_fmt} {elapsed}",
        )

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, event: Event) -> None:
        """Show what the event says."""
        match event:
            case Queued(ahead=ahead):
                self._bar.set_description_str(f"waiting, {ahead} ahead")
            case Loading(card=card):
                self._bar.set_description_str(f"loading {card}")
            case Step(done=done, total=total, index=index):
                self._bar.set_description_str(f"making {index + 1}")
                self._bar.total, self._bar.n = total, done
                self._bar.refresh()
            case TextDelta(text=text) if not self._quiet:
                # Not on standard output, where scripts read where the file lies.
                self._bar.clear()
                click.echo(text, nl=False, err=True)
                self._writing = True
            case Sealed(index=index):
                if self._writing:
                    click.echo(err=True)
                self._writing = False
                self._bar.set_description_str(f"signed {index + 1}")
            case _:
                pass
