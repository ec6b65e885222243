"""Tables that scripts write into documents: each between two markers, all else stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def rows(head: Sequence[str], cells: Iterable[Sequence[str]], rule: str) -> str:
    """A Markdown table; `rule` is the line below its head."""
    lines = ["| " + " | ".join(each) + " |" for each in (head, *cells)]
    return "\n".join([lines[0], rule, *lines[1:]])


def with_table(document: str, name: str, table: str) -> str:
    """`document` with `table` between the markers that have its name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"there is no place for {name}: {begin} and {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def write(path: Path, name: str, table: str) -> None:
    """Write a document anew with its table."""
    document = path.read_text(encoding="utf-8")
    path.write_text(with_table(document, name, table), encoding="utf-8")
