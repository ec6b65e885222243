"""What each kind of thing looks like: parts around the origin, inside a square of radius one.

The named colour is the colour of the largest part, so that "a red boat" has a red hull; small parts keep colours of their
own. Things that stand have their foot at y = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from world.colours import COLOURS, RGB, mix
from world.drawing import Part
from world.shapes import SHAPES, Points, box, curve, ellipse, polygon, star, turn

INK: RGB = (44, 36, 52)
CREAM: RGB = (250, 240, 218)
GLASS: RGB = (178, 222, 244)
BARK: RGB = (122, 82, 52)
LEAF: RGB = (74, 150, 74)
LAMP: RGB = (255, 222, 128)
BEAK: RGB = (248, 160, 52)


@dataclass(frozen=True, slots=True)
class Paint:
    """A named colour with the two neighbours that give a thing its roundness."""

    main: RGB
    shade: RGB
    light: RGB

    @classmethod
    def of(cls, colour: RGB) -> Paint:
        """Light falls from above, shadows lean towards violet."""
        return cls(colour, mix(colour, (40, 20, 80), 0.2), mix(colour, (255, 255, 255), 0.32))


def _fill(colour: RGB, *contours: Points) -> Part:
    return Part(contours, colour)


def _tint(colour: RGB, *contours: Points) -> Part:
    return Part(contours, colour, contour=False)


def _shape(name: str) -> Callable[[Paint], list[Part]]:
    def draw(paint: Paint) -> list[Part]:
        return [Part(SHAPES[name](), paint.main, mix(paint.main, paint.shade, 0.45))]

    return draw


def _sun(paint: Paint) -> list[Part]:
    rays = star(12, 1.0, 0.7)
    return [
        _fill(mix(paint.main, paint.light, 0.5), rays),
        Part((ellipse(0, 0, 0.64),), paint.main, paint.shade),
        _tint(paint.light, ellipse(-0.16, -0.2, 0.26)),
    ]


def _moon(paint: Paint) -> list[Part]:
    outer = np.radians(np.linspace(51.3, 308.7, 48))
    inner = np.radians(np.linspace(282.6, 77.4, 40))
    crescent = np.concatenate(
        [
            np.stack([np.cos(outer), np.sin(outer)], axis=1),
            np.stack([0.45 + 0.8 * np.cos(inner), 0.8 * np.sin(inner)], axis=1),
        ]
    ).astype(np.float32)
    crescent = turn(crescent + np.array([0.18, 0], np.float32), -24)
    craters = [ellipse(-0.52, 0.28, 0.12), ellipse(-0.42, -0.3, 0.09), ellipse(-0.2, 0.62, 0.08)]
    return [Part((crescent,), paint.main, paint.shade)] + [_tint(paint.shade, c) for c in craters]


def _tree(paint: Paint) -> list[Part]:
    trunk = polygon((-0.11, 0.1), (0.11, 0.1), (0.18, 1.0), (-0.18, 1.0))
    crown = curve(
        (-0.78, 0.1), (-0.72, -0.38), (-0.34, -0.62), (0.0, -1.0), (0.36, -0.64),
        (0.74, -0.36), (0.78, 0.12), (0.4, 0.4), (0.0, 0.32), (-0.4, 0.4),
    )  # fmt: skip
    lights = [ellipse(-0.28, -0.36, 0.2, 0.14), ellipse(-0.42, 0.02, 0.14, 0.1), ellipse(0.1, -0.6, 0.13, 0.1)]  # fmt: skip
    return [
        _fill(BARK, trunk),
        Part((crown,), paint.main, paint.shade),
        *(_tint(paint.light, light) for light in lights),
    ]


def _house(paint: Paint) -> list[Part]:
    slate = (94, 84, 104) if paint.main[0] > paint.main[2] + 40 else (188, 92, 74)
    return [
        _fill(mix(slate, INK, 0.3), box(0.34, -0.9, 0.56, -0.4)),
        Part((box(-0.72, -0.24, 0.72, 1.0),), paint.main, mix(paint.main, paint.shade, 0.5)),
        _fill(slate, polygon((-0.94, -0.2), (-0.5, -0.86), (0.5, -0.86), (0.94, -0.2))),
        _fill(mix(BARK, INK, 0.15), box(-0.16, 0.38, 0.2, 1.0)),
        _fill(LAMP, box(-0.54, 0.1, -0.26, 0.4)),
        _fill(LAMP, box(0.32, 0.1, 0.58, 0.4)),
        _tint(LAMP, ellipse(0.12, 0.72, 0.04)),
    ]


def _boat(paint: Paint) -> list[Part]:
    hull = curve((-1.0, 0.42), (-0.2, 0.5), (0.98, 0.38), (0.62, 0.92), (0.0, 1.0), (-0.66, 0.9))
    hull = polygon((-1.0, 0.42), (1.0, 0.42), (0.74, 0.86), (0.5, 0.98), (-0.52, 0.98), (-0.78, 0.86))
    return [
        _fill(BARK, box(-0.06, -1.0, 0.04, 0.44)),
        Part((polygon((0.1, -0.92), (0.14, 0.28), (0.84, 0.28)),), CREAM, (226, 212, 188)),
        Part((polygon((-0.12, -0.74), (-0.12, 0.28), (-0.62, 0.28)),), CREAM, (226, 212, 188)),
        Part((hull,), paint.main, paint.shade),
        _tint(paint.light, polygon((-0.95, 0.5), (0.95, 0.5), (0.91, 0.58), (-0.91, 0.58))),
    ]


def _car(paint: Paint) -> list[Part]:
    cabin = curve((-0.56, 0.1), (-0.4, -0.42), (0.0, -0.5), (0.34, -0.42), (0.62, 0.1), (0.0, 0.14))
    body = curve(
        (-0.98, 0.3), (-0.86, 0.06), (-0.4, -0.02), (0.4, -0.02), (0.86, 0.1), (1.0, 0.36),
        (0.94, 0.66), (0.0, 0.7), (-0.96, 0.66),
    )  # fmt: skip
    wheels = [part for x in (-0.52, 0.54) for part in _wheel(x, 0.66)]
    return [
        _fill(paint.main, cabin),
        _tint(GLASS, polygon((-0.42, 0.02), (-0.3, -0.32), (-0.04, -0.38), (-0.04, 0.02))),
        _tint(GLASS, polygon((0.06, 0.02), (0.06, -0.38), (0.28, -0.32), (0.46, 0.02))),
        Part((body,), paint.main, paint.shade),
        _tint(paint.light, curve((-0.84, 0.16), (0.0, 0.08), (0.84, 0.2), (0.0, 0.17))),
        _tint(LAMP, ellipse(0.9, 0.34, 0.07, 0.09)),
        *wheels,
    ]


def _wheel(x: float, y: float) -> list[Part]:
    return [_fill((52, 50, 60), ellipse(x, y, 0.27)), _tint((206, 208, 214), ellipse(x, y, 0.12))]


def _cat(paint: Paint) -> list[Part]:
    tail = curve(
        (0.36, 0.92), (0.72, 0.84), (0.82, 0.5), (0.7, 0.24), (0.82, 0.16), (0.98, 0.46),
        (0.88, 0.9), (0.56, 1.02),
    )  # fmt: skip
    body = curve((-0.3, 0.0), (0.3, 0.0), (0.5, 0.6), (0.46, 1.0), (0.0, 1.02), (-0.46, 1.0), (-0.5, 0.6))
    head = curve(
        (-0.52, -0.36), (-0.5, -0.98), (-0.22, -0.74), (0.22, -0.74), (0.5, -0.98), (0.52, -0.36),
        (0.34, -0.04), (0.0, 0.04), (-0.34, -0.04),
    )  # fmt: skip
    dark = sum(paint.main) < 160
    eye, nose = ((250, 226, 120) if dark else INK), (240, 150, 160)
    return [
        Part((tail,), paint.shade),
        Part((body,), paint.main, paint.shade),
        _tint(paint.light, ellipse(0, 0.62, 0.22, 0.3)),
        Part((head,), paint.main, mix(paint.main, paint.shade, 0.4)),
        _tint(nose, polygon((-0.42, -0.72), (-0.42, -0.84), (-0.3, -0.72))),
        _tint(nose, polygon((0.42, -0.72), (0.42, -0.84), (0.3, -0.72))),
        _tint(eye, ellipse(-0.2, -0.36, 0.08, 0.1)),
        _tint(eye, ellipse(0.2, -0.36, 0.08, 0.1)),
        _tint(nose, polygon((-0.07, -0.2), (0.07, -0.2), (0.0, -0.11))),
    ]


def _fish(paint: Paint) -> list[Part]:
    body = curve((-0.5, 0.0), (-0.1, -0.42), (0.42, -0.42), (0.9, -0.08), (0.94, 0.08), (0.42, 0.42), (-0.1, 0.42))  # fmt: skip
    tail = curve((-0.42, 0.0), (-0.96, -0.46), (-0.8, 0.0), (-0.96, 0.46))
    fin = curve((-0.1, -0.36), (0.0, -0.7), (0.4, -0.66), (0.42, -0.38))
    return [
        _fill(paint.shade, tail),
        _fill(paint.shade, fin),
        Part((body,), paint.main, mix(paint.main, paint.shade, 0.6)),
        _tint(paint.light, curve((0.02, -0.36), (0.14, -0.38), (0.06, 0.0), (0.14, 0.38), (0.02, 0.36), (-0.06, 0.0))),  # fmt: skip
        _tint((255, 255, 255), ellipse(0.6, -0.1, 0.13)),
        _tint(INK, ellipse(0.63, -0.1, 0.07)),
    ]


def _bird(paint: Paint) -> list[Part]:
    body = curve((-0.62, 0.1), (-0.2, -0.2), (0.2, -0.5), (0.56, -0.56), (0.74, -0.26), (0.56, 0.2), (0.1, 0.5), (-0.36, 0.42))  # fmt: skip
    tail = polygon((-0.44, 0.06), (-0.98, -0.06), (-0.94, 0.34), (-0.4, 0.34))
    wing = curve((0.16, 0.06), (-0.1, -0.36), (-0.62, -0.9), (-0.56, -0.3), (-0.3, 0.22), (0.0, 0.24))
    return [
        _fill(paint.shade, tail),
        _fill(BEAK, polygon((0.7, -0.4), (1.0, -0.26), (0.7, -0.16))),
        Part((body,), paint.main, mix(paint.main, paint.shade, 0.5)),
        _fill(paint.light, wing),
        _tint((255, 255, 255), ellipse(0.5, -0.32, 0.11)),
        _tint(INK, ellipse(0.52, -0.32, 0.06)),
    ]


def _flower(paint: Paint) -> list[Part]:
    centre = LAMP if paint.main[2] > 90 or paint.main[1] < 120 else (150, 90, 50)
    petals = []
    for turned in range(6):
        angle = math.radians(60 * turned)
        petals.append(turn(ellipse(0.42, 0, 0.28, 0.2), math.degrees(angle)) + np.array([0, -0.36], np.float32))
    return [
        _fill(LEAF, curve((-0.05, -0.2), (0.05, -0.2), (0.07, 0.4), (0.05, 1.0), (-0.05, 1.0), (-0.03, 0.4))),
        _fill(LEAF, curve((0.02, 0.76), (0.3, 0.36), (0.56, 0.36), (0.4, 0.62))),
        _fill(LEAF, curve((-0.02, 0.86), (-0.3, 0.48), (-0.54, 0.5), (-0.38, 0.76))),
        *(_fill(paint.main if turned % 2 else mix(paint.main, paint.light, 0.35), petal) for turned, petal in enumerate(petals)),  # fmt: skip
        _fill(centre, ellipse(0, -0.36, 0.22)),
    ]


def _rocket(paint: Paint) -> list[Part]:
    body = curve((0.0, -1.0), (0.26, -0.6), (0.34, -0.1), (0.26, 0.5), (0.0, 0.54), (-0.26, 0.5), (-0.34, -0.1), (-0.26, -0.6))  # fmt: skip
    left = curve((-0.28, 0.1), (-0.6, 0.44), (-0.62, 0.78), (-0.24, 0.5))
    trim = CREAM if sum(paint.main) < 640 else (214, 84, 76)
    return [
        _fill((255, 150, 60), curve((-0.18, 0.5), (0.18, 0.5), (0.14, 0.78), (0.0, 1.0), (-0.14, 0.78))),
        _tint(LAMP, curve((-0.09, 0.5), (0.09, 0.5), (0.0, 0.8))),
        _fill(paint.shade, left),
        _fill(paint.shade, left * np.array([-1, 1], np.float32)),
        Part((body,), paint.main, mix(paint.main, paint.shade, 0.7)),
        _tint(trim, curve((0.0, -1.0), (0.14, -0.78), (0.24, -0.56), (0.0, -0.5), (-0.24, -0.56), (-0.14, -0.78))),  # fmt: skip
        _fill(trim, ellipse(0, -0.14, 0.19)),
        _tint((90, 160, 214), ellipse(0, -0.14, 0.13)),
    ]


def _balloon(paint: Paint) -> list[Part]:
    skin = curve((0.0, -1.0), (0.44, -0.84), (0.6, -0.4), (0.4, 0.08), (0.0, 0.4), (-0.4, 0.08), (-0.6, -0.4), (-0.44, -0.84))  # fmt: skip
    return [
        _tint(mix(INK, (255, 255, 255), 0.35), curve((-0.02, 0.44), (0.1, 0.6), (-0.04, 0.8), (0.04, 1.0), (0.0, 1.0), (-0.1, 0.8), (0.04, 0.6), (-0.04, 0.44))),  # fmt: skip
        _fill(paint.shade, polygon((0.0, 0.34), (0.12, 0.5), (-0.12, 0.5))),
        Part((skin,), paint.main, paint.shade),
        _tint(paint.light, turn(ellipse(-0.42, -0.52, 0.11, 0.2), 24)),
    ]


def _mushroom(paint: Paint) -> list[Part]:
    cap = curve((-0.92, 0.16), (-0.78, -0.4), (-0.3, -0.86), (0.3, -0.86), (0.78, -0.4), (0.92, 0.16), (0.5, 0.26), (-0.5, 0.26))  # fmt: skip
    spot = CREAM if sum(paint.main) < 640 else (222, 110, 100)
    spots = [ellipse(-0.4, -0.34, 0.15), ellipse(0.12, -0.6, 0.13), ellipse(0.5, -0.16, 0.16), ellipse(-0.02, -0.06, 0.12)]  # fmt: skip
    return [
        Part((curve((-0.26, 0.1), (0.26, 0.1), (0.24, 0.6), (0.36, 1.0), (-0.36, 1.0), (-0.24, 0.6)),), CREAM, (224, 206, 182)),  # fmt: skip
        Part((cap,), paint.main, paint.shade),
        *(_tint(spot, each) for each in spots),
    ]


def _apple(paint: Paint) -> list[Part]:
    body = curve((0.0, -0.4), (0.36, -0.58), (0.78, -0.36), (0.82, 0.2), (0.5, 0.84), (0.2, 0.96), (0.0, 0.88), (-0.2, 0.96), (-0.5, 0.84), (-0.82, 0.2), (-0.78, -0.36), (-0.36, -0.58))  # fmt: skip
    return [
        _fill(BARK, polygon((-0.05, -0.36), (0.0, -0.86), (0.12, -0.86), (0.06, -0.36))),
        _fill(LEAF, curve((0.08, -0.66), (0.3, -0.98), (0.66, -0.92), (0.44, -0.64))),
        Part((body,), paint.main, paint.shade),
        _tint(paint.light, turn(ellipse(-0.44, -0.1, 0.12, 0.22), 16)),
    ]


def _butterfly(paint: Paint) -> list[Part]:
    upper = curve((0.04, -0.1), (0.3, -0.74), (0.8, -0.82), (0.94, -0.36), (0.6, 0.08), (0.1, 0.1))
    lower = curve((0.06, 0.08), (0.56, 0.12), (0.76, 0.46), (0.5, 0.84), (0.18, 0.6))
    mirror = np.array([-1, 1], np.float32)
    parts = []
    for side in (np.ones(2, np.float32), mirror):
        parts += [
            _fill(paint.shade, lower * side),
            Part((upper * side,), mix(paint.main, paint.light, 0.3), paint.main),
            _tint(paint.light, ellipse(0.58, -0.44, 0.14) * side),
            _tint(paint.light, ellipse(0.46, 0.46, 0.1) * side),
        ]
    return [*parts, _fill(INK, ellipse(0, 0.06, 0.075, 0.5))]


def _umbrella(paint: Paint) -> list[Part]:
    canopy = curve((-0.98, 0.06), (-0.84, -0.44), (-0.4, -0.8), (0.0, -0.9), (0.4, -0.8), (0.84, -0.44), (0.98, 0.06), (0.66, -0.06), (0.34, 0.06), (0.0, -0.06), (-0.34, 0.06), (-0.66, -0.06))  # fmt: skip
    panel = curve((0.0, -0.88), (0.2, -0.5), (0.33, 0.04), (0.0, -0.07), (-0.33, 0.04), (-0.2, -0.5))
    handle = curve((-0.04, -0.1), (0.04, -0.1), (0.04, 0.78), (0.12, 0.9), (0.22, 0.84), (0.28, 0.74), (0.34, 0.78), (0.26, 0.96), (0.1, 1.0), (-0.04, 0.84))  # fmt: skip
    return [
        _fill(BARK, handle),
        Part((canopy,), paint.main, mix(paint.main, paint.shade, 0.6)),
        _tint(mix(paint.main, paint.light, 0.5), panel),
        _fill(BARK, box(-0.03, -1.0, 0.03, -0.86)),
    ]


KINDS: Mapping[str, Callable[[Paint], list[Part]]] = MappingProxyType(
    {name: _shape(name) for name in SHAPES}
    | {
        "sun": _sun,
        "moon": _moon,
        "tree": _tree,
        "house": _house,
        "boat": _boat,
        "car": _car,
        "cat": _cat,
        "fish": _fish,
        "bird": _bird,
        "flower": _flower,
        "rocket": _rocket,
        "balloon": _balloon,
        "mushroom": _mushroom,
        "apple": _apple,
        "butterfly": _butterfly,
        "umbrella": _umbrella,
    }
)


def parts_of(kind: str, colour: RGB, x: float, y: float, radius: float, mirrored: bool) -> list[Part]:
    """A thing of this kind, painted and put in its place in the picture."""
    stretch = np.array([-radius if mirrored else radius, radius], np.float32)
    shift = np.array([x, y], np.float32)
    return [
        Part(tuple(points * stretch + shift for points in part.contours), part.colour, part.bottom_colour, part.layer, part.contour)  # fmt: skip
        for part in KINDS[kind](Paint.of(colour))
    ]


def named(colour: str) -> RGB:
    """The paint of a named colour."""
    return COLOURS[colour]
