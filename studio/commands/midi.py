"""`studio midi`: the notes of a composed piece."""

from __future__ import annotations

from pathlib import Path

import click

from studio.errors import InvalidRequest
from studio.provenance import open_provenance
from studio.score import Score
from studio.settings import Settings
from studio.sheet import SheetFormat, written


@click.command()
@click.argument("artifact", metavar="ARTIFACT")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["mid", "abc", "svg"]),
    default="mid",
    show_default=True,
    help="A MIDI file, ABC notation, or a piano roll to look at.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where to; else to the output.")
def midi(artifact: str, format_: SheetFormat, out: Path | None) -> None:
    """Write down the notes of the piece with the id ARTIFACT."""
    provenance = open_provenance(Settings.load())
    try:
        score = provenance.store.get(artifact).note.about.get("score")
    finally:
        provenance.close()
    if score is None:
        raise InvalidRequest(
            f"{artifact} has no notes.",
            hint="Only what a model composes as notes has them: the starter composer's pieces.",
        )
    content = written(Score.from_record(score), artifact, format_)
    if out is None:
        click.echo(content, nl=False)
    else:
        out.write_bytes(content)
