"""Requests that make films."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from studio.tasks.image import MediaId, Side
from studio.tasks.request import Advanced, Media, Multiline, Prompt, Request, Text

VideoFormat = Literal["mp4", "h265", "av1", "webm", "gif"]

_Duration = Annotated[float, Field(ge=0.1, le=60)]
_Rate = Annotated[int, Field(ge=1, le=60)]


class _Film(Request):
    """What every request for a film can say beside what it is about."""

    duration: _Duration = Field(2.0, title="Duration", description="Length in seconds.")
    fps: _Rate = Field(8, title="Frames per second", description="More is smoother and slower.")
    negative_prompt: Annotated[Text, Field(max_length=4000), Multiline(), Advanced()] = Field(
        "", title="Negative prompt", description="What the film should not show."
    )
    steps: Annotated[int, Field(ge=1, le=150), Advanced()] = Field(
        30, title="Steps", description="Denoising steps: more is slower and often finer."
    )
    guidance: Annotated[float, Field(ge=0, le=30), Advanced()] = Field(
        6.0, title="Guidance", description="How closely to follow the prompt."
    )
    format: Annotated[VideoFormat, Advanced()] = Field(
        "mp4", title="Format", description="File format of the result; h265 and av1 are smaller."
    )


class TextToVideo(_Film):
    """Make a film from a description."""

    prompt: Prompt = Field(title="Prompt", description="What the film should show, and its motion.")
    width: Side = Field(512, title="Width", description="Width in pixels.")
    height: Side = Field(512, title="Height", description="Height in pixels.")


class ImageToVideo(_Film):
    """Set a picture in motion."""

    image: Annotated[MediaId, Media("image")] = Field(
        title="Picture", description="The first picture of the film: an output's or upload's id."
    )
    prompt: Annotated[Text, Field(max_length=4000), Multiline()] = Field(
        "", title="Prompt", description="What the film should show, and its motion."
    )
    last_image: Annotated[MediaId, Media("image"), Advanced()] | None = Field(
        None, title="Last picture", description="Where the film ends; few models can do it."
    )
    motion: Annotated[float, Field(ge=0, le=2)] = Field(
        1.0, title="Motion", description="How much moves: 1 is the model's usual amount."
    )
    width: Side | None = Field(None, title="Width", description="Width in pixels.")
    height: Side | None = Field(None, title="Height", description="Height in pixels.")


class VideoToVideo(_Film):
    """Make a film anew after a description, on what another film shows."""

    prompt: Prompt = Field(title="Prompt", description="What the film should show.")
    video: Annotated[MediaId, Media("video")] = Field(
        title="Film", description="The film to begin with: an output's or an upload's id."
    )
    strength: Annotated[float, Field(ge=0.1, le=1)] = Field(
        0.7, title="Strength", description="How much may change: 1 keeps nothing of the film."
    )
    width: Side | None = Field(None, title="Width", description="Width in pixels.")
    height: Side | None = Field(None, title="Height", description="Height in pixels.")


class VideoExtension(_Film):
    """Let a film go on from its last picture."""

    video: Annotated[MediaId, Media("video")] = Field(
        title="Film", description="The film to go on with: an output's or an upload's id."
    )
    prompt: Annotated[Text, Field(max_length=4000), Multiline()] = Field(
        "", title="Prompt", description="What happens next."
    )
    duration: _Duration = Field(
        2.0,
        title="Duration",
        description="Seconds to draw, beginning with the film's last picture.",
    )
    motion: Annotated[float, Field(ge=0, le=2)] = Field(
        1.0, title="Motion", description="How much moves: 1 is the model's usual amount."
    )
    width: Annotated[Side, Advanced()] | None = Field(
        None, title="Width", description="Width that the model draws; the film keeps its own."
    )
    height: Annotated[Side, Advanced()] | None = Field(
        None, title="Height", description="Height that the model draws; the film keeps its own."
    )


class PromptTravel(TextToVideo):
    """Travel from one description to another, as a film of pictures."""

    prompt_2: Prompt = Field(title="Second prompt", description="Where the journey ends.")


class ImageMorphing(_Film):
    """Turn one picture into another, as a film of pictures in between."""

    image: Annotated[MediaId, Media("image", "componentOf")] = Field(
        title="Picture", description="Where it begins: an output's or an upload's id."
    )
    image_2: Annotated[MediaId, Media("image", "componentOf")] = Field(
        title="Second picture", description="Where it ends: an output's or an upload's id."
    )
    prompt: Annotated[Text, Field(max_length=4000), Multiline()] = Field(
        "", title="Prompt", description="What the pictures in between should show."
    )
    strength: Annotated[float, Field(ge=0.1, le=1)] = Field(
        0.5, title="Strength", description="How freely it draws: 1 keeps nothing of the pictures."
    )
    width: Side | None = Field(None, title="Width", description="Width in pixels.")
    height: Side | None = Field(None, title="Height", description="Height in pixels.")
