"""The first world: flat shapes on plain paper, and simple landscapes.

The shipped model was trained on exactly these scenes and sentences, so they stay as they
were: the figures on its card are measured on them. The richer world lives in the other modules of
this package.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from world.colours import COLOURS, RGB, clamp, jitter, scale
from world.drawing import Part, Picture, rasterise
from world.scene import RELATIONS
from world.shapes import SHAPES, box, ellipse, place, polygon

PAINTS = tuple(name for name in COLOURS if name != "gray")
BACKGROUNDS = (
    "white",
    "black",
    "gray",
    "yellow",
    "blue",
    "green",
    "pink",
    "cyan",
    "purple",
    "orange",
)
POSITIONS = {
    "left": ("on the left", -1, 0),
    "right": ("on the right", 1, 0),
    "top": ("at the top", 0, -1),
    "bottom": ("at the bottom", 0, 1),
}
SIZES = {"": (12.0, 17.0), "small": (7.0, 9.0), "big": (20.0, 24.0)}
SKIES: dict[str, tuple[RGB, RGB]] = {
    "day": ((95, 165, 235), (200, 230, 250)),
    "dusk": ((70, 50, 120), (250, 140, 80)),
    "dawn": ((150, 170, 230), (255, 200, 190)),
    "night": ((8, 10, 35), (30, 40, 90)),
}
DAYLIGHT = {"day": 1.0, "dusk": 0.72, "dawn": 0.88, "night": 0.42}
TIMES = {
    "day": (" at noon", " during the day", ""),
    "dusk": (" at dusk", " at sunset"),
    "dawn": (" at dawn", " at sunrise"),
    "night": (" at night",),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One flat shape: what the caption says of it, and where it was drawn (unit coordinates)."""

    kind: str
    colour: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class FlatScene:
    """One or two shapes on plain paper; with two, `relation` says where the first is, seen from the
    second.
    """

    shapes: tuple[Shape, ...]
    background: str
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A caption and its drawing; `scene` is what a judge needs to know, and is absent for a
    landscape.
    """

    caption: str
    parts: tuple[Part, ...]
    scene: FlatScene | None = None

    def render(self, size: int = 64) -> Picture:
        """The picture at any size."""
        return rasterise(self.parts, size)


def with_article(words: str) -> str:
    """ "an orange star", "a red circle"."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def shape_part(shape: Shape, paint: RGB) -> Part:
    """The polygon of one flat shape."""
    return Part(place(SHAPES[shape.kind](), shape.x, shape.y, shape.radius), paint)


def flat_sample(rng: random.Random) -> Sample:
    """One shape (possibly sized and placed), or two in a relation."""
    pair = rng.random() < 0.55
    background = rng.choice(BACKGROUNDS) if rng.random() < 0.6 else "white"
    paints = [name for name in PAINTS if name != background]
    build = _pair if pair else _single
    scene, caption = build(rng, background, paints)
    if background != "white" or rng.random() < 0.3:
        article = with_article(background)
        caption += rng.choice(
            [f" on {article} background", f" on {background}", f", {background} background"]
        )
    paper = Part((box(-0.1, -0.1, 1.1, 1.1),), jitter(COLOURS[background], rng, 6))
    drawn = tuple(shape_part(item, jitter(COLOURS[item.colour], rng)) for item in scene.shapes)
    return Sample(caption, (paper, *drawn), scene)


def _single(rng: random.Random, background: str, paints: list[str]) -> tuple[FlatScene, str]:
    colour, kind = rng.choice(paints), rng.choice(tuple(SHAPES))
    size = rng.choice(["", "", "small", "big"])
    radius = rng.uniform(*SIZES[size])
    position = rng.choice(["", "", "", *POSITIONS]) if size != "big" else ""
    x, y = (32 + rng.uniform(-4, 4) for _ in range(2))
    caption = with_article(" ".join(word for word in (size, colour, kind) if word))
    if position:
        phrase, right, down = POSITIONS[position]
        offset = 18 if size == "small" else 14
        x, y = x + right * offset, y + down * offset
        caption += " " + phrase
    return FlatScene((Shape(kind, colour, x / 64, y / 64, radius / 64),), background), caption


def _pair(rng: random.Random, background: str, paints: list[str]) -> tuple[FlatScene, str]:
    relation = rng.choice(tuple(RELATIONS))
    right, down = RELATIONS[relation]
    apart = rng.uniform(14.5, 17)
    shapes = []
    for side in (1, -1):
        x = 32 + side * right * apart + (rng.uniform(-4, 4) if right == 0 else 0.0)
        y = 32 + side * down * apart + (rng.uniform(-4, 4) if down == 0 else 0.0)
        kind, colour, radius = rng.choice(tuple(SHAPES)), rng.choice(paints), rng.uniform(9.5, 13)
        shapes.append(Shape(kind, colour, x / 64, y / 64, radius / 64))
    words = rng.choice([relation, f"to the {relation}"]) if right else relation
    first, second = (with_article(f"{shape.colour} {shape.kind}") for shape in shapes)
    return FlatScene(tuple(shapes), background, relation), f"{first} {words} {second}"


def landscape_sample(rng: random.Random) -> Sample:
    """A sun or moon over hills, mountains, sea or desert, at one of four times of day."""
    time = rng.choice(tuple(SKIES))
    land = rng.choice(("hills", "mountains", "sea", "desert"))
    body_colour = rng.choice(("yellow", "red", "orange", "white", "pink"))
    extra = rng.choice(("", "", "tree", "house", "boat", "clouds"))
    land_colour = rng.choice(("green", "brown", "purple", "blue", "orange", "white"))
    if extra == "boat":
        land = "sea"
    elif land == "sea" and extra in ("tree", "house"):
        extra = ""
    upper, lower = (jitter(colour, rng, 8) for colour in SKIES[time])
    parts = [Part((box(0, 0, 1, 1),), upper, lower)]
    if time == "night":
        parts += [
            speck(rng.uniform(0, 64), rng.uniform(0, 38), rng.uniform(0.4, 0.9))
            for _ in range(rng.randrange(12, 26))
        ]
    horizon = rng.uniform(36, 44)
    high = time in ("day", "night")
    x, y = rng.uniform(14, 50), rng.uniform(11, 24) if high else rng.uniform(22, 32)
    radius = rng.uniform(5.5, 8.5)
    parts.append(disc(x, y, radius, radius, jitter(COLOURS[body_colour], rng)))
    if extra == "clouds":
        cloud = (250, 250, 252) if time != "night" else (110, 115, 140)
        for _ in range(2):
            x, y = rng.uniform(8, 56), rng.uniform(8, 24)
            for shift in (-5, 0, 5):
                puff = rng.uniform(3.4, 5.2)
                parts.append(disc(x + shift, y, puff, puff * 0.8, cloud))
    named = land in ("hills", "mountains")
    ground = (
        COLOURS[land_colour] if named else (235, 200, 120) if land == "desert" else (40, 110, 190)
    )
    ground = scale(ground, DAYLIGHT[time])
    parts += ground_parts(land, horizon, ground, rng)
    parts += extra_parts(extra, rng.uniform(14, 50), horizon, rng)
    body = "moon" if time == "night" else "sun"
    where = f"{land_colour} {land}" if named else f"the {land}"
    caption = f"{with_article(f'{body_colour} {body}')} over {where}"
    if extra:
        caption += " with clouds" if extra == "clouds" else f" with a {extra}"
    return Sample(caption + rng.choice(TIMES[time]), tuple(parts))


def disc(x: float, y: float, across: float, down: float, colour: RGB) -> Part:
    """An ellipse about (x, y) with these radii; all in sixty-fourths of the picture's side."""
    return Part((ellipse(x / 64, y / 64, across / 64, down / 64),), colour)


def speck(x: float, y: float, radius: float) -> Part:
    """A star: a small pale disc, in sixty-fourths of the picture's side."""
    return disc(x, y, radius, radius, (240, 240, 220))


def _region(*corners: tuple[float, float]) -> tuple:
    return (polygon(*corners) / 64,)


def ground_parts(land: str, horizon: float, colour: RGB, rng: random.Random) -> list[Part]:
    """Two layers of land, the farther one darker; the sea gets glints."""
    parts = []
    for layer in range(2):
        shade = scale(colour, 0.78 if layer == 0 else 1.0)
        top = horizon + layer * 7
        if land in ("hills", "desert"):
            phase, waves = rng.uniform(0, 6), rng.uniform(0.06, 0.12)
            swell = rng.uniform(3, 6) if land == "hills" else rng.uniform(1.2, 2.4)
            line = [(x, top - swell * math.sin(x * waves + phase)) for x in range(0, 66, 2)]
        elif land == "mountains":
            line, x, peak = [], -6.0, rng.random() < 0.5
            while x < 72:
                rise = rng.uniform(9, 16) if peak else rng.uniform(-3, 1)
                line.append((x, top - rise * (1 - 0.4 * layer)))
                peak, x = not peak, x + rng.uniform(7, 13)
        else:
            line = [(0, top), (64, top)]
        parts.append(Part(_region(*line, (84, 64), (-20, 64)), shade))
    if land == "sea":
        glint = clamp((colour[0] * 1.35 + 15, colour[1] * 1.35 + 15, colour[2] * 1.35 + 15))
        for _ in range(7):
            x, y, long = rng.uniform(0, 56), rng.uniform(horizon + 3, 62), rng.uniform(4, 9)
            parts.append(
                Part(
                    _region((x, y - 0.5), (x + long, y - 0.5), (x + long, y + 0.5), (x, y + 0.5)),
                    glint,
                )
            )
    return parts


def _rectangle(left: float, top: float, right: float, bottom: float, colour: RGB) -> Part:
    return Part((box(left / 64, top / 64, right / 64, bottom / 64),), colour)


def extra_parts(kind: str, x: float, horizon: float, rng: random.Random) -> list[Part]:
    """A tree, a house or a boat, each in the one colour it has in this world."""
    y = horizon + 12
    if kind == "tree":
        crown = disc(x, y - 9.5, 6, 6.5, jitter((35, 120, 50), rng))
        return [_rectangle(x - 1.3, y - 5, x + 1.3, y + 4, (90, 55, 30)), crown]
    if kind == "house":
        wall = _rectangle(x - 6, y - 6, x + 6, y + 4, jitter((235, 220, 190), rng))
        roof = Part(
            _region((x - 8, y - 6), (x + 8, y - 6), (x, y - 13)), jitter((180, 60, 45), rng)
        )
        return [wall, roof, _rectangle(x - 1.6, y - 1, x + 1.6, y + 4, (90, 55, 30))]
    if kind == "boat":
        y = horizon + 9
        hull = Part(_region((x - 8, y), (x + 8, y), (x + 5, y + 4), (x - 5, y + 4)), (120, 70, 40))
        sail = Part(_region((x, y - 13), (x, y - 1), (x + 7, y - 1)), (248, 248, 245))
        return [hull, sail, _rectangle(x - 0.5, y - 13, x + 0.5, y, (80, 50, 30))]
    return []


def sample(rng: random.Random) -> Sample:
    """Mostly shapes, sometimes a landscape."""
    return flat_sample(rng) if rng.random() < 0.62 else landscape_sample(rng)


def vocabulary() -> dict[str, list[str]]:
    """Every word that a caption of this world can hold, by what it names."""
    return {
        "colours": list(COLOURS),
        "objects": [*SHAPES, "sun", "moon", "tree", "house", "boat", "clouds"],
        "places": ["hills", "mountains", "sea", "desert"],
        "times": ["noon", "day", "dusk", "sunset", "dawn", "sunrise", "night"],
        "sizes": ["small", "big"],
        "positions": ["left", "right", "top", "bottom"],
        "relations": ["above", "below", "left", "right"],
        "other": ["a", "an", "at", "background", "during", "of", "on", "over", "the", "to", "with"],
    }
