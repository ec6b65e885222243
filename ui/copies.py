"""How an output would be ordered again elsewhere: each way's exact words, from the fields alone."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterator, Mapping

from studio.artifact import Artifact
from studio.fields import FieldSpec, Value, fields_of
from studio.origin import again
from studio.tasks import TASKS, Task

Given = list[tuple[FieldSpec, Value]]


def copies(artifact: Artifact, url: str) -> Mapping[str, str]:
    """The order that makes `artifact` again, for every way of ordering.

    By command line, Python, HTTP (to the studio at `url`), batch table and Discord; nothing for a
    task that this studio does not have any more.
    """
    task = TASKS.get(artifact.note.task)
    if task is None:
        return {}
    given = _given(artifact, task)
    return {
        "cli": _command(task, given),
        "python": _python(task, given),
        "curl": _curl(task, given, url),
        "batch": _row(task, given),
        "discord": _slash(task, given),
    }


def _given(artifact: Artifact, task: Task) -> Given:
    """Every field that was filled in, defaults too: they may change, and the order must not."""
    values = again(artifact.note, task)
    return [
        (spec, values[spec.name])
        for spec in fields_of(task.request)
        if values.get(spec.name) not in (None, "", [], ())
    ]


def _text(value: Value) -> str:
    """`value` as `FieldSpec.parse` reads it back."""
    if isinstance(value, list | tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _command(task: Task, given: Given) -> str:
    options: list[str] = []
    subject: list[str] = []
    for spec, value in given:
        name = f"--{spec.name.replace('_', '-')}"
        each = [_text(one) for one in (value if isinstance(value, list | tuple) else [value])]
        if spec.name == task.positional:
            subject = each
        elif spec.type == "boolean":
            options.append(name if value else f"--no-{name[2:]}")
        else:
            options += [part for one in each for part in (name, one)]
    # After `--` nothing is an option, whatever a prompt begins with.
    return shlex.join(["studio", "make", task.id, *options, "--", *subject])


def _python(task: Task, given: Given) -> str:
    lines = [f"        {spec.name}={value!r}," for spec, value in given]
    return "\n".join(
        [
            "from studio import Studio",
            "",
            "with Studio() as studio:",
            "    studio.make(",
            f"        {task.id!r},",
            *lines,
            "    )",
        ]
    )


def _curl(task: Task, given: Given, url: str) -> str:
    body = json.dumps({spec.name: value for spec, value in given}, ensure_ascii=False)
    header = "Content-Type: application/json"
    place = f"{url.rstrip('/')}/api/v1/{task.id}"
    return shlex.join(["curl", "--fail-with-body", place, "-H", header, "-d", body])


def _row(task: Task, given: Given) -> str:
    table = io.StringIO()
    csv.writer(table).writerows(
        [
            ["task", *(spec.name for spec, _ in given)],
            [task.id, *(_text(value) for _, value in given)],
        ]
    )
    return table.getvalue()


def _slash(task: Task, given: Given) -> str:
    def options() -> Iterator[str]:
        for spec, value in given:
            # A file is attached there, not named; and an option is one line.
            if spec.media is None:
                yield f"{spec.name}:{' '.join(_text(value).split())}"

    return " ".join([f"/{task.verb}", *options()])
