"""`studio gallery`: what an operator does with everything that was made here."""

from __future__ import annotations

import time

import click

from studio.provenance import open_provenance
from studio.settings import Settings


@click.group()
def gallery() -> None:
    """Everything that was made here: find it anew from its files, empty the bin."""


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
