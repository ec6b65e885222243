"""Requests that listen to sounds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from studio.tasks.image import MediaId
from studio.tasks.request import Advanced, Media, Request, Text


class AutomaticSpeechRecognition(Request):
    """Write down what is said in a sound or a film."""

    audio: Annotated[MediaId, Media("recording", "inputTo")] = Field(
        title="Sound", description="Who speaks in a sound or film: an output's or an upload's id."
    )
    language: Annotated[Text, Field(pattern="^[a-z]{2,3}$")] | None = Field(
        None, title="Language", description="As en, de or fr; empty finds out by itself."
    )
    timestamps: bool = Field(
        True, title="Timestamps", description="Whether to note when it is said, for subtitles."
    )
    translate: bool = Field(
        False, title="Translate", description="Whether to write it down in English."
    )
    format: Annotated[Literal["txt", "md"], Advanced()] = Field(
        "txt", title="Format", description="File format of the result."
    )
