"""What each kind of thing looks like: parts around the origin, inside a square of radius one.

The named colour is the colour of the largest part, so that "a red boat" has a red hull; small parts
keep colours of their own. Things that stand have their foot at y = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from world import living, made
from world.colours import RGB, mix
from world.drawing import Part
from world.paint import Paint, fill, tint
from world.shapes import SHAPES, ellipse, star, turn


def _shape(name: str) -> Callable[[Paint], list[Part]]:
    def draw(paint: Paint) -> list[Part]:
        return [Part(SHAPES[name](), paint.main, mix(paint.main, paint.shade, 0.45))]

    return draw


def _sun(paint: Paint) -> list[Part]:
    rays = star(12, 1.0, 0.7)
    return [
        fill(mix(paint.main, paint.light, 0.5), rays),
        Part((ellipse(0, 0, 0.64),), paint.main, paint.shade),
        tint(paint.light, ellipse(-0.16, -0.2, 0.26)),
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
    return [Part((crescent,), paint.main, paint.shade)] + [tint(paint.shade, c) for c in craters]


KINDS: Mapping[str, Callable[[Paint], list[Part]]] = MappingProxyType(
    {name: _shape(name) for name in SHAPES}
    | {
        "sun": _sun,
        "moon": _moon,
        "tree": living.tree,
        "house": made.house,
        "boat": made.boat,
        "car": made.car,
        "cat": living.cat,
        "fish": living.fish,
        "bird": living.bird,
        "flower": living.flower,
        "rocket": made.rocket,
        "balloon": made.balloon,
        "mushroom": living.mushroom,
        "apple": living.apple,
        "butterfly": living.butterfly,
        "umbrella": made.umbrella,
    }
)


def parts_of(
    kind: str, colour: RGB, x: float, y: float, radius: float, mirrored: bool
) -> list[Part]:
    """A thing of this kind, painted and put in its place in the picture."""
    stretch = np.array([-radius if mirrored else radius, radius], np.float32)
    shift = np.array([x, y], np.float32)
    return [
        Part(
            tuple(points * stretch + shift for points in part.contours),
            part.colour,
            part.bottom_colour,
            part.layer,
            part.contour,
        )
        for part in KINDS[kind](Paint.of(colour))
    ]
