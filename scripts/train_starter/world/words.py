"""Every word that a caption can hold, grouped by what it names; synonyms stand beside the name that
the scene uses. And what people type besides.
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

OTHER_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "a": ("one", "1"),
        "two": ("2",),
        "three": ("3",),
        "four": ("4",),
        "red": ("crimson",),
        "golden": ("gold",),
        "green": ("emerald",),
        "turquoise": ("teal", "aqua"),
        "blue": ("azure",),
        "violet": ("lilac", "lavender"),
        "gray": ("silver",),
        "circle": ("ball", "dot"),
        "circles": ("balls", "dots"),
        "house": ("home", "hut", "cabin"),
        "houses": ("homes", "huts", "cabins"),
        "boat": ("ship", "yacht"),
        "boats": ("ships", "yachts"),
        "car": ("automobile",),
        "cars": ("automobiles",),
        "kitten": ("kitty",),
        "kittens": ("kitties",),
        "flower": ("blossom",),
        "flowers": ("blossoms",),
        "spaceship": ("spacecraft",),
        "tiny": ("mini",),
        "huge": ("giant", "enormous"),
        "desert": ("dunes",),
        "daylight": ("sunshine",),
        "noon": ("midday",),
        "dawn": ("daybreak",),
        "dusk": ("twilight", "nightfall"),
        "sunset": ("sundown",),
        "night": ("midnight",),
        "cloudy": ("overcast",),
        "watercolor": ("aquarelle",),
        "outline": ("sketch", "contour"),
        "pixel": ("pixelated",),
    }
)
"""What people also type for a word of the captions; no caption holds these."""

OTHER_PHRASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "spaceship": ("space ship", "rocket ship"),
        "spaceships": ("space ships", "rocket ships"),
        "on the sea": ("in the sea", "at the sea", ", sea"),
        "in the mountains": ("on a mountain", ", mountains"),
        "in the desert": ("in a desert", ", desert"),
        "in the city": ("in a big city", ", city"),
        "in space": ("in the space", ", space"),
        "in a room": ("in the room", ", room"),
        "in daylight": ("by day", "during the day", "at day", "in the daytime"),
        "at dawn": ("during dawn", ", dawn"),
        "at dusk": ("during dusk", ", dusk"),
        "at sunset": ("during sunset", ", sunset"),
        "at night": ("in the night", "during the night", ", night"),
        "in the rain": ("while it rains", "while it is raining", "on a rainy day", ", raining"),
        "in the snow": ("in snowy weather", "while it is snowing", "on a snowy day", ", snowing"),
        "under a cloudy sky": ("on a cloudy day", ", clouds"),
        "watercolor": ("in watercolor", "as a watercolor", "watercolor style", "watercolors"),
        "pixel art": ("in pixel art", "as pixel art", "pixel art style"),
        "line drawing": ("as a line drawing", "line art"),
        "neon lights": ("in neon", "with neon lights", "glowing"),
    }
)
"""What people also type for what a caption says in more words than one; as `OTHER_WORDS`."""

RELATION_PHRASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "above": ("on top of", "on"),
        "below": ("underneath",),
        "left of": ("on the left of",),
        "right of": ("on the right of",),
    }
)
"""What people also type for a relation."""

BACKGROUND_PHRASES = ("with {} background", "against {} background", ", {} background")
"""What people also type for "on {} background"."""

JOINING_WORDS = ("and", "&", ",", "with", "by", "beside", "near", "next to")
"""What joins two groups when nobody says how they stand."""

OPENINGS = (
    "a picture of",
    "an image of",
    "a drawing of",
    "draw",
    "draw me",
    "please draw",
    "make",
    "show me",
    "there is",
)
"""What people begin with, and mean nothing by."""


def typed() -> list[str]:
    """Every phrase that people type and no caption has; most of their words captions do have."""
    tables = (OTHER_PHRASES, RELATION_PHRASES)
    others = [phrase for table in tables for phrases in table.values() for phrase in phrases]
    return [*others, *BACKGROUND_PHRASES, *JOINING_WORDS, *OPENINGS]


def _words(*phrases: str) -> list[str]:
    found = {word for phrase in phrases for word in re.findall(r"[a-z]+", phrase)}
    return sorted(found)


def vocabulary() -> dict[str, list[str]]:
    """The words by group, each word once, in the group where it means most."""
    kinds = [word for pairs in KIND_WORDS.values() for pair in pairs for word in pair]
    wanted = {
        "colours": [word for words in COLOUR_WORDS.values() for word in words],
        "objects": [word for phrase in kinds for word in phrase.split()],
        "counts": [*OTHER_WORDS["a"], *COUNT_WORDS[2:]],
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
            "mountain",
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
            "day",
            "daytime",
        ],
        "weather": [
            "rain",
            "rainy",
            "snow",
            "snows",
            "cloudy",
            "clouds",
            "raining",
            "rains",
            "snowy",
            "snowing",
        ],
        "styles": [
            "flat",
            "outline",
            "ink",
            "watercolor",
            "watercolour",
            "pixel",
            "neon",
            "glowing",
        ],
        "relations": [
            "above",
            "over",
            "below",
            "under",
            "beneath",
            "underneath",
            "beside",
            "near",
            "next",
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
    seen.update(everything)
    for known in groups.values():
        others = [other for word in known for other in OTHER_WORDS.get(word, ())]
        known += [other for other in others if other not in seen]
        seen.update(known)
    groups["other"] += [word for word in _words(*typed()) if word not in seen]
    return groups
