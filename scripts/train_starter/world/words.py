"""Every word that a caption can hold, grouped by what it names; synonyms stand beside the name that
the scene uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

COLOUR_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "red": ("red", "red", "scarlet"),
        "orange": ("orange",),
        "yellow": ("yellow", "yellow", "golden"),
        "green": ("green",),
        "cyan": ("cyan", "turquoise"),
        "blue": ("blue",),
        "purple": ("purple", "purple", "violet"),
        "pink": ("pink",),
        "brown": ("brown",),
        "black": ("black",),
        "white": ("white",),
        "gray": ("gray", "grey"),
    }
)

KIND_WORDS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "circle": (("circle", "circles"), ("disc", "discs")),
        "square": (("square", "squares"),),
        "triangle": (("triangle", "triangles"),),
        "star": (("star", "stars"),),
        "heart": (("heart", "hearts"),),
        "diamond": (("diamond", "diamonds"),),
        "ring": (("ring", "rings"), ("hoop", "hoops")),
        "cross": (("cross", "crosses"), ("plus sign", "plus signs")),
        "sun": (("sun", "suns"),),
        "moon": (("moon", "moons"), ("crescent moon", "crescent moons")),
        "tree": (("tree", "trees"),),
        "house": (("house", "houses"), ("cottage", "cottages")),
        "boat": (("boat", "boats"), ("sailboat", "sailboats")),
        "car": (("car", "cars"),),
        "cat": (("cat", "cats"), ("kitten", "kittens")),
        "fish": (("fish", "fish"),),
        "bird": (("bird", "birds"),),
        "flower": (("flower", "flowers"),),
        "rocket": (("rocket", "rockets"), ("spaceship", "spaceships")),
        "balloon": (("balloon", "balloons"),),
        "mushroom": (("mushroom", "mushrooms"), ("toadstool", "toadstools")),
        "apple": (("apple", "apples"),),
        "butterfly": (("butterfly", "butterflies"),),
        "umbrella": (("umbrella", "umbrellas"), ("parasol", "parasols")),
    }
)

COUNT_WORDS = ("", "a", "two", "three", "four")
SIZE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"small": ("small", "little", "tiny"), "big": ("big", "large", "huge")}
)
POSITION_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "left": ("on the left", "on the left side"),
        "right": ("on the right", "on the right side"),
        "top": ("at the top",),
        "bottom": ("at the bottom",),
    }
)
RELATION_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "above": ("above", "over"),
        "below": ("below", "under", "beneath"),
        "left of": ("left of", "to the left of"),
        "right of": ("right of", "to the right of"),
    }
)
PLACE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sea": ("on the sea", "at sea", "on the ocean"),
        "hills": ("on the hills", "in the hills", "on a hill"),
        "mountains": ("in the mountains",),
        "desert": ("in the desert",),
        "city": ("in the city", "in a city", "in town"),
        "space": ("in space", "in outer space", "on a planet"),
        "room": ("in a room", "indoors"),
    }
)
COLOURED_PLACE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sea": ("on a {} sea", "on a {} ocean"),
        "hills": ("on {} hills", "on a {} hill"),
        "mountains": ("in {} mountains",),
        "room": ("in a {} room",),
    }
)
BACKGROUND_WORDS = ("on a {} background", "on {}", "on {} paper")
TIME_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "day": ("", "", "in daylight", "at noon"),
        "dawn": ("at dawn", "at sunrise", "in the early morning"),
        "dusk": ("at dusk", "at sunset", "in the evening"),
        "night": ("at night", "by night"),
    }
)
WEATHER_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "rain": ("in the rain", "in rainy weather"),
        "snow": ("in the snow", "while it snows"),
        "clouds": ("under a cloudy sky", "with clouds"),
    }
)
STYLE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "flat": ("flat", "flat illustration", "flat design"),
        "outline": ("outline", "ink outline", "line drawing"),
        "watercolor": ("watercolor", "watercolour", "watercolor painting"),
        "pixel": ("pixel art", "pixel", "pixel style"),
        "neon": ("neon", "neon lights", "neon style"),
    }
)
STYLE_OBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "flat": ("a flat illustration",),
        "outline": ("an outline", "an ink outline", "a line drawing"),
        "watercolor": ("a watercolor", "a watercolour", "a watercolor painting"),
        "pixel": ("pixel art",),
        "neon": ("a neon sign",),
    }
)


def _words(*phrases: str) -> list[str]:
    found = {word for phrase in phrases for word in re.findall(r"[a-z]+", phrase)}
    return sorted(found)


def vocabulary() -> dict[str, list[str]]:
    """The words by group, each word once, in the group where it means most."""
    kinds = [word for pairs in KIND_WORDS.values() for pair in pairs for word in pair]
    wanted = {
        "colours": [word for words in COLOUR_WORDS.values() for word in words],
        "objects": [word for phrase in kinds for word in phrase.split()],
        "counts": [*COUNT_WORDS[2:]],
        "sizes": [word for words in SIZE_WORDS.values() for word in words],
        "places": [
            "sea",
            "ocean",
            "hills",
            "hill",
            "mountains",
            "desert",
            "city",
            "town",
            "space",
            "planet",
            "room",
            "indoors",
            "background",
            "paper",
        ],
        "times": [
            "daylight",
            "noon",
            "dawn",
            "sunrise",
            "morning",
            "dusk",
            "sunset",
            "evening",
            "night",
        ],
        "weather": ["rain", "rainy", "snow", "snows", "cloudy", "clouds"],
        "styles": ["flat", "outline", "ink", "watercolor", "watercolour", "pixel", "neon"],
        "relations": [
            "above",
            "over",
            "below",
            "under",
            "beneath",
            "left",
            "right",
            "top",
            "bottom",
        ],
    }
    groups: dict[str, list[str]] = {}
    seen: set[str] = set()
    for name, words in wanted.items():
        groups[name] = [word for word in dict.fromkeys(words) if word not in seen]
        seen.update(words)
    tables = (
        POSITION_WORDS,
        RELATION_WORDS,
        PLACE_WORDS,
        COLOURED_PLACE_WORDS,
        TIME_WORDS,
        WEATHER_WORDS,
        STYLE_WORDS,
        STYLE_OBJECTS,
    )
    everything = _words(
        "a an of",
        *BACKGROUND_WORDS,
        *(phrase for table in tables for words in table.values() for phrase in words),
    )
    groups["other"] = [word for word in everything if word not in seen]
    return groups
