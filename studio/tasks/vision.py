"""Requests that say what pictures show."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studio.tasks.image import MediaId
from studio.tasks.request import Advanced, Media, Multiline, Prompt, Request, Text, not_blank
from studio.tasks.text import History, Written

#: What a picture is compared with. Most models read no more than 64 tokens of it.
_Label = Annotated[Text, Field(min_length=1, max_length=300), AfterValidator(not_blank)]


class _Seen(Written):
    """What every request about one picture can say beside what it is about."""

    image: Annotated[MediaId, Media("image", "inputTo")] = Field(
        title="Picture", description="The picture to look at: an id or a file."
    )
    temperature: Annotated[float, Field(ge=0, le=2), Advanced()] = Field(
        0.0, title="Temperature", description="How freely words are chosen; 0 is always the same."
    )


class ImageToText(_Seen):
    """Say what a picture shows."""

    prompt: Annotated[Text, Field(max_length=4000), Multiline()] = Field(
        "", title="Prompt", description="What to look for; empty describes the whole picture."
    )


class VisualQuestionAnswering(_Seen):
    """Answer a question about a picture."""

    question: Prompt = Field(title="Question", description="What to find out.")
    history: History = Field(
        "", title="History", description="What was asked and answered before, as JSON."
    )


class _Compared(Request):
    """What every request that compares pictures with texts can say."""

    format: Annotated[Literal["txt", "json"], Advanced()] = Field(
        "txt", title="Format", description="File format of the result."
    )


class ZeroShotImageClassification(_Compared):
    """Say which of some labels suits a picture best, and how well."""

    image: Annotated[MediaId, Media("image", "inputTo")] = Field(
        title="Picture", description="The picture to look at: an id or a file."
    )
    # A table, a form and JSON all give lists; strict mode knows tuples only.
    labels: Annotated[tuple[_Label, ...], Field(min_length=1, max_length=200, strict=False)] = (
        Field(title="Labels", description="What it might show, as in cat, dog, bird.")
    )


class ImageRanking(_Compared):
    """Put pictures in order by how well they suit a text."""

    images: Annotated[
        tuple[MediaId, ...],
        Media("image", "inputTo"),
        Field(min_length=1, max_length=400, strict=False),
    ] = Field(title="Pictures", description="The pictures to compare: ids or files.")
    prompt: Prompt = Field(title="Prompt", description="What the best one is to show.")
