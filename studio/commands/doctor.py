"""`studio doctor`: what is right with this machine, what is not, and how to mend it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib.util import find_spec

import click

from studio.checkup import Finding, examine
from studio.settings import Settings


def _discord(settings: Settings) -> list[Finding]:
    """What is found out about the Discord bot, if the extra that brings it is installed."""
    if find_spec("discord") is None:
        return []
    from bots import checkup

    return list(checkup.examine(settings.home))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def doctor(as_json: bool) -> None:
    """Check this machine and this installation, and say how to mend what is wrong.

    The exit status is 1 if anything is wrong.
    """
    settings = Settings.load()
    findings = [*examine(settings), *_discord(settings)]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.state:>5}  {finding.name}: {finding.message}")
            if finding.mend:
                click.echo(f"       {finding.mend}")
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(1)
