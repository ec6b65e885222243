"""Requests that make sound."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studio.tasks.request import Advanced, Multiline, Prompt, Request, Text, not_blank

AudioFormat = Literal["wav", "flac", "mp3", "ogg", "opus"]

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


class TextToSpeech(_Sound):
    """Read a text aloud."""

    text: Annotated[
        Text, Field(min_length=1, max_length=20_000), AfterValidator(not_blank), Multiline()
    ] = Field(title="Text", description="What to say; [pause 0.5s] is half a second of silence.")
    language: _Term = Field(
        "en-us", title="Language", description="The language of the text, as in en, de or pt-br."
    )
    voice: _Term | None = Field(None, title="Voice", description="Who or how it is said.")
    speed: Annotated[float, Field(ge=0.5, le=2)] = Field(
        1.0, title="Speed", description="How fast it is said: 2 is twice as fast."
    )
    pitch: Annotated[float, Field(ge=0.5, le=2), Advanced()] = Field(
        1.0, title="Pitch", description="How high it is said: above 1 is higher."
    )
    count: Annotated[int, Field(ge=1, le=64)] = Field(
        1, title="Count", description="Into how many files; each can be heard once it is said."
    )
