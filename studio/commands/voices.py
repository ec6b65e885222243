"""`studio voices`: whose voice may be used."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from studio.client import Studio
from studio.consent import Consent

_json = click.option("--json", "as_json", is_flag=True, help="Print a record instead of text.")


@click.group()
def voices() -> None:
    """Voices that this studio may imitate, and the consents to that."""


@voices.group()
def consent() -> None:
    """Consents: signed, for one sample of a voice, for a while, and revocable."""


@consent.command()
@click.argument("sample", metavar="SAMPLE")
@_json
def ask(sample: str, as_json: bool) -> None:
    """Get a fresh sentence for SAMPLE, a sound's file or id: whose voice it is has to read it."""
    with Studio() as studio:
        asked = studio.ask_consent(_brought(studio, sample))
    if as_json:
        click.echo(json.dumps(asdict(asked), ensure_ascii=False))
        return
    minutes = max(1, round((asked.expires - time.time()) / 60))
    click.echo(f"Within {minutes} minutes, whose voice it is reads aloud and records:\n")
    click.echo(f"  {asked.sentence}\n")
    click.echo(f"Then: studio voices consent give {asked.id} RECORDING")
    click.echo(f"The sample's id is {asked.voice}.")


@consent.command()
@click.argument("challenge", metavar="CHALLENGE")
@click.argument("recording", metavar="RECORDING")
@click.option("--days", default=30.0, show_default=True, help="For how long it holds.")
@_json
def give(challenge: str, recording: str, days: float, as_json: bool) -> None:
    """Record that CHALLENGE was read, in RECORDING, a sound's file or id."""
    with Studio() as studio:
        given = studio.give_consent(challenge, _brought(studio, recording), days=days)
    _show([given], as_json)


@consent.command("list")
@_json
def list_consents(as_json: bool) -> None:
    """Show all consents, those that hold no more, too."""
    with Studio() as studio:
        found = studio.consents()
    _show(found, as_json)


@consent.command()
@click.argument("consent", metavar="CONSENT")
@_json
def revoke(consent: str, as_json: bool) -> None:
    """Take CONSENT back, for good: its jobs stop, and its sample is deleted."""
    with Studio() as studio:
        revoked = studio.revoke_consent(consent)
    _show([revoked], as_json)


def _brought(studio: Studio, sound: str) -> str:
    """The id of a sound that is named by its id or its file."""
    path = Path(sound)
    return studio.upload(path).id if path.exists() else sound


def _show(consents: Iterable[Consent], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(one) for one in consents], ensure_ascii=False))
        return
    for one in consents:
        day = time.strftime("%Y-%m-%d", time.localtime(one.expires))
        state = "holds until" if one.holds_at(time.time()) else "expired on"
        state = "was revoked; it would have held until" if one.revoked else state
        click.echo(f"{one.id}  {state} {day}; {one.speaker}")
