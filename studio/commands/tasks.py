"""`studio tasks`: every task with its fields."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from studio.fields import FieldSpec, fields_of
from studio.tasks import TASKS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def tasks(as_json: bool) -> None:
    """List every task with its fields, limits and defaults."""
    if as_json:
        records = [
            {
                "id": task.id,
                "verb": task.verb,
                "title": task.title,
                "description": task.description,
                "makes": task.makes,
                "fields": [asdict(spec) for spec in fields_of(task.request)],
            }
            for task in TASKS.values()
        ]
        click.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    for task in TASKS.values():
        click.echo(f"{task.id} ({task.verb}): {task.description}")
        for spec in fields_of(task.request):
            click.echo(f"  {spec.name:<16} {spec.description} {limits(spec)}".rstrip())


def limits(spec: FieldSpec) -> str:
    """What a field takes, in brackets: `[64 to 4096, by 8; default 512]`."""
    parts = []
    if spec.choices:
        parts.append(" | ".join(spec.choices))
    elif spec.minimum is not None and spec.maximum is not None:
        grid = f", by {spec.step}" if spec.step else ""
        parts.append(f"{spec.minimum} to {spec.maximum}{grid}")
    if spec.required:
        parts.append("required")
    elif spec.default not in (None, "", []):
        parts.append(f"default {spec.default}")
    return f"[{'; '.join(parts)}]" if parts else ""
