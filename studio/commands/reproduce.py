"""`studio reproduce`: make an output again from its receipt, and say how like it is."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np

from studio.artifact import Artifact
from studio.client import Studio
from studio.errors import NotFound
from studio.origin import again
from studio.settings import Settings
from studio.tasks import find_task
from studio.worker.decode_client import decoding

#: Above so many decibels two pictures differ by their marks and by rounding alone.
CLOSE = 35.0
_DIFFERENT = 6


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def reproduce(file: Path, as_json: bool) -> None:
    """Make FILE again from its receipt, and compare.

    Says whether the draft is identical (the marks never are), how close it is, or which version,
    device or model differs. Exit status: 0 if it is identical, else 6.
    """
    with Studio() as studio:
        before = studio.artifact(_artifact_of(studio, file))
        note = before.note
        results = studio.make(note.task, **again(note, find_task(note.task)) | {"exact": True})
        # Alone, or in its place among those that are only made together.
        result = results[0] if len(results) == 1 else results[note.index]
        after = result.artifact
        same = after.note.draft_sha256 == note.draft_sha256
        report: dict[str, Any] = {
            "file": str(file),
            "artifact": before.id,
            "again": after.id,
            "path": str(result.path),
            "identical": same,
            "decibels": None if same else _decibels(studio, before, after),
            "differs": _differences(before, after),
        }
    click.echo(json.dumps(report, indent=2) if as_json else _sentence(report))
    sys.exit(0 if same else _DIFFERENT)


def _artifact_of(studio: Studio, file: Path) -> str:
    """The id of the output that a file is, or was before somebody changed it."""
    for layer in studio.verify(file).layers:
        if layer.name == "ledger" and (identity := layer.details.get("artifact")):
            return str(identity)
    raise NotFound(
        f"This studio has no receipt for {file}.",
        hint="It can make again what it made itself and still remembers: see `studio verify`.",
    )


def _decibels(studio: Studio, before: Artifact, after: Artifact) -> float | None:
    """Peak signal-to-noise ratio of two pictures, marks and all; None where it has no meaning."""
    if before.kind != "image":
        return None
    settings = Settings.load()
    with (
        decoding(studio.fetch(before.id), settings) as first,
        decoding(studio.fetch(after.id), settings) as second,
    ):
        if first.pixels is None or second.pixels is None:
            return None
        if first.pixels.shape != second.pixels.shape:
            return None
        error = np.mean((first.pixels.astype(float) - second.pixels.astype(float)) ** 2)
    return round(20 * math.log10(255) - 10 * math.log10(max(float(error), 1e-9)), 1)


def _differences(before: Artifact, after: Artifact) -> dict[str, list[str | None]]:
    """What was not the same in the making, as [then, now]."""
    then = {**before.note.versions, "weights": before.note.revision}
    now = {**after.note.versions, "weights": after.note.revision}
    return {
        name: [then.get(name), now.get(name)]
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    }


def _sentence(report: dict[str, Any]) -> str:
    if report["identical"]:
        return f"Identical: the draft is the same to the last bit.\n{report['path']}"
    decibels = report["decibels"]
    how = "Different" if decibels is None or decibels < CLOSE else "Close"
    number = "" if decibels is None else f" ({decibels} dB, marks included)"
    causes = [
        f"  {name}: {then} then, {now} now" for name, (then, now) in report["differs"].items()
    ]
    why = (
        "\n".join(causes)
        or "  Everything that is known of its making is the same; it may have\n"
        "  been made in a batch with others, where the last bit can differ."
    )
    return f"{how}{number}. What differs:\n{why}\n{report['path']}"
