"""Plants and animals."""

from __future__ import annotations

import math

import numpy as np

from world.colours import mix
from world.drawing import Part
from world.paint import BARK, BEAK, CREAM, INK, LAMP, LEAF, Paint, fill, tint
from world.shapes import curve, ellipse, polygon, turn


def tree(paint: Paint) -> list[Part]:
    """A trunk and a round crown in the named colour."""
    trunk = polygon((-0.11, 0.1), (0.11, 0.1), (0.18, 1.0), (-0.18, 1.0))
    crown = curve(
        (-0.78, 0.1),
        (-0.72, -0.38),
        (-0.34, -0.62),
        (0.0, -1.0),
        (0.36, -0.64),
        (0.74, -0.36),
        (0.78, 0.12),
        (0.4, 0.4),
        (0.0, 0.32),
        (-0.4, 0.4),
    )
    lights = [
        ellipse(-0.28, -0.36, 0.2, 0.14),
        ellipse(-0.42, 0.02, 0.14, 0.1),
        ellipse(0.1, -0.6, 0.13, 0.1),
    ]
    return [
        fill(BARK, trunk),
        Part((crown,), paint.main, paint.shade),
        *(tint(paint.light, light) for light in lights),
    ]


def flower(paint: Paint) -> list[Part]:
    """Six petals in the named colour."""
    centre = LAMP if paint.main[2] > 90 or paint.main[1] < 120 else (150, 90, 50)
    petals = []
    for turned in range(6):
        angle = math.radians(60 * turned)
        petals.append(
            turn(ellipse(0.42, 0, 0.28, 0.2), math.degrees(angle))
            + np.array([0, -0.36], np.float32)
        )
    return [
        fill(
            LEAF,
            curve(
                (-0.05, -0.2), (0.05, -0.2), (0.07, 0.4), (0.05, 1.0), (-0.05, 1.0), (-0.03, 0.4)
            ),
        ),
        fill(LEAF, curve((0.02, 0.76), (0.3, 0.36), (0.56, 0.36), (0.4, 0.62))),
        fill(LEAF, curve((-0.02, 0.86), (-0.3, 0.48), (-0.54, 0.5), (-0.38, 0.76))),
        *(
            fill(paint.main if turned % 2 else mix(paint.main, paint.light, 0.35), petal)
            for turned, petal in enumerate(petals)
        ),
        fill(centre, ellipse(0, -0.36, 0.22)),
    ]


def mushroom(paint: Paint) -> list[Part]:
    """A dotted cap in the named colour."""
    cap = curve(
        (-0.92, 0.16),
        (-0.78, -0.4),
        (-0.3, -0.86),
        (0.3, -0.86),
        (0.78, -0.4),
        (0.92, 0.16),
        (0.5, 0.26),
        (-0.5, 0.26),
    )
    spot = CREAM if sum(paint.main) < 640 else (222, 110, 100)
    spots = [
        ellipse(-0.4, -0.34, 0.15),
        ellipse(0.12, -0.6, 0.13),
        ellipse(0.5, -0.16, 0.16),
        ellipse(-0.02, -0.06, 0.12),
    ]
    return [
        Part(
            (
                curve(
                    (-0.26, 0.1), (0.26, 0.1), (0.24, 0.6), (0.36, 1.0), (-0.36, 1.0), (-0.24, 0.6)
                ),
            ),
            CREAM,
            (224, 206, 182),
        ),
        Part((cap,), paint.main, paint.shade),
        *(tint(spot, each) for each in spots),
    ]


def apple(paint: Paint) -> list[Part]:
    """An apple with a leaf."""
    body = curve(
        (0.0, -0.4),
        (0.36, -0.58),
        (0.78, -0.36),
        (0.82, 0.2),
        (0.5, 0.84),
        (0.2, 0.96),
        (0.0, 0.88),
        (-0.2, 0.96),
        (-0.5, 0.84),
        (-0.82, 0.2),
        (-0.78, -0.36),
        (-0.36, -0.58),
    )
    return [
        fill(BARK, polygon((-0.05, -0.36), (0.0, -0.86), (0.12, -0.86), (0.06, -0.36))),
        fill(LEAF, curve((0.08, -0.66), (0.3, -0.98), (0.66, -0.92), (0.44, -0.64))),
        Part((body,), paint.main, paint.shade),
        tint(paint.light, turn(ellipse(-0.44, -0.1, 0.12, 0.22), 16)),
    ]


def cat(paint: Paint) -> list[Part]:
    """A sitting cat, seen from the front."""
    tail = curve(
        (0.36, 0.92),
        (0.72, 0.84),
        (0.82, 0.5),
        (0.7, 0.24),
        (0.82, 0.16),
        (0.98, 0.46),
        (0.88, 0.9),
        (0.56, 1.02),
    )
    body = curve(
        (-0.3, 0.0), (0.3, 0.0), (0.5, 0.6), (0.46, 1.0), (0.0, 1.02), (-0.46, 1.0), (-0.5, 0.6)
    )
    head = curve(
        (-0.52, -0.36),
        (-0.5, -0.98),
        (-0.22, -0.74),
        (0.22, -0.74),
        (0.5, -0.98),
        (0.52, -0.36),
        (0.34, -0.04),
        (0.0, 0.04),
        (-0.34, -0.04),
    )
    dark = sum(paint.main) < 160
    eye, nose = ((250, 226, 120) if dark else INK), (240, 150, 160)
    return [
        Part((tail,), paint.shade),
        Part((body,), paint.main, paint.shade),
        tint(paint.light, ellipse(0, 0.62, 0.22, 0.3)),
        Part((head,), paint.main, mix(paint.main, paint.shade, 0.4)),
        tint(nose, polygon((-0.42, -0.72), (-0.42, -0.84), (-0.3, -0.72))),
        tint(nose, polygon((0.42, -0.72), (0.42, -0.84), (0.3, -0.72))),
        tint(eye, ellipse(-0.2, -0.36, 0.08, 0.1)),
        tint(eye, ellipse(0.2, -0.36, 0.08, 0.1)),
        tint(nose, polygon((-0.07, -0.2), (0.07, -0.2), (0.0, -0.11))),
    ]


def fish(paint: Paint) -> list[Part]:
    """A fish, swimming to the right."""
    body = curve(
        (-0.5, 0.0),
        (-0.1, -0.42),
        (0.42, -0.42),
        (0.9, -0.08),
        (0.94, 0.08),
        (0.42, 0.42),
        (-0.1, 0.42),
    )
    tail = curve((-0.42, 0.0), (-0.96, -0.46), (-0.8, 0.0), (-0.96, 0.46))
    fin = curve((-0.1, -0.36), (0.0, -0.7), (0.4, -0.66), (0.42, -0.38))
    return [
        fill(paint.shade, tail),
        fill(paint.shade, fin),
        Part((body,), paint.main, mix(paint.main, paint.shade, 0.6)),
        tint(
            paint.light,
            curve(
                (0.02, -0.36), (0.14, -0.38), (0.06, 0.0), (0.14, 0.38), (0.02, 0.36), (-0.06, 0.0)
            ),
        ),
        tint((255, 255, 255), ellipse(0.6, -0.1, 0.13)),
        tint(INK, ellipse(0.63, -0.1, 0.07)),
    ]


def bird(paint: Paint) -> list[Part]:
    """A bird on the wing, flying to the right."""
    body = curve(
        (-0.62, 0.1),
        (-0.2, -0.2),
        (0.2, -0.5),
        (0.56, -0.56),
        (0.74, -0.26),
        (0.56, 0.2),
        (0.1, 0.5),
        (-0.36, 0.42),
    )
    tail = polygon((-0.44, 0.06), (-0.98, -0.06), (-0.94, 0.34), (-0.4, 0.34))
    wing = curve(
        (0.16, 0.06), (-0.1, -0.36), (-0.62, -0.9), (-0.56, -0.3), (-0.3, 0.22), (0.0, 0.24)
    )
    return [
        fill(paint.shade, tail),
        fill(BEAK, polygon((0.7, -0.4), (1.0, -0.26), (0.7, -0.16))),
        Part((body,), paint.main, mix(paint.main, paint.shade, 0.5)),
        fill(paint.light, wing),
        tint((255, 255, 255), ellipse(0.5, -0.32, 0.11)),
        tint(INK, ellipse(0.52, -0.32, 0.06)),
    ]


def butterfly(paint: Paint) -> list[Part]:
    """Four spotted wings."""
    upper = curve((0.04, -0.1), (0.3, -0.74), (0.8, -0.82), (0.94, -0.36), (0.6, 0.08), (0.1, 0.1))
    lower = curve((0.06, 0.08), (0.56, 0.12), (0.76, 0.46), (0.5, 0.84), (0.18, 0.6))
    mirror = np.array([-1, 1], np.float32)
    parts = []
    for side in (np.ones(2, np.float32), mirror):
        parts += [
            fill(paint.shade, lower * side),
            Part((upper * side,), mix(paint.main, paint.light, 0.3), paint.main),
            tint(paint.light, ellipse(0.58, -0.44, 0.14) * side),
            tint(paint.light, ellipse(0.46, 0.46, 0.1) * side),
        ]
    return [*parts, fill(INK, ellipse(0, 0.06, 0.075, 0.5))]
