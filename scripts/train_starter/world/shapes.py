"""Outlines of the plain shapes, as polygons around the origin with a radius of about one.

Everything the world draws is made of polygons: a polygon can be filled, outlined, made to glow or
dropped onto a coarse grid, and it is as sharp at 512 pixels as at 64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

Points = np.ndarray
"""An (n, 2) array of x (right) and y (down)."""


def polygon(*corners: tuple[float, float]) -> Points:
    """A polygon from its corners."""
    return np.array(corners, dtype=np.float32)


def ellipse(
    x: float, y: float, across: float, down: float | None = None, steps: int = 40
) -> Points:
    """An ellipse by its centre and its two radii; a circle when one radius is given."""
    angle = np.linspace(0.0, 2.0 * math.pi, steps, endpoint=False)
    down = across if down is None else down
    return np.stack([x + across * np.cos(angle), y + down * np.sin(angle)], axis=1).astype(
        np.float32
    )


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """An upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def curve(*anchors: tuple[float, float], steps: int = 8) -> Points:
    """A smooth closed line through the anchors (Catmull-Rom)."""
    points = np.array(anchors, dtype=np.float32)
    before, after, beyond = (np.roll(points, shift, axis=0) for shift in (1, -1, -2))
    t = np.linspace(0.0, 1.0, steps, endpoint=False, dtype=np.float32)[:, None, None]
    line = 0.5 * (
        2 * points
        + (after - before) * t
        + (2 * before - 5 * points + 4 * after - beyond) * t**2
        + (3 * points - before - 3 * after + beyond) * t**3
    )
    return line.transpose(1, 0, 2).reshape(-1, 2).astype(np.float32)


def turn(points: Points, degrees: float) -> Points:
    """The outline turned clockwise around the origin."""
    angle = math.radians(degrees)
    across, down = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    return points @ np.array([across, down], dtype=np.float32)


def star(corners: int = 5, outer: float = 1.1, inner: float = 0.45) -> Points:
    """A star that stands on two of its corners."""
    radius = np.where(np.arange(2 * corners) % 2 == 0, outer, inner)
    angle = np.arange(2 * corners) * math.pi / corners
    return np.stack([radius * np.sin(angle), -radius * np.cos(angle)], axis=1).astype(np.float32)


def heart() -> Points:
    """The usual sine-cubed heart."""
    t = np.linspace(0.0, 2.0 * math.pi, 48, endpoint=False)
    x = np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16
    return np.stack([x, y], axis=1).astype(np.float32)


def _circle() -> tuple[Points, ...]:
    return (ellipse(0.0, 0.0, 1.0, steps=64),)


def _ring() -> tuple[Points, ...]:
    return ellipse(0.0, 0.0, 1.0, steps=64), ellipse(0.0, 0.0, 0.64, steps=64)


def _square() -> tuple[Points, ...]:
    return (box(-0.85, -0.85, 0.85, 0.85),)


def _triangle() -> tuple[Points, ...]:
    return (polygon((0, -1), (1, 0.8), (-1, 0.8)),)


def _star() -> tuple[Points, ...]:
    return (star(),)


def _heart() -> tuple[Points, ...]:
    return (heart(),)


def _diamond() -> tuple[Points, ...]:
    return (polygon((0, -1.1), (0.8, 0), (0, 1.1), (-0.8, 0)),)


def _cross() -> tuple[Points, ...]:
    a = 0.32
    upper = [(-1, a), (-1, -a), (-a, -a), (-a, -1), (a, -1), (a, -a)]
    return (polygon(*upper, *((-x, -y) for x, y in upper)),)


SHAPES: Mapping[str, Callable[[], tuple[Points, ...]]] = MappingProxyType(
    {
        "circle": _circle,
        "square": _square,
        "triangle": _triangle,
        "star": _star,
        "heart": _heart,
        "diamond": _diamond,
        "ring": _ring,
        "cross": _cross,
    }
)
"""Each shape as contours for the even-odd rule: a second contour is a hole."""


def place(contours: tuple[Points, ...], x: float, y: float, radius: float) -> tuple[Points, ...]:
    """The contours moved to (x, y) and scaled to a radius."""
    return tuple(points * radius + np.array([x, y], dtype=np.float32) for points in contours)
