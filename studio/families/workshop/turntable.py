"""The turntable: an object as it turns once around itself, drawn face by face on the processor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.draft import Array, Draft, blank_frames

Pixels = NDArray[np.uint8]

#: How many radii of the object the eye is away, and how much of the shorter side the object fills.
_DISTANCE, _FILLED = 3.5, 0.9
#: Where the light comes from, seen from the eye: right, up, towards it; and what is lit without it.
_LIGHT, _SHADOW = np.array((0.4, 0.7, 0.6)) / np.linalg.norm((0.4, 0.7, 0.6)), 0.3
#: What it stands before, and what it has without colours of its own, as light.
_GROUND, _CLAY = (246, 241, 232), 0.6
#: Drawn this many times larger and averaged; corners lie at this fraction of a pixel, in bits.
_FINER, _BITS = 2, 4


def turn(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """One turn to the right, seen in perspective; the last frame leads to the first."""
    mesh, fps = inputs["object"].arrays, int(request["fps"])
    width, height = int(request["width"]), int(request["height"])
    corners = np.asarray(mesh["vertices"], np.float64)
    faces = np.asarray(mesh["faces"])
    corners -= (corners.max(axis=0) + corners.min(axis=0)) / 2
    corners /= max(float(np.linalg.norm(corners, axis=1).max()), 1e-12)
    light = np.full((len(faces), 3), _CLAY)
    if "colours" in mesh:
        light = (np.asarray(mesh["colours"])[faces] / 255).mean(axis=1)
    frames = blank_frames(max(1, round(request["duration"] * fps)), height, width)
    tilt = math.radians(request["elevation"])
    for place, frame in enumerate(frames):
        around = 2 * math.pi * place / len(frames)
        frame[:] = _seen(corners @ _turned(around, tilt).T, faces, light, (width, height))
        tell(place / len(frames))
    return {"frames": frames}, {"fps": fps}


def _turned(around: float, tilt: float) -> NDArray[np.float64]:
    """The rotation about the vertical axis, and then towards an eye that looks down by `tilt`."""
    sine, cosine = math.sin(around), math.cos(around)
    about = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    down, level = math.sin(tilt), math.cos(tilt)
    towards: NDArray[np.float64] = np.array([[1, 0, 0], [0, level, -down], [0, down, level]])
    return np.asarray(towards @ about)


def _seen(
    corners: NDArray[np.float64],
    faces: NDArray[np.int32],
    light: NDArray[np.float64],
    size: tuple[int, int],
) -> Pixels:
    """What the eye sees: faces from the farthest to the nearest, each in one colour."""
    width, height = size
    one, two, three = (corners[faces[:, n]] for n in range(3))
    facing = np.cross(two - one, three - one)
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    # From both sides: strangers' faces are wound either way.
    lit = _SHADOW + (1 - _SHADOW) * np.abs(facing @ _LIGHT)
    colours = (255 * (light * lit[:, None]).clip(0, 1) ** (1 / 2.2)).round()
    depth = _DISTANCE - corners[:, 2]
    # So that the ball around the object fills what it may.
    reach = _FILLED * min(size) / 2 * math.sqrt(_DISTANCE**2 - 1)
    points = np.stack([corners[:, 0], -corners[:, 1]], axis=1) * (reach / depth)[:, None]
    points = (points + np.array(size) / 2) * (_FINER << _BITS)
    triangles = points.round().astype(np.int32)[faces]
    canvas = np.full((height * _FINER, width * _FINER, 3), _GROUND, np.uint8)
    order = np.argsort(-depth[faces].mean(axis=1))
    for triangle, colour in zip(triangles[order], colours[order].tolist(), strict=True):
        cv2.fillConvexPoly(canvas, triangle, colour, shift=_BITS)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)
