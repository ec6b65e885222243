"""The first world in motion: one thing on plain paper, a sun or moon over land, a boat on the sea.

A film is a caption and a drawing for every moment from 0 to 1. What moves, where it begins and
where it ends follow from the caption, so that a judge can check all three.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from world import first
from world.colours import COLOURS, jitter, scale
from world.drawing import Part, Picture, rasterise
from world.shapes import SHAPES, box

#: How a film's thing can move, and how that is said of it.
VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "left": ("moves left", "moves to the left"),
        "right": ("moves right", "moves to the right"),
        "up": ("moves up", "rises"),
        "down": ("moves down", "falls"),
        "bounce": ("bounces",),
        "grow": ("grows",),
        "shrink": ("shrinks",),
    }
)
_DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_SKY_VERBS = {"up": "rises", "down": "sets"}
_SAIL_VERBS = {"left": "sails left", "right": "sails right"}


@dataclass(frozen=True, slots=True)
class Moving:
    """What a film shows: the thing that moves, its colour and its motion, one of `VERBS`."""

    kind: str
    colour: str
    motion: str
    #: The paper's colour; empty where there is a landscape.
    background: str = ""


@dataclass(frozen=True, slots=True)
class Film:
    """A caption, what it means, and the drawing at every moment from 0 to 1."""

    caption: str
    #: The caption without what moves: what a single picture of it shows.
    subject: str
    scene: Moving
    at: Callable[[float], tuple[Part, ...]]

    def render(self, frames: int, size: int) -> np.ndarray:
        """The film as uint8 (frames, size, size, 3)."""
        return np.stack([self.frame(number / (frames - 1), size) for number in range(frames)])

    def frame(self, moment: float, size: int) -> Picture:
        """The picture at one moment."""
        return rasterise(self.at(moment), size, 2)


def sample(rng: random.Random, withheld: bool = False) -> Film:
    """Mostly shapes on paper, sometimes a landscape.

    The pairs of colour and thing that `held_out` names are drawn only with `withheld`, and then
    nothing else is: training never shows what an evaluation asks for.
    """
    return (shape_film if rng.random() < 0.75 else landscape_film)(rng, withheld)


def shape_film(rng: random.Random, withheld: bool = False) -> Film:
    """One shape on plain paper in one of the seven motions."""
    motion = rng.choice(tuple(VERBS))
    background = rng.choice(first.BACKGROUNDS) if rng.random() < 0.5 else "white"
    kind = "circle" if motion == "bounce" and rng.random() < 0.4 else rng.choice(tuple(SHAPES))
    colour = _colour(rng, kind, [name for name in first.PAINTS if name != background], withheld)
    noun = "ball" if kind == "circle" and rng.random() < 0.6 else kind
    thing, verb = first.with_article(f"{colour} {noun}"), rng.choice(VERBS[motion])
    where = ""
    if background != "white" or rng.random() < 0.3:
        where = f" on {first.with_article(background)} background"
    paper = Part((box(-0.1, -0.1, 1.1, 1.1),), jitter(COLOURS[background], rng, 6))
    paint = jitter(COLOURS[colour], rng)
    course = _course(motion, rng)

    def at(moment: float) -> tuple[Part, ...]:
        return paper, first.shape_part(first.Shape(kind, colour, *course(moment)), paint)

    scene = Moving(kind, colour, motion, background)
    return Film(_said(rng, thing, verb, where), f"{thing}{where}", scene, at)


def landscape_film(rng: random.Random, withheld: bool = False) -> Film:
    """A sun or moon that rises or sets, or a boat that sails, which has no colour to withhold."""
    time = rng.choice(tuple(first.SKIES))
    upper, lower = (jitter(colour, rng, 8) for colour in first.SKIES[time])
    sky = Part((box(0, 0, 1, 1),), upper, lower)
    horizon = rng.uniform(36, 44)
    boat = rng.random() < 0.4
    land = "sea" if boat else rng.choice(("hills", "mountains", "sea", "desert"))
    named = land in ("hills", "mountains")
    land_colour = rng.choice(("green", "brown", "purple", "blue"))
    ground = (
        COLOURS[land_colour] if named else (235, 200, 120) if land == "desert" else (40, 110, 190)
    )
    ground = scale(ground, first.DAYLIGHT[time])
    before = first.ground_parts(land, horizon, ground, rng)
    when = rng.choice(first.TIMES[time])
    if boat:
        motion = rng.choice(tuple(_SAIL_VERBS))
        begin = rng.uniform(34, 52)
        end = max(begin - rng.uniform(20, 32), 10)
        if motion == "right":
            begin, end = 64 - begin, 64 - end

        def sailing(moment: float) -> tuple[Part, ...]:
            x = begin + (end - begin) * moment
            return sky, *before, *first.extra_parts("boat", x, horizon, rng)

        where, scene = f" on the sea{when}", Moving("boat", "white", motion)
        caption = _said(rng, "a boat", _SAIL_VERBS[motion], where)
        return Film(caption, f"a boat{where}", scene, sailing)
    motion, body = rng.choice(tuple(_SKY_VERBS)), "moon" if time == "night" else "sun"
    colour = _colour(rng, body, ["yellow", "red", "orange", "white", "pink"], withheld)
    paint, radius, x = jitter(COLOURS[colour], rng), rng.uniform(5.5, 8.5), rng.uniform(16, 48)
    low, end = horizon + radius, rng.uniform(12, 16)
    # From behind the land, or from where a picture shows it.
    begin = low if rng.random() < 0.6 else rng.uniform(end + 11, low)
    if motion == "down":
        begin, end = end, begin

    def climbing(moment: float) -> tuple[Part, ...]:
        return sky, first.disc(x, begin + (end - begin) * moment, radius, radius, paint), *before

    where = f"{land_colour} {land}" if named else f"the {land}"
    article = "the" if rng.random() < 0.3 else first.with_article(colour).partition(" ")[0]
    thing, where = f"{article} {colour} {body}", f" over {where}{when}"
    caption = _said(rng, thing, _SKY_VERBS[motion], where)
    return Film(caption, f"{thing}{where}", Moving(body, colour, motion), climbing)


def held_out(colour: str, thing: str) -> bool:
    """Whether no film of training shows this thing in this colour: a fifth of all pairs."""
    things = (*SHAPES, "sun", "moon")
    return (2 * first.PAINTS.index(colour) + things.index(thing)) % 5 == 0


def _colour(rng: random.Random, kind: str, colours: Sequence[str], withheld: bool) -> str:
    """A colour whose pair with the thing is withheld, or is not; any where there is none."""
    return rng.choice([one for one in colours if held_out(one, kind) == withheld] or colours)


def _said(rng: random.Random, thing: str, verb: str, where: str) -> str:
    """A ball bounces on a white background; a ball on a white background bounces."""
    return f"{thing}{where} {verb}" if rng.random() < 0.3 else f"{thing} {verb}{where}"


def _course(motion: str, rng: random.Random) -> Callable[[float], tuple[float, float, float]]:
    """Where the thing is at a moment, and how large: x, y and radius in unit coordinates.

    Half begin where there is most room for the motion, half nearer to the middle, where a picture
    that is set in motion has its thing.
    """
    x, y = (0.5 + rng.uniform(-0.05, 0.05) for _ in range(2))
    radius, near = rng.uniform(9.5, 13) / 64, rng.random() < 0.5
    if motion in _DIRECTIONS:
        right, down = _DIRECTIONS[motion]
        begin = -rng.uniform(-0.02, 0.22) if near else -rng.uniform(0.22, 0.27)
        way = min(rng.uniform(0.36, 0.54), 0.42 - begin)
        return lambda moment: (
            x + right * (begin + way * moment),
            y + down * (begin + way * moment),
            radius,
        )
    if motion == "bounce":
        # Wherever it is, it falls at first.
        height, phase = rng.uniform(0.36, 0.44), rng.uniform(0, math.pi / 2) if near else 0.0
        return lambda moment: (
            x,
            0.74 - height * abs(math.cos(2 * math.pi * moment + phase)),
            radius,
        )
    small, large = rng.uniform(6, 8) / 64, rng.uniform(19, 23) / 64
    begin, end = (small, large) if motion == "grow" else (large, small)
    begin = radius if near else begin
    return lambda moment: (x, y, begin + (end - begin) * moment)


def vocabulary() -> dict[str, list[str]]:
    """Every word that a caption of a film can hold, by what it names."""
    known = first.vocabulary()
    phrases = {phrase for verbs in VERBS.values() for phrase in verbs}
    return {
        **{name: known[name] for name in ("colours", "places", "times")},
        "objects": [*SHAPES, "ball", "sun", "moon", "boat"],
        "motions": sorted(phrases | {*_SKY_VERBS.values(), *_SAIL_VERBS.values()}),
        "other": ["a", "an", "at", "background", "during", "on", "over", "the", "to"],
    }
