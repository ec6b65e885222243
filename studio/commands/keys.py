"""`studio keys`: the installation's own authority, and whom else it trusts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from studio.provenance.keys import Keys
from studio.settings import Settings


@click.group()
@click.pass_context
def keys(context: click.Context) -> None:
    """The keys that outputs are signed and marked with."""
    settings = Settings.load()
    context.obj = (Keys(settings.home / "keys"), settings.label)


@keys.command()
@click.pass_obj
def init(opened: tuple[Keys, str]) -> None:
    """Make the keys, unless there are some; the first output would, too."""
    held, label = opened
    held.create(label)
    click.echo(f"The keys are in {held.folder}.")
    click.echo(f"Root, SHA-256: {held.root_fingerprint()}")
    click.echo("Export the root with `studio keys export-root`, and keep root.key elsewhere.")


@keys.command()
@click.option("--json", "as_json", is_flag=True, help="Print a record instead of text.")
@click.pass_obj
def show(opened: tuple[Keys, str], as_json: bool) -> None:
    """Names and fingerprints of all keys; never a secret."""
    held, _ = opened
    record = {
        "root_sha256": held.root_fingerprint(),
        "root_key_is_here": held.root_key_is_here(),
        "signing_key": held.signing().id,
        "mark_keys": [key.id for key in held.marks()],
        "trusted": held.trusted(),
    }
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    click.echo(f"Root, SHA-256   {record['root_sha256']}")
    where = "on this machine: move it to a safe place" if held.root_key_is_here() else "elsewhere"
    click.echo(f"Root's key      {where}")
    click.echo(f"Signing key     {record['signing_key']}")
    click.echo(f"Mark keys       {', '.join(key.id for key in held.marks())}")
    for fingerprint, name in held.trusted().items():
        click.echo(f"Trusted root    {fingerprint}  {name}")


@keys.command()
@click.pass_obj
def rotate(opened: tuple[Keys, str]) -> None:
    """Make a new signing key and a new mark key; old outputs keep verifying."""
    held, label = opened
    held.rotate(label)
    click.echo(f"Signing key {held.signing().id}, mark key {held.marks()[0].id}.")
    click.echo("A running studio takes up the new mark key when it is started again.")


@keys.command("export-root")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def export_root(opened: tuple[Keys, str], file: Path | None) -> None:
    """Write the public root certificate to FILE, or print it: what others need to trust you."""
    held, _ = opened
    root = held.root_pem()
    if file is None:
        click.echo(root, nl=False)
        return
    file.write_text(root, encoding="ascii")
    click.echo(f"Wrote {file}. SHA-256: {held.root_fingerprint()}")


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def trust(opened: tuple[Keys, str], file: Path) -> None:
    """Trust another installation's root certificate from now on."""
    held, _ = opened
    click.echo(f"Trusted from now on: {held.trust(file)}")
    click.echo("Compare this SHA-256 with the one that its owner publishes.")
