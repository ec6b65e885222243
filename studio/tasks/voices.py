"""Requests about people's voices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studio.tasks.audio import AudioFormat
from studio.tasks.image import MediaId
from studio.tasks.request import Advanced, Media, Multiline, Request, Text, not_blank


class VoiceCloning(Request):
    """Say a text in the voice of somebody who agreed to it."""

    text: Annotated[
        Text, Field(min_length=1, max_length=4000), AfterValidator(not_blank), Multiline()
    ] = Field(title="Text", description="What to say.")
    voice: Annotated[MediaId, Media("audio", "inputTo")] = Field(
        title="Voice", description="A sample of the voice: an output's or an upload's id."
    )
    consent: Annotated[Text, Field(pattern="^[0-9a-f]{32}$")] = Field(
        title="Consent",
        description="The id of the consent: the page Settings, or `studio voices consent`, has it.",
    )
    said: Annotated[Text, Field(max_length=1000)] = Field(
        "", title="Said", description="What the sample says, word by word; most models need it."
    )
    language: Annotated[Text, Field(min_length=2, max_length=40)] = Field(
        "en", title="Language", description="The language of the text, as in en or de."
    )
    format: Annotated[AudioFormat, Advanced()] = Field(
        "wav", title="Format", description="File format of the result."
    )


class SpeakerComparison(Request):
    """Say how alike the voices in two sounds are."""

    audio: Annotated[MediaId, Media("audio", "inputTo")] = Field(
        title="Sound", description="Who speaks: an output's or an upload's id."
    )
    other: Annotated[MediaId, Media("audio", "inputTo")] = Field(
        title="Other", description="Who else speaks, or the same again."
    )
    format: Annotated[Literal["txt", "json"], Advanced()] = Field(
        "txt", title="Format", description="File format of the result."
    )
