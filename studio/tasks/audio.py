"""Requests that make sound."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from studio.tasks.request import Advanced, Prompt, Request, Text

AudioFormat = Literal["wav", "flac", "mp3", "ogg"]

#: A word or two, of which a model's card says which it knows.
_Term = Annotated[Text, Field(min_length=1, max_length=40)]


class _Sound(Request):
    """What every request for a sound can say beside what it is about."""

    format: Annotated[AudioFormat, Advanced()] = Field(
        "wav", title="Format", description="File format of the result."
    )


class TextToMusic(_Sound):
    """Compose music from a description."""

    prompt: Prompt = Field(title="Prompt", description="What the music should be like.")
    duration: Annotated[float, Field(ge=1, le=600)] = Field(
        10.0, title="Duration", description="Length in seconds."
    )
    genre: _Term | None = Field(None, title="Genre", description="The style of the music.")
    mood: _Term | None = Field(None, title="Mood", description="The feeling of the music.")
    tempo: Annotated[float, Field(ge=20, le=400)] | None = Field(
        None, title="Tempo", description="Beats per minute."
    )
    key: _Term | None = Field(None, title="Key", description="Tonic and mode, as in 'C minor'.")
    metre: Annotated[_Term, Advanced()] | None = Field(
        None, title="Metre", description="How a bar is counted, as in 3/4."
    )
    loopable: bool = Field(
        False, title="Loopable", description="Whether the end leads back to the beginning."
    )
