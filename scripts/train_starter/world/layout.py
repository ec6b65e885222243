"""Random scenes: which things, how many, where; and never a thing that nobody could see."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from world import places
from world.colours import COLOURS, RGB
from world.objects import KINDS
from world.scene import (
    GROUND_KINDS,
    NATURAL,
    PLACES,
    POSITIONS,
    RELATIONS,
    SKY_KINDS,
    STYLES,
    TIMES,
    WATER_KINDS,
    WEATHERS,
    Group,
    Scene,
    Thing,
    held_out,
)
from world.shapes import SHAPES

PAPERS = ("white", "black", "gray", "yellow", "blue", "green", "pink", "cyan", "purple", "orange")
PLACE_COLOURS = {
    "sea": ("blue", "purple", "green", "pink", "orange", "cyan"),
    "hills": ("green", "yellow", "purple", "orange", "pink", "white"),
    "mountains": ("blue", "purple", "brown", "gray", "pink"),
    "room": ("blue", "green", "pink", "yellow", "purple", "orange"),
}
NO_LIGHT = ("black", "brown", "gray")
"""Colours that a neon tube cannot have."""

_COLOUR_UNSAID = 0.25  # share of things that are only named: people write "a cat", and mean any
_PLACE_UNSAID = 0.35  # share of hours without a place: "at night" is somewhere
_VISIBLE = 32.0  # CIE Lab distance below which a thing melts into what is behind it


@dataclass(frozen=True, slots=True)
class Mixture:
    """How hard the scenes are. Training begins with single things on plain paper and ends with
    everything.
    """

    place: float = 0.62
    second_group: float = 0.45
    several: float = 0.3
    styled: float = 0.6


EASY = Mixture(place=0.15, second_group=0.1, several=0.1, styled=0.2)
FULL = Mixture()


def _distance(first: RGB, second: RGB) -> float:
    pair = np.array([[first, second]], np.float32) / 255
    lab = cv2.cvtColor(pair, cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(lab[0] - lab[1]))


def _colour(
    rng: random.Random, kind: str, behind: Sequence[RGB], style: str, withheld: bool
) -> str | None:
    """A colour that shows; with `withheld`, one of the pairs that training never sees."""
    able = [
        name
        for name, paint in COLOURS.items()
        if held_out(name, kind) == withheld
        and (style == "outline" or min(_distance(paint, other) for other in behind) > _VISIBLE)
        and not (style == "neon" and name in NO_LIGHT)
        and not (style == "outline" and name == "white")
    ]
    return rng.choice(able) if able else None


def _size(rng: random.Random) -> str:
    return rng.choice(("", "", "", "small", "big"))


def _said(rng: random.Random, kind: str, withheld: bool) -> bool:
    """Whether the caption names the colour. A withheld pair is always asked for by name, and a kind
    with a natural colour means that one.
    """
    return withheld or kind in NATURAL or rng.random() >= _COLOUR_UNSAID


def _count(rng: random.Random, mixture: Mixture) -> int:
    return rng.randint(2, 4) if rng.random() < mixture.several else 1


def _row(
    rng: random.Random, count: int, left: float, right: float, y: float, radius: float
) -> tuple[Thing, ...]:
    """Things side by side, evenly, with a little disorder."""
    step = (right - left) / count
    radius = min(radius, step * 0.44)
    slack = max(0.0, step / 2 - radius) * 0.5
    return tuple(
        Thing(
            left + step * (place + 0.5) + rng.uniform(-slack, slack),
            y + rng.uniform(-0.015, 0.015),
            radius,
            rng.random() < 0.5,
        )
        for place in range(count)
    )


def _cluster(
    rng: random.Random, count: int, x: float, y: float, half: float, radius: float
) -> tuple[Thing, ...]:
    """Up to four things around a centre, inside a square of this half width."""
    if count == 1:
        radius = min(radius, half)
        slack = (half - radius) * 0.5
        return (
            Thing(
                x + rng.uniform(-slack, slack),
                y + rng.uniform(-slack, slack),
                radius,
                rng.random() < 0.5,
            ),
        )
    radius = min(radius, half * 0.43)
    far = half * 0.5
    spots = {
        2: ((-1, 0), (1, 0)),
        3: ((0, -0.95), (-1, 0.85), (1, 0.85)),
        4: ((-1, -1), (1, -1), (-1, 1), (1, 1)),
    }
    return tuple(
        Thing(x + dx * far, y + dy * far, radius, rng.random() < 0.5) for dx, dy in spots[count]
    )


_RADII = {"": (0.19, 0.25), "small": (0.1, 0.125), "big": (0.32, 0.38)}


def _plain(rng: random.Random, mixture: Mixture, style: str, withheld: bool) -> Scene | None:
    """Things on paper."""
    papers = ("white", "black") if style == "neon" else PAPERS
    background = rng.choice(papers) if style != "outline" else "white"
    if style == "neon":
        background = "black"
    behind = [COLOURS[background]]
    kinds = tuple(KINDS)
    if rng.random() < mixture.second_group:
        relation = rng.choice(tuple(RELATIONS))
        right, down = RELATIONS[relation]
        groups = []
        for side in (1, -1):
            kind = rng.choice(kinds)
            colour = _colour(rng, kind, behind, style, withheld)
            if colour is None:
                return None
            count = min(_count(rng, mixture), 3)
            x, y = 0.5 + side * right * 0.25, 0.5 + side * down * 0.25
            if right == 0 and count > 1:
                things = _row(rng, count, 0.12, 0.88, y, 0.18)
            else:
                things = _cluster(rng, count, x, y, 0.21, rng.uniform(0.15, 0.2))
            groups.append(Group(kind, colour, things, colour_said=_said(rng, kind, withheld)))
        return Scene(tuple(groups), background=background, relation=relation, style=style)
    kind = rng.choice(kinds)
    colour = _colour(rng, kind, behind, style, withheld)
    if colour is None:
        return None
    count = _count(rng, mixture)
    said = _said(rng, kind, withheld)
    if count > 1:
        things = _cluster(rng, count, 0.5, 0.5, 0.4, rng.uniform(0.15, 0.19))
        if count < 4 and rng.random() < 0.5:
            things = _row(rng, count, 0.06, 0.94, 0.5, rng.uniform(0.14, 0.19))
        group = Group(kind, colour, things, colour_said=said)
        return Scene((group,), background=background, style=style)
    size = _size(rng)
    radius = rng.uniform(*_RADII[size])
    position = rng.choice(("", "", *POSITIONS)) if size != "big" else ""
    x, y = 0.5 + rng.uniform(-0.04, 0.04), 0.5 + rng.uniform(-0.04, 0.04)
    offset = 0.46 - radius
    x += {"left": -offset, "right": offset}.get(position, 0.0)
    y += {"top": -offset, "bottom": offset}.get(position, 0.0)
    thing = Thing(x, y, radius, rng.random() < 0.5)
    return Scene(
        (Group(kind, colour, (thing,), size, said),),
        background=background,
        position=position,
        style=style,
    )


def _habitats(place: str, time: str) -> tuple[Sequence[str], Sequence[str]]:
    """The kinds for the sky and for the ground of a place."""
    sky = [
        kind
        for kind in SKY_KINDS
        if not (kind == "sun" and time == "night") and not (kind == "moon" and time == "day")
    ]
    if place == "room":
        sky = ["balloon", "butterfly", "bird", *SHAPES]
    if place == "space":
        sky = ["moon", "rocket", "sun", *SHAPES]
    return sky, WATER_KINDS if place == "sea" else GROUND_KINDS


def _landscape(rng: random.Random, mixture: Mixture, style: str, withheld: bool) -> Scene | None:
    """Things in a place: some in the air, some on the ground."""
    place, time = rng.choice(PLACES), rng.choice(TIMES)
    if place == "space":
        time = ""
    weather = rng.choice(("", "", *WEATHERS)) if place not in ("space", "room") else ""
    colour = (
        rng.choice(PLACE_COLOURS[place]) if place in PLACE_COLOURS and rng.random() < 0.4 else ""
    )
    air, ground = _habitats(place, time)
    horizon = places.HORIZON[place]
    # A thing on the ground reaches above the horizon: it must stand out against both.
    sky, land = places.sky_colour(place, colour, time), places.ground_colour(place, colour, time)
    behind: list[RGB] = [sky, land]
    if style in ("outline", "neon"):
        behind = [(255, 255, 255) if style == "outline" else (10, 10, 30)]
    two = rng.random() < mixture.second_group
    bands = (
        rng.choice((("air", "ground"), ("ground", "air"), ("ground", "ground")))
        if two
        else (rng.choice(("air", "ground", "ground")),)
    )
    groups: list[Group] = []
    for index, band in enumerate(bands):
        kind = rng.choice(air if band == "air" else ground)
        name = _colour(rng, kind, behind if band == "ground" else behind[:1], style, withheld)
        if name is None:
            return None
        said = _said(rng, kind, withheld)
        natural = NATURAL.get(kind)
        if (
            natural
            and not withheld
            and rng.random() < 0.4
            and min(_distance(COLOURS[natural], other) for other in behind) > _VISIBLE
        ):
            name, said = natural, False
        count = 1 if kind in ("sun", "moon") else _count(rng, mixture)
        halves = len(bands) == 2 and bands[0] == bands[1]
        if halves:
            count = min(count, 2)  # more would be too small to be seen
        size = _size(rng) if count == 1 and kind not in ("sun", "moon") else ""
        radius = rng.uniform(0.16, 0.2) * {"": 1.0, "small": 0.6, "big": 1.4}[size]
        if count == 1 and not two:
            radius *= 1.15  # what a picture is about may take its room
        left, right = ((0.04, 0.5), (0.5, 0.96))[index] if halves else (0.08, 0.92)
        if band == "air":
            radius = min(radius, 0.18)
            y = rng.uniform(
                radius + 0.04, max(radius + 0.05, horizon - radius - (0.3 if two else 0.08))
            )
        else:
            foot = rng.uniform(min(0.92, horizon + 0.16), min(0.95, horizon + 0.3))
            y = foot - radius
        if count == 1 and not halves:
            left, right = (
                (0.5 - radius - 0.22, 0.5 + radius + 0.22) if rng.random() < 0.6 else (left, right)
            )
        groups.append(Group(kind, name, _row(rng, count, left, right, y, radius), size, said))
    relation = (
        {
            ("air", "ground"): "above",
            ("ground", "air"): "below",
            ("ground", "ground"): "left of",
        }.get(bands, "")
        if two
        else ""
    )
    if relation == "left of" and rng.random() < 0.5:
        groups.reverse()
        relation = "right of"
    return Scene(
        tuple(groups),
        place=place,
        place_colour=colour,
        # "a cat at night" is somewhere; an hour alone has to be said, or it would be paper.
        place_said=withheld or bool(colour) or time in ("", "day") or rng.random() >= _PLACE_UNSAID,
        time=time,
        weather=weather,
        relation=relation,
        style=style,
    )


def _distinct(groups: Sequence[Group]) -> bool:
    """Whether a caption tells the groups apart: not "a red cat above a red cat"."""
    called = [(group.kind, group.colour if group.colour_said else "") for group in groups]
    kinds = [kind for kind, _ in called]
    return len(set(called)) == len(called) and not any(
        colour == "" and kinds.count(kind) > 1 for kind, colour in called
    )


def sample_scene(rng: random.Random, mixture: Mixture = FULL, withheld: bool = False) -> Scene:
    """One random scene; with `withheld`, every pair of colour and kind is one that training never
    sees.
    """
    while True:
        style = rng.choice(STYLES[1:]) if rng.random() < mixture.styled else "flat"
        build = _landscape if rng.random() < mixture.place else _plain
        scene = build(rng, mixture, style, withheld)
        if scene is not None and _distinct(scene.groups):
            return replace(scene, seed=rng.getrandbits(32))
