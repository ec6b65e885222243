"""`studio subtitles`: when each sentence of a speech or a transcript is said."""

from __future__ import annotations

from typing import Literal

import click

from studio.errors import InvalidRequest
from studio.provenance import open_provenance
from studio.settings import Settings
from studio.subtitles import subtitles as written


@click.command()
@click.argument("artifact", metavar="ARTIFACT")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["srt", "vtt"]),
    default="srt",
    show_default=True,
    help="SubRip or WebVTT.",
)
def subtitles(artifact: str, format_: Literal["srt", "vtt"]) -> None:
    """Print the subtitles of the speech, or of the transcript, with the id ARTIFACT."""
    provenance = open_provenance(Settings.load())
    try:
        found = provenance.store.get(artifact)
    finally:
        provenance.close()
    cues = found.note.about.get("cues")
    if not cues:
        raise InvalidRequest(
            f"{artifact} says nothing.",
            hint="What `text-to-speech` and `automatic-speech-recognition` make has subtitles.",
        )
    click.echo(written(cues, format_, heard=found.kind == "text"), nl=False)
