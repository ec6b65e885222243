"""`studio users`: who may use this studio beside its operator."""

from __future__ import annotations

import json

import click

from studio.client import Studio


@click.group()
def users() -> None:
    """The people who share this studio, each with a token; they see only what is theirs."""


@users.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print a record instead of text.")
def add(name: str, as_json: bool) -> None:
    """Let NAME in, and print their token. It is shown this once."""
    with Studio() as studio:
        token = studio.add_user(name)
    click.echo(json.dumps({"name": name, "token": token}) if as_json else token)


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list instead of text.")
def list_users(as_json: bool) -> None:
    """Name everybody who may come in."""
    with Studio() as studio:
        names = studio.users()
    if as_json:
        click.echo(json.dumps(names))
    else:
        for name in names:
            click.echo(name)


@users.command()
@click.argument("name")
def remove(name: str) -> None:
    """Let NAME in no more; what they made stays."""
    with Studio() as studio:
        studio.remove_user(name)
