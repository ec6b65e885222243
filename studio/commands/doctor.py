"""`studio doctor`: what is right with this machine, what is not, and how to mend it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from studio.checkup import examine
from studio.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def doctor(as_json: bool) -> None:
    """Check this machine and this installation, and say how to mend what is wrong.

    The exit status is 1 if anything is wrong.
    """
    findings = list(examine(Settings.load()))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.state:>5}  {finding.name}: {finding.message}")
            if finding.mend:
                click.echo(f"       {finding.mend}")
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(1)
