"""Requests that make pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from studio.tasks.request import Advanced, Multiline, Prompt, Request, Text

ImageFormat = Literal["png", "webp", "jpeg"]

#: A side of a picture in pixels. Diffusion latents are an eighth of the picture.
Side = Annotated[int, Field(ge=64, le=4096, multiple_of=8)]


class TextToImage(Request):
    """Make a picture from a description."""

    prompt: Prompt = Field(title="Prompt", description="What the picture should show.")
    negative_prompt: Annotated[Text, Field(max_length=4000), Multiline(), Advanced()] = Field(
        "", title="Negative prompt", description="What the picture should not show."
    )
    width: Side = Field(512, title="Width", description="Width in pixels.")
    height: Side = Field(512, title="Height", description="Height in pixels.")
    steps: Annotated[int, Field(ge=1, le=150), Advanced()] = Field(
        30, title="Steps", description="Denoising steps: more is slower and often finer."
    )
    guidance: Annotated[float, Field(ge=0, le=30), Advanced()] = Field(
        7.0, title="Guidance", description="How closely to follow the prompt."
    )
    format: Annotated[ImageFormat, Advanced()] = Field(
        "png", title="Format", description="File format of the result."
    )
