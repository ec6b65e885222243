"""`studio gallery`: looking through what was made here, and keeping it in order."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import click

from studio.client import Studio
from studio.gallery import Filter
from studio.provenance import open_provenance
from studio.settings import Settings


@click.group()
def gallery() -> None:
    """Everything that was made here: look through it, index it anew, empty the bin."""


@gallery.command()
@click.argument("meaning", default="")
@click.option(
    "--like", type=click.Path(path_type=Path), metavar="FILE|ID", help="Find what looks like it."
)
@click.option("--words", default="", help="Only what also holds these words.")
@click.option("--limit", type=click.IntRange(1, 200), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print records instead of text.")
def search(meaning: str, like: Path | None, words: str, limit: int, as_json: bool) -> None:
    """Find pictures that suit the words MEANING, or that look like a picture, the nearest first.

    Each line is a cosine, an id, and what was said to make it.
    """
    with Studio() as studio:
        named = None if like is None else _named(studio, like)
        told = studio.search(Filter(search=words), meaning=meaning, like=named, limit=limit)
    if as_json:
        found = [{"artifact": one.artifact.id, "likeness": one.likeness} for one in told.found]
        record = {"found": found, "card": told.card, "unseen": told.unseen}
        click.echo(json.dumps(record, indent=2))
        return
    for one in told.found:
        said = one.artifact.note.request.get("prompt") or one.artifact.keeping.caption
        click.echo(f"{one.likeness:.3f}  {one.artifact.id}  {said}".rstrip())
    if told.unseen:
        click.echo(f"studio: no model has looked at {told.unseen} of them yet.", err=True)


def _named(studio: Studio, like: Path) -> str:
    """The id of what a search compares with: of an output, or of a file that is brought along."""
    return str(like) if re.fullmatch("[0-9a-f]{32}", str(like)) else studio.upload(like).id


@gallery.command()
def rebuild() -> None:
    """Make the gallery's index anew from the files beside it; nothing else is touched.

    Every output's note lies beside it, with its prompt, and so do stars, tags and collections:
    whatever happens to the index, they come back. The studio may be running.
    """
    provenance = open_provenance(Settings.load())
    try:
        found = provenance.store.rebuild()
    finally:
        provenance.close()
    click.echo(f"{found} outputs found and indexed.")


@gallery.command()
@click.option(
    "--days", type=click.FloatRange(min=0), default=0, help="Only what is in it for so long."
)
@click.confirmation_option(prompt="What is in the bin will be gone for ever. Go on?")
def empty(days: float) -> None:
    """Empty everybody's bin: files, notes and previews go for ever.

    The ledger keeps its entries, which hold no prompt and no name: a mark that somebody finds can
    still be traced to this studio.
    """
    provenance = open_provenance(Settings.load())
    try:
        gone = provenance.store.empty(time.time() - days * 24 * 3600)
    finally:
        provenance.close()
    click.echo(f"{gone} outputs are gone.")
