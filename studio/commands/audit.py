"""`studio audit`: whether this installation's own record is as it was written."""

from __future__ import annotations

import json

import click

from studio.provenance import open_provenance
from studio.settings import Settings


@click.group()
def audit() -> None:
    """The ledger: what was made here, row by row, each chained to the one before."""


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Print a record instead of text.")
def verify(as_json: bool) -> None:
    """Check every row of the ledger against its chain.

    The head names the whole history: keep a copy elsewhere, and rows that were cut off at the end
    show, too.
    """
    provenance = open_provenance(Settings.load())
    try:
        record = {"rows": provenance.ledger.check(), "head": provenance.ledger.head()}
    finally:
        provenance.close()
    if as_json:
        click.echo(json.dumps(record))
    else:
        click.echo(f"{record['rows']} rows, all as they were written. Head: {record['head']}")


@audit.command()
@click.argument("owner")
def erase(owner: str) -> None:
    """Erase from the ledger who OWNER is; the rows stay, and the chain holds.

    What OWNER made is still in the gallery, in files that name their owner: empty the bin for
    those. If OWNER makes something again, it stands under a new pseudonym.
    """
    provenance = open_provenance(Settings.load())
    try:
        provenance.ledger.forget(owner)
        rows = provenance.ledger.check()
    finally:
        provenance.close()
    click.echo(f"The ledger no longer says who {owner} is. {rows} rows, all as they were written.")
