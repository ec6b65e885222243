"""Requests that put finished works together: films of scenes, sheets of pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studio.tasks.image import ImageFormat, MediaId, Side
from studio.tasks.request import Advanced, Media, Request, Text, not_blank

#: One of a list beside the scenes or pictures; empty where there is none.
_Caption = Annotated[Text, Field(max_length=300)]


#: Seconds as a text; empty where a scene has no length of its own.
_Seconds = Annotated[Text, Field(pattern=r"^([0-9]{1,3}(\.[0-9]{1,3})?)?$")]


class FilmAssembly(Request):
    """Put scenes together into one film, with narration and music."""

    # A table, a form and JSON all give lists; strict mode knows tuples only.
    scenes: Annotated[
        tuple[MediaId, ...],
        Media("scene", "componentOf"),
        Field(min_length=1, max_length=50, strict=False),
    ] = Field(title="Scenes", description="Films and pictures in their order: ids or files.")
    seconds: Annotated[float, Field(ge=0.2, le=120)] = Field(
        4.0, title="Seconds", description="How long a picture is shown, at least."
    )
    lengths: Annotated[tuple[_Seconds, ...], Field(max_length=50, strict=False), Advanced()] = (
        Field(
            (), title="Lengths", description="Seconds for each scene, where they are not all alike."
        )
    )
    narration: Annotated[
        tuple[_Caption, ...], Media("audio", "componentOf"), Field(max_length=50, strict=False)
    ] = Field(
        (), title="Narration", description="What is said in each scene; it lasts until that ends."
    )
    captions: Annotated[tuple[_Caption, ...], Field(max_length=50, strict=False)] = Field(
        (), title="Captions", description="A line for each scene, for subtitles."
    )
    burnt: bool = Field(
        False, title="Burnt in", description="Whether the captions are in the picture as well."
    )
    soundtrack: Annotated[MediaId, Media("audio", "componentOf")] | None = Field(
        None, title="Soundtrack", description="Music under it all, repeated or cut to its length."
    )
    duck: Annotated[float, Field(ge=0, le=40), Advanced()] = Field(
        12.0, title="Duck", description="By how many decibels the music steps back."
    )
    transition: Literal["cut", "crossfade"] = Field(
        "crossfade", title="Transition", description="How one scene follows the other."
    )
    motion: bool = Field(
        True, title="Motion", description="Whether pictures are slowly moved in on."
    )
    width: Side = Field(512, title="Width", description="Width in pixels.")
    height: Side = Field(512, title="Height", description="Height in pixels.")
    fps: Annotated[int, Field(ge=1, le=60), Advanced()] = Field(
        24, title="Frame rate", description="Pictures per second."
    )
    format: Annotated[Literal["mp4", "webm"], Advanced()] = Field(
        "mp4", title="Format", description="File format of the result."
    )


class ContactSheet(Request):
    """Lay pictures out on one sheet, with a line under each."""

    images: Annotated[
        tuple[MediaId, ...],
        Media("image", "componentOf"),
        Field(min_length=1, max_length=400, strict=False),
    ] = Field(title="Pictures", description="The pictures in their order: ids or files.")
    captions: Annotated[tuple[_Caption, ...], Field(max_length=400, strict=False)] = Field(
        (), title="Captions", description="A line for each picture."
    )
    title: Annotated[Text, Field(max_length=200), AfterValidator(not_blank)] | None = Field(
        None, title="Title", description="What stands above it all."
    )
    columns: Annotated[int, Field(ge=1, le=20)] = Field(
        4, title="Columns", description="How many pictures stand side by side."
    )
    side: Annotated[int, Field(ge=64, le=1024)] = Field(
        256, title="Side", description="The longer side of a picture on the sheet, in pixels."
    )
    format: Annotated[ImageFormat, Advanced()] = Field(
        "png", title="Format", description="File format of the result."
    )
