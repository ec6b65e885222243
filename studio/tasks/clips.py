"""Requests that work on a finished film, without a model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from studio.tasks.image import Factor, ImageFormat, MediaId
from studio.tasks.request import Advanced, Media, Request
from studio.tasks.video import VideoFormat


class _Clip(Request):
    """What every tool for a film is given."""

    video: Annotated[MediaId, Media("video")] = Field(
        title="Film", description="The film: an output's or an upload's id."
    )
    format: Annotated[VideoFormat, Advanced()] = Field(
        "mp4", title="Format", description="File format of the result."
    )


class VideoStill(Request):
    """Take one picture out of a film."""

    video: Annotated[MediaId, Media("video")] = Field(
        title="Film", description="The film: an output's or an upload's id."
    )
    at: Annotated[float, Field(ge=0, le=3600)] | None = Field(
        None, title="At", description="Seconds from its beginning; empty is its last picture."
    )
    format: Annotated[ImageFormat, Advanced()] = Field(
        "png", title="Format", description="File format of the result."
    )


class VideoInterpolation(_Clip):
    """Give a film more pictures per second; it is no longer and no slower for that."""

    fps: Annotated[int, Field(ge=2, le=60)] = Field(
        24, title="Frames per second", description="How many it is to have."
    )
    way: Literal["motion", "blend"] = Field(
        "motion",
        title="Way",
        description="Follow what moves from frame to frame, or lay frames over each other.",
    )


class VideoLooping(_Clip):
    """Let a film begin again without a jump."""

    way: Literal["there and back", "crossfade"] = Field(
        "there and back",
        title="Way",
        description="Backwards to its beginning, silently, or its end faded into its beginning.",
    )
    times: Annotated[int, Field(ge=1, le=20)] = Field(
        1, title="Times", description="How often it goes round."
    )


class VideoUpscaling(_Clip):
    """Make a film larger, with its sound."""

    factor: Factor = Field(
        2.0, title="Factor", description="How many times wider and higher it becomes."
    )
