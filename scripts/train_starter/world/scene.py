"""A scene: what a picture shows, said in structure, from which both the caption and the drawing are
made.

Because the caption is written from the scene and the drawing is drawn from it, a judge has the
truth about every picture, and the truth never has to be labelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from world.colours import COLOURS
from world.objects import KINDS
from world.shapes import SHAPES

STYLES = ("flat", "outline", "watercolor", "pixel", "neon")
PLACES = ("sea", "hills", "mountains", "desert", "city", "space", "room")
TIMES = ("day", "dusk", "dawn", "night")
WEATHERS = ("", "rain", "snow", "clouds")
#: How far to the right and how far down of the second the first is.
RELATIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"above": (0, -1), "below": (0, 1), "left of": (-1, 0), "right of": (1, 0)}
)
POSITIONS = ("left", "right", "top", "bottom")
SIZES = ("", "small", "big")

SKY_KINDS = ("sun", "moon", "bird", "balloon", "rocket", "butterfly", *SHAPES)
GROUND_KINDS = ("tree", "house", "car", "cat", "flower", "mushroom", "apple", "umbrella")
WATER_KINDS = ("boat", "fish")
NATURAL = {"sun": "yellow", "moon": "white", "tree": "green"}
"""The colour of a kind when the caption names none."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One drawn thing: its centre and radius in unit coordinates."""

    x: float
    y: float
    radius: float
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Equal things that the caption names together: "two small red cats".

    `colour_said` is false when the caption leaves the colour out.
    """

    kind: str
    colour: str
    things: tuple[Thing, ...]
    size: str = ""
    colour_said: bool = True

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.things)


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture's content.

    Either `background` names the colour of plain paper, or `place` and `time` name a landscape;
    `place_said` is false when the caption leaves the place out.
    `relation` says where the first group is, seen from the second. `seed` fixes what no caption
    mentions: the waves of the hills, the shades of paint, the paper's grain.
    """

    groups: tuple[Group, ...]
    background: str = ""
    place: str = ""
    place_colour: str = ""
    place_said: bool = True
    time: str = ""
    weather: str = ""
    relation: str = ""
    position: str = ""
    style: str = "flat"
    seed: int = 0


def held_out(colour: str, kind: str) -> bool:
    """Whether this pair is kept from all training, so that an evaluation can ask for it.

    One colour in twelve is withheld from each kind; a kind's natural colour never is.
    """
    if NATURAL.get(kind) == colour:
        return False
    return (7 * tuple(COLOURS).index(colour) + 5 * tuple(KINDS).index(kind)) % 12 == 3
