"""`studio verify`: what can be said about a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from studio.errors import StudioError
from studio.provenance import open_provenance
from studio.provenance.verdict import Outcome, Verdict
from studio.settings import Settings

_UNUSABLE, _UNPROVEN, _CONTRADICTED = 2, 3, 4

#: What each layer proves, and what it cannot; `--explain` prints it below the layer.
EXPLANATIONS = {
    "manifest": (
        "A signature over the whole file. If it is trusted, the file is byte for byte what its "
        "signer published. It proves who signed, not that anything shown is so; any re-encoding "
        "removes it."
    ),
    "mark": (
        "A number hidden in the content, which survives re-encoding, resizing, cropping and small "
        "turns. It points to a ledger entry. It can be copied onto other content or worn away, "
        "so it is a pointer, not proof. A text's is a leaning in its choice of words, and has no "
        "number."
    ),
    "fingerprint": (
        "A summary of how the content looks or sounds, compared with what was made here. Two may "
        "be alike by chance, and a crop or cut hides a real kinship."
    ),
    "ledger": (
        "This installation's own append-only record of what it made. It knows nothing of what "
        "other studios made."
    ),
}

#: What each outcome means, and what it does not; `--explain` prints it below the verdict.
MEANINGS = {
    Outcome.SIGNED: "Somebody you trust signed exactly this file; that says who, not how true.",
    Outcome.UNKNOWN_SIGNER: (
        "Somebody signed exactly this file; `studio keys trust` takes their root, if you know it."
    ),
    Outcome.MARKED: "The hidden mark was read, and the signature is gone: a pointer, not proof.",
    Outcome.FINGERPRINT: "It resembles something made here, which may be chance.",
    Outcome.NONE: "No trace of this studio; it may have been made by anybody, by any means.",
    Outcome.CONTRADICTED: "Two traces disagree, so at least one was changed or put there later.",
}


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of records instead of text.")
@click.option("--explain", is_flag=True, help="Say what each layer proves, and what it cannot.")
def verify(files: tuple[Path, ...], as_json: bool, explain: bool) -> None:
    """Say what each layer of provenance in FILE... shows.

    Exit status: 0 if every file is signed or marked; 2 if a file could not be opened; else 4 if
    any is contradicted; else 3 if any is by an unknown signer, merely similar, or without evidence.
    """
    provenance = open_provenance(Settings.load())
    records: list[dict[str, Any]] = []
    outcomes: set[Outcome | None] = set()
    for file in files:
        try:
            verdict = provenance.verifier.verify(file)
        except StudioError as error:
            outcomes.add(None)
            records.append({"file": str(file), "verdict": None, **error.record()})
            click.echo(f"{file}: {error}", err=True)
        else:
            outcomes.add(verdict.outcome)
            records.append(verdict.record())
            if not as_json:
                _show(verdict, explain)
    provenance.close()
    if as_json:
        click.echo(json.dumps(records, indent=2))
    sys.exit(_status(outcomes))


def _show(verdict: Verdict, explain: bool) -> None:
    click.echo(f"{verdict.file}: {verdict.outcome}. {verdict.sentence}")
    if explain:
        click.echo(f"  {MEANINGS[verdict.outcome]}")
    for layer in verdict.layers:
        click.echo(f"  {layer.name:<12}{layer.state:<9}{layer.summary}")
        for one in layer.details.get("ingredients", ()):
            click.echo(f"{'':14}{one['relation']}, {one['state']}: {one['title']}")
        if explain:
            click.echo(click.wrap_text(EXPLANATIONS[layer.name], 88, " " * 14, " " * 14))


def _status(outcomes: set[Outcome | None]) -> int:
    if None in outcomes:
        return _UNUSABLE
    if Outcome.CONTRADICTED in outcomes:
        return _CONTRADICTED
    return 0 if outcomes <= {Outcome.SIGNED, Outcome.MARKED} else _UNPROVEN
