"""A drawing: coloured polygons in painting order, before anybody has decided on a size or a style.

Coordinates run from 0 to 1, right and down. Keeping the drawing apart from its pixels is what lets
one scene be rendered at 64, 128 and 512 pixels, in every style, with the same content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from world.colours import RGB
from world.shapes import Points


class Layer(Enum):
    """What a part belongs to, from back to front."""

    SKY = 0
    SCENERY = 1
    THING = 2
    WEATHER = 3


Picture = np.ndarray
"""A (height, width, 3) array of 8-bit red, green and blue."""

_SHIFT = 4  # fractional bits of OpenCV's fixed-point corners


@dataclass(frozen=True, slots=True)
class Part:
    """One polygon, possibly with holes (even-odd rule).

    `bottom_colour` makes a gradient from top to bottom. `layer` says what the part belongs to, so
    that a style can treat sky, scenery and things differently. `contour` is false for shading that
    a pen would not trace.
    """

    contours: tuple[Points, ...]
    colour: RGB
    bottom_colour: RGB | None = None
    layer: Layer = Layer.THING
    contour: bool = True


def fixed(contours: Sequence[Points], size: int) -> list[np.ndarray]:
    """The contours in OpenCV's fixed-point pixels, for a canvas of `size` pixels."""
    factor = float(size << _SHIFT)
    return [np.rint(points * factor - (1 << _SHIFT) / 2).astype(np.int32) for points in contours]


def fill(canvas: Picture, part: Part) -> None:
    """Paint one part onto a square canvas."""
    corners = fixed(part.contours, canvas.shape[0])
    if part.bottom_colour is None:
        cv2.fillPoly(canvas, corners, part.colour, cv2.LINE_8, _SHIFT)
        return
    height, width = canvas.shape[:2]
    left, top = np.maximum(np.min([points.min(axis=0) for points in corners], axis=0) >> _SHIFT, 0)
    right, bottom = np.max([points.max(axis=0) for points in corners], axis=0) >> _SHIFT
    right, bottom = min(int(right) + 2, width), min(int(bottom) + 2, height)
    if left >= right or top >= bottom:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    offset = np.array([left, top], np.int32) << _SHIFT
    cv2.fillPoly(mask, [points - offset for points in corners], 255, cv2.LINE_8, _SHIFT)
    share = np.linspace(0.0, 1.0, bottom - top, dtype=np.float32)[:, None]
    first, last = (np.array(colour, np.float32) for colour in (part.colour, part.bottom_colour))
    rows = np.rint(first + (last - first) * share).astype(np.uint8)[:, None, :]
    gradient = np.broadcast_to(rows, (bottom - top, right - left, 3))
    cv2.copyTo(np.ascontiguousarray(gradient), mask, canvas[top:bottom, left:right])


def rasterise(parts: Sequence[Part], size: int, supersampling: int = 3) -> Picture:
    """The plain rendering: every part filled, edges smoothed by averaging finer pixels."""
    canvas = np.zeros((size * supersampling, size * supersampling, 3), np.uint8)
    for part in parts:
        fill(canvas, part)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
