"""Requests that make three-dimensional objects, and films of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from studio.tasks.image import MediaId, Side
from studio.tasks.request import Advanced, Media, Prompt, Request
from studio.tasks.video import VideoFormat

MeshFormat = Literal["glb", "obj", "ply"]


class _Object(Request):
    """What every request for an object can say beside what it is about."""

    detail: Annotated[int, Field(ge=16, le=256)] = Field(
        128, title="Detail", description="Cells along each side of the space that it is cut from."
    )
    steps: Annotated[int, Field(ge=1, le=150), Advanced()] = Field(
        64, title="Steps", description="Denoising steps: more is slower and often finer."
    )
    guidance: Annotated[float, Field(ge=0, le=30), Advanced()] = Field(
        15.0, title="Guidance", description="How closely to follow what was given."
    )
    format: Annotated[MeshFormat, Advanced()] = Field(
        "glb", title="Format", description="File format of the result."
    )


class TextTo3D(_Object):
    """Make an object from a description."""

    prompt: Prompt = Field(title="Prompt", description="What the object should be.")


class ImageTo3D(_Object):
    """Make an object from a picture of it."""

    image: Annotated[MediaId, Media("image")] = Field(
        title="Picture", description="One thing on a plain ground: an output's or an upload's id."
    )
    guidance: Annotated[float, Field(ge=0, le=30), Advanced()] = Field(
        3.0, title="Guidance", description="How closely to follow what was given."
    )


class ObjectTurntable(Request):
    """Film an object as it turns once around itself."""

    object: Annotated[MediaId, Media("mesh", "inputTo")] = Field(
        title="Object", description="The object: an output's id or a file."
    )
    duration: Annotated[float, Field(ge=0.5, le=30)] = Field(
        4.0, title="Duration", description="Seconds of one turn."
    )
    fps: Annotated[int, Field(ge=1, le=60)] = Field(
        24, title="Frames per second", description="More is smoother and slower."
    )
    elevation: Annotated[float, Field(ge=-80, le=80)] = Field(
        20.0, title="Elevation", description="Degrees that the eye stands above it."
    )
    width: Side = Field(512, title="Width", description="Width in pixels.")
    height: Side = Field(512, title="Height", description="Height in pixels.")
    format: Annotated[VideoFormat, Advanced()] = Field(
        "mp4", title="Format", description="File format of the result."
    )
