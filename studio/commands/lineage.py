"""`studio lineage`: what an output was made from, and what was made from it, as a tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from studio.gallery import Lineage
from studio.provenance import open_provenance
from studio.settings import Settings


@click.command()
@click.argument("artifact", metavar="ARTIFACT")
@click.option("--json", "as_json", is_flag=True, help="Print a record instead of text.")
def lineage(artifact: str, as_json: bool) -> None:
    """Print the family of the output with the id ARTIFACT: its parents, then what came of it."""
    provenance = open_provenance(Settings.load())
    try:
        family = provenance.store.lineage(artifact)
    finally:
        provenance.close()
    if as_json:
        click.echo(json.dumps(_record(family), indent=2))
        return
    click.echo(_name(family))
    for heading, side in (("made from:", "parents"), ("used for:", "children")):
        if lines := list(_lines(family, side, "  ")):
            click.echo("\n".join([heading, *lines]))
    if family.more:
        click.echo("There are more than are shown here.")


def _lines(family: Lineage, side: str, indent: str) -> Iterator[str]:
    for relative in getattr(family, side):
        yield f"{indent}{_name(relative)}"
        yield from _lines(relative, side, f"{indent}  ")


def _name(family: Lineage) -> str:
    if (made := family.artifact) is None:
        return "(somebody else's, or no longer here)"
    return f"{made.id}  {made.note.task}  {made.note.card}  seed {made.note.seed}"


def _record(family: Lineage) -> dict[str, Any]:
    made = family.artifact
    return {
        "artifact": made and made.id,
        "task": made and made.note.task,
        "card": made and made.note.card,
        "parents": [_record(one) for one in family.parents],
        "children": [_record(one) for one in family.children],
        "more": family.more,
    }
