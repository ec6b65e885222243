"""Tables of orders: CSV, JSON Lines or YAML, read row by row, each cell expanded.

A column is a field of the request; `task` names another task for its row. In a text cell
`{red|blue}` stands for either, `{1..4}` and `{0.2..0.8..0.2}` for a range of numbers, and
`{files:photos/*.png}` for each file of a folder below the table's own; a row becomes one for every
combination. Other braces stay what they are.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from studio.errors import InvalidRequest
from studio.fields import Value

#: The most rows that one line of a table may become.
MOST_COMBINATIONS = 10_000
#: YAML is read as a whole; a longer table belongs in CSV or JSON Lines, which are streamed.
MOST_YAML_BYTES = 4_000_000
#: The longest cell or line, in characters.
MOST_CHARACTERS = 200_000

_CHOICE = re.compile(r"\{([^{}]*)\}")
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?")


@dataclass(frozen=True)
class Row:
    """One order of a table."""

    #: The line of the file that it comes from, as an editor counts.
    line: int
    #: What the columns say; texts where the table holds nothing else.
    cells: Mapping[str, Value]


def read(path: Path) -> Iterator[Row]:
    """The rows of a table, one by one, its cells expanded; blank lines and rows are left out.

    Raises:
        InvalidRequest: for a file that cannot be read, at the row where that shows.
    """
    reader = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".yaml": _yaml, ".yml": _yaml}.get(
        path.suffix.lower()
    )
    if reader is None:
        raise InvalidRequest(
            f"{path.name} is no table that can be read.",
            hint="A batch is a .csv, .tsv, .jsonl or .yaml file.",
        )
    try:
        for row in reader(path):
            if any(value not in (None, "") for value in row.cells.values()):
                yield from _expanded(row, path.parent)
    except OSError as error:
        raise InvalidRequest(
            f"{path} cannot be read: {error.strerror}.", hint="Name a table that is there."
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{path.name} is not UTF-8 text: {error.reason} at byte {error.start}.",
            hint="Save it as UTF-8.",
        ) from None


def _csv(path: Path) -> Iterator[Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    # Spreadsheets put a mark of the byte order first.
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            columns = [column.strip() for column in next(table, [])]
            twice = {column for column in columns if columns.count(column) > 1}
            if twice or "" in columns:
                raise InvalidRequest(
                    f"{path.name}, line 1: "
                    + (
                        f"the column {min(twice)!r} is there twice."
                        if any(twice)
                        else "a column has no name."
                    ),
                    hint="The first line names the columns, each once.",
                )
            before = table.line_num
            for cells in table:
                line, before = before + 1, table.line_num
                if len(cells) > len(columns):
                    raise _at(path, line, f"{len(cells)} cells, but {len(columns)} columns.")
                yield Row(line, dict(zip(columns, cells, strict=False)))
        except csv.Error as error:
            raise _at(path, table.line_num, f"{error}.") from None


def _jsonl(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number in itertools.count(1):
            text = file.readline(MOST_CHARACTERS + 1)
            if not text:
                return
            if len(text) > MOST_CHARACTERS:
                raise _at(path, number, f"longer than {MOST_CHARACTERS} characters.")
            if not text.strip():
                continue
            try:
                yield _mapping(path, number, json.loads(text))
            except ValueError as error:
                raise _at(path, number, f"not JSON: {error}.") from None


def _yaml(path: Path) -> Iterator[Row]:
    if path.stat().st_size > MOST_YAML_BYTES:
        raise InvalidRequest(
            f"{path.name} is larger than {MOST_YAML_BYTES // 1_000_000} MB.",
            hint="Write large tables as CSV or JSON Lines, which are read row by row.",
        )
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidRequest(f"{path.name} is not YAML: {error}.", hint="Mend it there.") from None
    if not isinstance(document, list) or not isinstance(node, yaml.SequenceNode):
        raise InvalidRequest(f"{path.name} holds no list.", hint="Write one '- ' item per row.")
    for item, place in zip(document, node.value, strict=True):
        yield _mapping(path, place.start_mark.line + 1, item)


def _mapping(path: Path, line: int, item: Any) -> Row:
    if not isinstance(item, dict) or not all(isinstance(name, str) for name in item):
        raise _at(path, line, "a row is a mapping of columns to values.")
    for name, value in item.items():
        fits = value is None or isinstance(value, str | int | float | bool)
        if not fits and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            raise _at(path, line, f"{name}: a value is a text, a number, yes or no, or a list.")
    return Row(line, item)


def _expanded(row: Row, folder: Path) -> Iterator[Row]:
    """The rows that one line becomes: one for every combination of its cells' choices."""
    choices: list[list[Value]] = []
    combinations = 1
    for name, value in row.cells.items():
        try:
            found = expand(value, folder) if isinstance(value, str) else [value]
        except InvalidRequest as error:
            raise InvalidRequest(
                f"line {row.line}, {name}: {error.message}", hint=error.hint
            ) from None
        choices.append([*found])
        combinations *= len(found)
        if combinations > MOST_COMBINATIONS:
            raise InvalidRequest(
                f"line {row.line}: its choices make more than {MOST_COMBINATIONS} combinations.",
                hint="Write several rows with fewer choices each.",
            )
    for combination in itertools.product(*choices):
        yield Row(row.line, dict(zip(row.cells, combination, strict=True)))


def expand(text: str, folder: Path) -> list[str]:
    """Every text that `text` stands for, in the order of its choices; itself if it has none.

    Raises:
        InvalidRequest: for a range without end, or a pattern that no file fits.
    """
    pieces: list[list[str]] = []
    end = 0
    for match in _CHOICE.finditer(text):
        pieces += [[text[end : match.start()]], _alternatives(match, folder)]
        end = match.end()
    combinations = 1
    for piece in pieces:
        combinations *= len(piece)
    if combinations > MOST_COMBINATIONS:
        raise InvalidRequest(
            f"its choices make more than {MOST_COMBINATIONS} combinations.",
            hint="Write several rows with fewer choices each.",
        )
    return ["".join(parts) + text[end:] for parts in itertools.product(*pieces)]


def _alternatives(match: re.Match[str], folder: Path) -> list[str]:
    inside = match[1]
    if inside.startswith("files:"):
        return _files(inside.removeprefix("files:").strip(), folder)
    if "|" in inside:
        return [choice.strip() for choice in inside.split("|")]
    if numbers := _RANGE.fullmatch(inside):
        return _numbers(*numbers.groups())
    return [match[0]]


def _numbers(first: str, last: str, step: str | None) -> list[str]:
    start, end = Decimal(first), Decimal(last)
    try:
        by = abs(Decimal(step)) if step else Decimal(1)
        count = int(abs(end - start) // by) + 1
    except (InvalidOperation, ZeroDivisionError):
        raise InvalidRequest(
            f"the range {{{first}..{last}..{step}}} never ends.", hint="Give a step above zero."
        ) from None
    if count > MOST_COMBINATIONS:
        raise InvalidRequest(
            f"the range {{{first}..{last}}} holds more than {MOST_COMBINATIONS} numbers.",
            hint="Give a larger step, or write several rows.",
        )
    sign = 1 if end >= start else -1
    return [str(start + sign * place * by) for place in range(count)]


def _files(pattern: str, folder: Path) -> list[str]:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise InvalidRequest(
            f"{pattern!r} leaves the table's folder.", hint="Put the files beside or below it."
        )
    found = sorted(str(path) for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise InvalidRequest(f"no file fits {pattern!r}.", hint=f"It is looked for below {folder}.")
    return found


def _at(path: Path, line: int, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{path.name}, line {line}: {problem}", hint="Mend the table there.")
