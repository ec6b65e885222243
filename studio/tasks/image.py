"""Requests that make pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studio.tasks.request import (
    Advanced,
    Media,
    Multiline,
    Prompt,
    Request,
    Text,
    not_blank,
)

ImageFormat = Literal["png", "webp", "jpeg", "tiff", "avif", "gif"]

#: A side of a picture in pixels. Diffusion latents are an eighth of the picture.
Side = Annotated[int, Field(ge=64, le=4096, multiple_of=8)]

#: How many times larger something becomes.
Factor = Annotated[float, Field(ge=1.25, le=4)]

#: An artifact's id or an upload's id.
MediaId = Annotated[Text, Field(min_length=1, max_length=200)]


class _Picture(Request):
    """What every request for a picture can say beside what it is about."""

    negative_prompt: Annotated[Text, Field(max_length=4000), Multiline(), Advanced()] = Field(
        "", title="Negative prompt", description="What the picture should not show."
    )
    steps: Annotated[int, Field(ge=1, le=150), Advanced()] = Field(
        30, title="Steps", description="Denoising steps: more is slower and often finer."
    )
    guidance: Annotated[float, Field(ge=0, le=30), Advanced()] = Field(
        7.0, title="Guidance", description="How closely to follow the prompt."
    )
    format: Annotated[ImageFormat, Advanced()] = Field(
        "png", title="Format", description="File format of the result."
    )


class TextToImage(_Picture):
    """Make a picture from a description."""

    prompt: Prompt = Field(title="Prompt", description="What the picture should show.")
    width: Side = Field(512, title="Width", description="Width in pixels.")
    height: Side = Field(512, title="Height", description="Height in pixels.")


class LatentWalk(TextToImage):
    """Walk from one description to another; every step on the way is a picture."""

    prompt_2: Prompt = Field(
        title="Second prompt", description="Where the walk ends; the count says in how many steps."
    )
    count: Annotated[int, Field(ge=2, le=64)] = Field(
        8, title="Count", description="In how many pictures, the first and the last among them."
    )


class ImageToImage(_Picture):
    """Make a picture anew after a description, on what another picture shows."""

    prompt: Prompt = Field(title="Prompt", description="What the picture should show.")
    image: Annotated[MediaId, Media("image")] = Field(
        title="Picture", description="The picture to begin with: an output's or an upload's id."
    )
    strength: Annotated[float, Field(ge=0.1, le=1)] = Field(
        0.6, title="Strength", description="How much may change: 1 keeps nothing of the picture."
    )
    width: Side | None = Field(None, title="Width", description="Width in pixels.")
    height: Side | None = Field(None, title="Height", description="Height in pixels.")


class Inpainting(_Picture):
    """Paint a part of a picture anew; what lies outside the mask stays exactly as it is."""

    prompt: Prompt = Field(title="Prompt", description="What the picture should show.")
    image: Annotated[MediaId, Media("image")] = Field(
        title="Picture", description="The picture to begin with: an output's or an upload's id."
    )
    mask: Annotated[MediaId, Media("mask", "inputTo")] = Field(
        title="Mask", description="Where to paint: what is light, or painted on transparency."
    )
    strength: Annotated[float, Field(ge=0.1, le=1)] = Field(
        1.0, title="Strength", description="How much may change: 1 keeps nothing of the picture."
    )
    width: Annotated[Side, Advanced()] | None = Field(
        None, title="Width", description="Width in pixels."
    )
    height: Annotated[Side, Advanced()] | None = Field(
        None, title="Height", description="Height in pixels."
    )


class ImageConversion(Request):
    """Save a picture in another format, or smaller."""

    image: Annotated[MediaId, Media("image")] = Field(
        title="Picture", description="The picture: an output's or an upload's id."
    )
    format: ImageFormat = Field("webp", title="Format", description="File format of the result.")
    longest: Annotated[int, Field(ge=16, le=8192)] | None = Field(
        None, title="Longest side", description="Pixels of it at most; empty keeps the size."
    )


class ImageUpscaling(Request):
    """Make a picture larger, and as sharp as the model can."""

    image: Annotated[MediaId, Media("image")] = Field(
        title="Picture", description="The picture: an output's or an upload's id."
    )
    factor: Factor = Field(
        2.0, title="Factor", description="How many times wider and higher it becomes."
    )
    format: Annotated[ImageFormat, Advanced()] = Field(
        "png", title="Format", description="File format of the result."
    )


class ImageLettering(Request):
    """Write a text on a picture."""

    image: Annotated[MediaId, Media("image")] = Field(
        title="Picture", description="The picture: an output's or an upload's id."
    )
    text: Annotated[Text, Field(min_length=1, max_length=300), AfterValidator(not_blank)] = Field(
        title="Text", description="What to write; it is broken into lines that fit."
    )
    place: Literal["top", "middle", "bottom"] = Field(
        "bottom", title="Place", description="Where on the picture."
    )
    size: Literal["small", "medium", "large"] = Field(
        "medium", title="Size", description="How large the letters are, if the text fits."
    )
    ink: Literal["light", "dark"] = Field(
        "light", title="Ink", description="Light letters on a dark band, or dark ones on a light."
    )
    format: Annotated[ImageFormat, Advanced()] = Field(
        "png", title="Format", description="File format of the result."
    )
