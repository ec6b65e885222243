"""A run's results in a folder: the signed files under names of one's own, a table, a contact sheet.

Everything here is derived from what is published, so it can be made again at any time: a folder
that was left half filled is filled up, and a file that is there already is not fetched again.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from markupsafe import Markup, escape

from studio.artifact import Artifact
from studio.errors import InvalidRequest, Unavailable
from studio.formats import EXTENSIONS
from studio.recipes.run import Line, Run

#: What a name is made of unless one says otherwise.
NAME = "{row}-{index}"
#: The longest part of a name that comes from one column, in characters.
MOST_CHARACTERS = 60

_CLAIM = ".colophon-run"
_UNFIT = re.compile(r"[^\w .,+=@()\-]+")


class Export:
    """One run's folder."""

    def __init__(
        self, folder: Path, run: Run, name: str = NAME, *, instead_of: str | None = None
    ) -> None:
        """Take `folder`, made if need be, for `run`; `name` is the pattern of file names.

        A folder that holds the results of the run `instead_of` is taken over.

        A pattern may hold `{row}`, `{index}`, `{seed}`, `{task}`, `{card}`, `{step}`, `{id}` and
        the name of any column, numbers also as `{index:03d}`; a `/` in it makes a folder below.

        Raises:
            InvalidRequest: if the pattern is wrong, or the folder holds another run's results.
            Unavailable: if the folder cannot be written.
        """
        self._folder, self._run, self._name = folder, run, name
        self._names = _Names(len(str(run.total)))
        #: Which output has which name, in this pass through the run.
        self._taken: dict[Path, str] = {}
        try:
            self._fields = {
                field for _, field, _, _ in self._names.parse(name) if field is not None
            }
            # Now, and not at the first output: only what a column holds is not known yet.
            self._names.vformat(name, (), dict.fromkeys(self._fields, _Either()) | _LIKE)
        except _UNFORMATTED as error:
            raise InvalidRequest(
                f"--name {name!r} is no pattern: {error}.", hint=f"Write it like {NAME}."
            ) from None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            claim = folder / _CLAIM
            holder = holds(folder)
            if holder in (None, instead_of):
                claim.write_text(run.id, encoding="utf-8")
            elif holder != run.id:
                raise InvalidRequest(
                    f"{folder} holds the results of another run.",
                    hint="Choose another folder with --out.",
                )
        except OSError as error:
            raise _unwritable(folder, error) from None

    def place(self, line: Line, step: str, index: int, artifact: Artifact) -> Path:
        """Where an output of a row goes, below the folder.

        Raises:
            InvalidRequest: if the pattern names what the row has not, formats it as what it is
                not, or leads out of the folder.
        """
        values: dict[str, Any] = {
            **line.values,
            "row": line.place + 1,
            "line": line.line,
            "step": step,
            "index": index,
            "seed": artifact.note.seed,
            "task": artifact.note.task,
            "card": artifact.note.card,
            "id": artifact.id,
        }
        if unknown := self._fields - values.keys():
            raise InvalidRequest(
                f"--name: row {line.place + 1} has no {min(unknown)!r}.",
                hint=f"It has: {', '.join(sorted(values))}.",
            )
        try:
            name = self._names.vformat(self._name, (), values)
        except _UNFORMATTED as error:
            raise InvalidRequest(
                f"--name {self._name!r} does not suit row {line.place + 1}: {error}.",
                hint=f"Write it like {NAME}; only numbers take a format such as :03d.",
            ) from None
        relative = Path(f"{name}.{EXTENSIONS[artifact.media_type]}")
        root = self._folder.resolve()
        target = (root / relative).resolve()
        if relative.is_absolute() or not target.is_relative_to(root) or target == root:
            raise InvalidRequest(
                f"--name: row {line.place + 1} would lie outside {self._folder}.",
                hint="Leave out '..' and a leading '/'.",
            )
        # Rows may ask for one name; the second gets a number, the same in every pass.
        names = (target.with_stem(f"{target.stem} ({number})") for number in itertools.count(2))
        return next(
            name
            for name in itertools.chain([target], names)
            if self._taken.setdefault(name, artifact.id) == artifact.id
        )

    def has(self, target: Path, artifact: Artifact) -> bool:
        """Whether the file at its place is this very output."""
        if not target.is_file() or target.stat().st_size != artifact.size:
            return False
        with target.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256

    def fill(
        self, source: Path, target: Path, artifact: Artifact, companion: Path | None = None
    ) -> None:
        """Copy one published file to its place, whole or not at all, its manifest beside it."""
        try:
            if companion is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(companion, target.with_name(f"{target.name}.c2pa"))
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            shutil.copyfile(source, part)
            os.replace(part, target)
        except OSError as error:
            raise _unwritable(target, error) from None

    def tables(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write `results.jsonl`, `results.csv` and the contact sheet `index.html` anew.

        Each record is one output, or one row that has none: see `record`.
        """
        root = self._folder
        try:
            with (
                (root / "results.jsonl.part").open("w", encoding="utf-8") as lines,
                (root / "results.csv.part").open("w", encoding="utf-8", newline="") as cells,
                (root / "index.html.part").open("w", encoding="utf-8") as sheet,
            ):
                table = csv.DictWriter(cells, COLUMNS, extrasaction="ignore")
                table.writeheader()
                sheet.write(_HEAD.format(title=escape(self._run.name)))
                for record in records:
                    lines.write(json.dumps(record, ensure_ascii=False) + "\n")
                    table.writerow(
                        {**record, "values": json.dumps(record["values"], ensure_ascii=False)}
                    )
                    sheet.write(_figure(record))
                sheet.write("</main>\n")
            for name in ("results.jsonl", "results.csv", "index.html"):
                os.replace(root / f"{name}.part", root / name)
        except OSError as error:
            raise _unwritable(root, error) from None

    def record(
        self, line: Line, step: str = "", path: Path | None = None, artifact: Artifact | None = None
    ) -> dict[str, Any]:
        """One line of the results: an output, or a row that has none and why."""
        file = None if path is None else path.relative_to(self._folder.resolve()).as_posix()
        return record(line, step, file, artifact)


class _Names(Formatter):
    """Fills patterns of names; nothing that is filled in makes a folder."""

    def __init__(self, width: int) -> None:
        """A row's number has so many digits, unless the pattern says otherwise."""
        self._width = width

    def parse(self, pattern: str) -> Iterator[tuple[str, str | None, str | None, str | None]]:
        for literal, field, form, conversion in super().parse(pattern):
            bare = field == "row" and not form and not conversion
            yield literal, field, f"0{self._width}d" if bare else form, conversion

    def format_field(self, value: Any, form: str) -> str:
        return _plain(format(value, form) if form else value)


class _Either:
    """Stands for what a column may hold: a text or a number."""

    def __format__(self, form: str) -> str:
        try:
            return format("", form)
        except ValueError:
            return format(0, form)


#: What every row has, by what it is like.
_LIKE = {"row": 0, "line": 0, "index": 0, "seed": 0, "step": "", "task": "", "card": "", "id": ""}
#: What formatting says of a pattern that does not suit.
_UNFORMATTED = (ValueError, LookupError, TypeError, AttributeError)


def record(
    line: Line, step: str = "", file: str | None = None, artifact: Artifact | None = None
) -> dict[str, Any]:
    """One line of a run's results, as plain JSON; `file` says where the output is."""
    made = next((made for made in line.steps if made.step == step), None)
    error = made.error if made else line.error
    return {
        "row": line.place + 1,
        "line": line.line,
        "step": step,
        "state": made.state if made else line.state,
        "file": file,
        "artifact": artifact and artifact.id,
        "sha256": artifact and artifact.sha256,
        "media_type": artifact and artifact.media_type,
        "task": artifact.note.task if artifact else line.task,
        "card": artifact and artifact.note.card,
        "seed": artifact and artifact.note.seed,
        "job": made and made.job,
        "error": error and error["message"],
        "values": dict(line.values),
    }


def entries(line: Line) -> Iterator[tuple[str, int, str | None]]:
    """What a run's results tell of a row: the step, the number and the id of every output.

    What has no output is an entry without an id: a row that came to nothing, with an empty step, or
    a step that failed beside others.
    """
    if not line.artifacts:
        yield "", 0, None
    for made in line.steps:
        for index, identity in enumerate(made.artifacts):
            yield made.step, index, identity
        if line.artifacts and made.error is not None:
            yield made.step, 0, None


def holds(folder: Path) -> str | None:
    """The run whose results are in a folder; None if there are none."""
    claim = folder / _CLAIM
    return claim.read_text(encoding="utf-8").strip() if claim.exists() else None


COLUMNS = (
    "row", "line", "step", "state", "file", "artifact", "sha256", "media_type", "task", "card",
    "seed", "job", "verdict", "error", "values",
)  # fmt: skip

_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}
main {{ display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)) }}
figure {{ margin: 0 }}
img, video {{ width: 100%; border-radius: 6px }}
audio {{ width: 100% }}
figcaption {{ overflow-wrap: anywhere }}
small {{ opacity: .7 }}
.failed {{ border: 1px dashed; border-radius: 6px; padding: 1rem }}
</style>
<h1>{title}</h1>
<main>
"""


def _figure(record: Mapping[str, Any]) -> str:
    """One output, or one failure, in the contact sheet."""
    words = str(record["values"].get("prompt", record["file"] or ""))
    caption = Markup("{}<br><small>row {}{}</small>").format(
        words, record["row"], "" if record["seed"] is None else f", seed {record['seed']}"
    )
    if record["file"] is None:
        shown = Markup('<div class="failed">{}</div>').format(record["error"] or record["state"])
    else:
        kind = str(record["media_type"]).partition("/")[0]
        frame = {
            "image": '<a href="{0}"><img loading="lazy" src="{0}" alt="{1}"></a>',
            "audio": '<audio controls preload="none" src="{0}"></audio>',
            "video": '<video controls preload="none" src="{0}"></video>',
        }.get(kind, '<a href="{0}">{0}</a>')
        shown = Markup(frame).format(record["file"], words)  # noqa: S704 - our own constants
    return str(Markup("<figure>{}<figcaption>{}</figcaption></figure>\n").format(shown, caption))


def _plain(value: object) -> str:
    """A value as part of a file's name."""
    text = _UNFIT.sub("-", str("" if value is None else value)).strip(" .")
    return text[:MOST_CHARACTERS].rstrip(" .") or "_"


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{path} cannot be written: {error.strerror}.",
        hint="Make room or choose another folder; the same command goes on where it was.",
    )
