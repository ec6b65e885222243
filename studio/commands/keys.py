"""`studio keys`: the installation's own authority, and whom else it trusts."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict
from pathlib import Path

import click

from studio.errors import InvalidRequest
from studio.provenance import open_provenance
from studio.provenance.attestation import attest as attest_to
from studio.provenance.attestation import attestations
from studio.provenance.keys import Keys
from studio.settings import Settings
from studio.tasks import find_task


@click.group()
@click.pass_context
def keys(context: click.Context) -> None:
    """The keys that outputs are signed and marked with."""
    settings = Settings.load()
    context.obj = (Keys(settings.home / "keys", settings.signer), settings.label)


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
@click.option(
    "--public",
    type=click.Path(path_type=Path),
    help="Sign with a key that is kept elsewhere: this is its public half, P-256, PEM.",
)
@click.pass_obj
def rotate(opened: tuple[Keys, str], public: Path | None) -> None:
    """Make a new signing key and a new mark key; old outputs keep verifying.

    With --public the private half never comes here: the command in the setting `signer` gets what
    is to be signed on its input, and answers with the signature, as
    `openssl dgst -sha256 -sign KEY` does.
    """
    held, label = opened
    held.rotate(label, public)
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


@keys.command()
@click.argument("task")
@click.option("--by", required=True, help="Who says so: a name that can be asked.")
@click.option("--reason", required=True, help="Why these outputs need no hidden mark.")
def attest(task: str, by: str, reason: str) -> None:
    """Leave the hidden mark out of TASK's outputs from now on, signed and recorded in the ledger.

    The signed manifest stays, whatever is attested; where a format cannot hold one, so does the
    mark. The output's note, `studio verify` and `studio doctor` say that it was left out.
    """
    _decide(task, marked=False, by=by, reason=reason)


@keys.command()
@click.argument("task")
@click.option("--by", required=True, help="Who says so: a name that can be asked.")
@click.option("--reason", default="", help="Why.")
def revoke(task: str, by: str, reason: str) -> None:
    """Put the hidden mark back into TASK's outputs; both decisions stay in the ledger."""
    _decide(task, marked=True, by=by, reason=reason)


@keys.command("attestations")
@click.option("--json", "as_json", is_flag=True, help="Print a list of records instead of text.")
def list_attestations(as_json: bool) -> None:
    """All that was attested and revoked, oldest first; only what its signature still proves."""
    provenance = open_provenance(Settings.load())
    said = attestations(provenance.keys, provenance.ledger)
    provenance.close()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in said], indent=2))
        return
    for one in said:
        day = datetime.datetime.fromtimestamp(one.created, datetime.UTC).strftime("%Y-%m-%d")
        what = "marked again" if one.marked else "without the hidden mark"
        click.echo(f"{day}  {one.task:<16} {what}, says {one.by}: {one.reason}")


def _decide(task: str, *, marked: bool, by: str, reason: str) -> None:
    name = find_task(task).id
    if not by.strip() or not (marked or reason.strip()):
        raise InvalidRequest(
            "An attestation names somebody and says why.", hint="Fill in --by and --reason."
        )
    provenance = open_provenance(Settings.load())
    try:
        attest_to(provenance.keys, provenance.ledger, name, marked=marked, by=by, reason=reason)
    finally:
        provenance.close()
    how = "carry the hidden mark again" if marked else "carry no hidden mark, and say so"
    click.echo(f"From now on, outputs of {name} {how}.")
