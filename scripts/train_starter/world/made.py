"""Things that people make."""

from __future__ import annotations

import numpy as np

from world.colours import mix
from world.drawing import Part
from world.paint import BARK, CREAM, GLASS, INK, LAMP, Paint, fill, tint
from world.shapes import box, curve, ellipse, polygon, turn


def house(paint: Paint) -> list[Part]:
    """Walls in the named colour; the roof keeps its distance from it."""
    slate = (94, 84, 104) if paint.main[0] > paint.main[2] + 40 else (188, 92, 74)
    return [
        fill(mix(slate, INK, 0.3), box(0.34, -0.9, 0.56, -0.4)),
        Part((box(-0.72, -0.24, 0.72, 1.0),), paint.main, mix(paint.main, paint.shade, 0.5)),
        fill(slate, polygon((-0.94, -0.2), (-0.5, -0.86), (0.5, -0.86), (0.94, -0.2))),
        fill(mix(BARK, INK, 0.15), box(-0.16, 0.38, 0.2, 1.0)),
        fill(LAMP, box(-0.54, 0.1, -0.26, 0.4)),
        fill(LAMP, box(0.32, 0.1, 0.58, 0.4)),
        tint(LAMP, ellipse(0.12, 0.72, 0.04)),
    ]


def boat(paint: Paint) -> list[Part]:
    """A hull in the named colour under cream sails."""
    hull = curve((-1.0, 0.42), (-0.2, 0.5), (0.98, 0.38), (0.62, 0.92), (0.0, 1.0), (-0.66, 0.9))
    hull = polygon(
        (-1.0, 0.42), (1.0, 0.42), (0.74, 0.86), (0.5, 0.98), (-0.52, 0.98), (-0.78, 0.86)
    )
    return [
        fill(BARK, box(-0.06, -1.0, 0.04, 0.44)),
        Part((polygon((0.1, -0.92), (0.14, 0.28), (0.84, 0.28)),), CREAM, (226, 212, 188)),
        Part((polygon((-0.12, -0.74), (-0.12, 0.28), (-0.62, 0.28)),), CREAM, (226, 212, 188)),
        Part((hull,), paint.main, paint.shade),
        tint(paint.light, polygon((-0.95, 0.5), (0.95, 0.5), (0.91, 0.58), (-0.91, 0.58))),
    ]


def car(paint: Paint) -> list[Part]:
    """A small car, driving to the right."""
    cabin = curve((-0.56, 0.1), (-0.4, -0.42), (0.0, -0.5), (0.34, -0.42), (0.62, 0.1), (0.0, 0.14))
    body = curve(
        (-0.98, 0.3),
        (-0.86, 0.06),
        (-0.4, -0.02),
        (0.4, -0.02),
        (0.86, 0.1),
        (1.0, 0.36),
        (0.94, 0.66),
        (0.0, 0.7),
        (-0.96, 0.66),
    )
    wheels = [part for x in (-0.52, 0.54) for part in _wheel(x, 0.66)]
    return [
        fill(paint.main, cabin),
        tint(GLASS, polygon((-0.42, 0.02), (-0.3, -0.32), (-0.04, -0.38), (-0.04, 0.02))),
        tint(GLASS, polygon((0.06, 0.02), (0.06, -0.38), (0.28, -0.32), (0.46, 0.02))),
        Part((body,), paint.main, paint.shade),
        tint(paint.light, curve((-0.84, 0.16), (0.0, 0.08), (0.84, 0.2), (0.0, 0.17))),
        tint(LAMP, ellipse(0.9, 0.34, 0.07, 0.09)),
        *wheels,
    ]


def _wheel(x: float, y: float) -> list[Part]:
    return [fill((52, 50, 60), ellipse(x, y, 0.27)), tint((206, 208, 214), ellipse(x, y, 0.12))]


def rocket(paint: Paint) -> list[Part]:
    """A rocket on its flame."""
    body = curve(
        (0.0, -1.0),
        (0.26, -0.6),
        (0.34, -0.1),
        (0.26, 0.5),
        (0.0, 0.54),
        (-0.26, 0.5),
        (-0.34, -0.1),
        (-0.26, -0.6),
    )
    left = curve((-0.28, 0.1), (-0.6, 0.44), (-0.62, 0.78), (-0.24, 0.5))
    trim = CREAM if sum(paint.main) < 640 else (214, 84, 76)
    return [
        fill(
            (255, 150, 60),
            curve((-0.18, 0.5), (0.18, 0.5), (0.14, 0.78), (0.0, 1.0), (-0.14, 0.78)),
        ),
        tint(LAMP, curve((-0.09, 0.5), (0.09, 0.5), (0.0, 0.8))),
        fill(paint.shade, left),
        fill(paint.shade, left * np.array([-1, 1], np.float32)),
        Part((body,), paint.main, mix(paint.main, paint.shade, 0.7)),
        tint(
            trim,
            curve(
                (0.0, -1.0),
                (0.14, -0.78),
                (0.24, -0.56),
                (0.0, -0.5),
                (-0.24, -0.56),
                (-0.14, -0.78),
            ),
        ),
        fill(trim, ellipse(0, -0.14, 0.19)),
        tint((90, 160, 214), ellipse(0, -0.14, 0.13)),
    ]


def balloon(paint: Paint) -> list[Part]:
    """A balloon on a string."""
    skin = curve(
        (0.0, -1.0),
        (0.44, -0.84),
        (0.6, -0.4),
        (0.4, 0.08),
        (0.0, 0.4),
        (-0.4, 0.08),
        (-0.6, -0.4),
        (-0.44, -0.84),
    )
    return [
        tint(
            mix(INK, (255, 255, 255), 0.35),
            curve(
                (-0.02, 0.44),
                (0.1, 0.6),
                (-0.04, 0.8),
                (0.04, 1.0),
                (0.0, 1.0),
                (-0.1, 0.8),
                (0.04, 0.6),
                (-0.04, 0.44),
            ),
        ),
        fill(paint.shade, polygon((0.0, 0.34), (0.12, 0.5), (-0.12, 0.5))),
        Part((skin,), paint.main, paint.shade),
        tint(paint.light, turn(ellipse(-0.42, -0.52, 0.11, 0.2), 24)),
    ]


def umbrella(paint: Paint) -> list[Part]:
    """An open umbrella."""
    canopy = curve(
        (-0.98, 0.06),
        (-0.84, -0.44),
        (-0.4, -0.8),
        (0.0, -0.9),
        (0.4, -0.8),
        (0.84, -0.44),
        (0.98, 0.06),
        (0.66, -0.06),
        (0.34, 0.06),
        (0.0, -0.06),
        (-0.34, 0.06),
        (-0.66, -0.06),
    )
    panel = curve(
        (0.0, -0.88), (0.2, -0.5), (0.33, 0.04), (0.0, -0.07), (-0.33, 0.04), (-0.2, -0.5)
    )
    handle = curve(
        (-0.04, -0.1),
        (0.04, -0.1),
        (0.04, 0.78),
        (0.12, 0.9),
        (0.22, 0.84),
        (0.28, 0.74),
        (0.34, 0.78),
        (0.26, 0.96),
        (0.1, 1.0),
        (-0.04, 0.84),
    )
    return [
        fill(BARK, handle),
        Part((canopy,), paint.main, mix(paint.main, paint.shade, 0.6)),
        tint(mix(paint.main, paint.light, 0.5), panel),
        fill(BARK, box(-0.03, -1.0, 0.03, -0.86)),
    ]
