"""From a scene to its parts, and from its parts to a picture of any size."""

from __future__ import annotations

import random

from world import places
from world.colours import COLOURS, RGB, jitter, mix
from world.drawing import Layer, Part, Picture
from world.objects import parts_of
from world.scene import GROUND_KINDS, Group, Scene, Thing
from world.shapes import ellipse
from world.styles import PAINTERS


def _shadow(thing: Thing, ground: RGB) -> Part:
    outline = ellipse(
        thing.x, thing.y + thing.radius * 0.99, thing.radius * 0.85, thing.radius * 0.13
    )
    return Part((outline,), mix(ground, (20, 10, 50), 0.28), None, Layer.SCENERY, False)


def _group(group: Group, ground: RGB | None, rng: random.Random) -> list[Part]:
    colour = jitter(COLOURS[group.colour], rng, 8)
    parts: list[Part] = []
    for thing in sorted(group.things, key=lambda thing: thing.y):
        if ground is not None and group.kind in GROUND_KINDS:
            parts.append(_shadow(thing, ground))
        parts += parts_of(group.kind, colour, thing.x, thing.y, thing.radius, thing.mirrored)
    return parts


def draw(scene: Scene) -> list[Part]:
    """Every part of the scene, from back to front."""
    rng = random.Random(scene.seed)
    ground = None
    if scene.place:
        parts = places.backdrop(scene.place, scene.place_colour, scene.time, scene.weather, rng)
        ground = places.ground_colour(scene.place, scene.place_colour, scene.time)
    else:
        parts = places.paper(jitter(COLOURS[scene.background], rng, 5))
    for group in sorted(scene.groups, key=lambda group: group.things[0].y):
        parts += _group(group, ground, rng)
    return parts + places.precipitation(scene.weather, scene.time, rng)


def render(scene: Scene, size: int) -> Picture:
    """The picture; the same scene gives the same pixels, and the same content at every size."""
    return PAINTERS[scene.style](draw(scene), size, random.Random(scene.seed + 1))
