"""What can be said and asked of a picture of the first world, always in the same words.

A caption leaves things out and varies; a description says all that a captioner is to see.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from world.first import BACKGROUNDS, FlatScene, Sample, Shape, with_article
from world.shapes import SHAPES

DESCRIBE = "describe this picture"
#: The answer to what nobody can see in such a picture.
BEYOND = "i can only tell shapes colours places and times of day"
EXTRAS = ("tree", "house", "boat", "clouds")
_TIMES = {
    "at noon": "day", "during the day": "day", "at dusk": "dusk", "at sunset": "dusk",
    "at dawn": "dawn", "at sunrise": "dawn", "at night": "night",
}  # fmt: skip
_LANDSCAPE = re.compile(
    r"an? (?P<colour>\w+) (?P<body>sun|moon) over (?P<place>[\w ]+?)"
    r"(?: with (?:a )?(?P<extra>tree|house|boat|clouds))?"
    r"(?: (?P<time>at \w+|during the day))?$"
)
_SHAPES = re.compile(
    r"an? (?:(?P<size>small|big) )?(?P<colour>\w+) (?P<kind>\w+)"
    r"(?: (?P<position>on the left|on the right|at the top|at the bottom))?"
    r"(?: (?P<relation>above|below|left of|right of) an? (?P<colour_2>\w+) (?P<kind_2>\w+))?"
    r" on an? (?P<background>\w+) background$"
)
_CONVERSE = {"above": "below", "below": "above", "left of": "right of", "right of": "left of"}
_WORDINGS = {
    DESCRIBE: ("what is this", "what do you see", "what is in this picture"),
    "what colour is the background": ("what colour is the paper", "which background colour is it"),
    "how many shapes are there": ("how many things are there", "how many shapes do you see"),
    "what time of day is it": ("what time is it", "when is it"),
    "where is it": ("what place is it", "what place is this"),
}
_BEYOND = (
    "who is this", "who made it", "how old is he", "what is her name", "is she happy",
    "what does it say", "how much does it cost", "why", "what is the weather", "is this real",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its one right answer; `about` names the attribute."""

    text: str
    answer: str
    about: str


def described(sample: Sample) -> str:
    """All that the picture shows: 'a small red circle on the left on a white background'."""
    if sample.scene is None:
        seen = landscape(sample)
        extra = {"": "", "clouds": " with clouds"}.get(seen["extra"], f" with a {seen['extra']}")
        time = "during the day" if seen["time"] == "day" else f"at {seen['time']}"
        return f"{with_article(seen['colour'])} {seen['body']} over {seen['place']}{extra} {time}"
    scene = sample.scene
    first, *rest = scene.shapes
    if rest:
        named = f"{_named(first)} {scene.relation} {_named(rest[0])}"
    else:
        words = " ".join(filter(None, [size(first), first.colour, first.kind]))
        named = " ".join(filter(None, [with_article(words), position(first)]))
    return f"{named} on {with_article(scene.background)} background"


def attributes(description: str) -> dict[str, str]:
    """What a description says, by attribute; empty where it says nothing that one can say."""
    if found := _SHAPES.match(description):
        seen = {name: value or "" for name, value in found.groupdict().items()}
        return seen | {"count": "two" if seen["relation"] else "one"}
    if found := _LANDSCAPE.match(description):
        seen = {name: value or "" for name, value in found.groupdict().items()}
        return seen | {"time": _TIMES.get(seen["time"], "day")}
    return {}


def turned(seen: dict[str, str]) -> dict[str, str]:
    """The same attributes, told from the other of two shapes: 'a red circle above a blue square'
    shows what 'a blue square below a red circle' does."""
    swapped = {name: seen[f"{name}_2"] for name in ("colour", "kind")}
    swapped |= {f"{name}_2": seen[name] for name in ("colour", "kind")}
    return seen | swapped | {"relation": _CONVERSE[seen["relation"]]}


def questions(sample: Sample, rng: random.Random) -> list[Question]:
    """Every question that this picture answers, and a few whose answer is no."""
    if sample.scene is None:
        asked = _of_landscape(landscape(sample), rng)
    else:
        asked = _of_shapes(sample.scene, rng)
    return [*asked, Question(rng.choice(_BEYOND), BEYOND, "beyond")]


def reworded(text: str, rng: random.Random) -> str:
    """The question in one of its wordings."""
    return rng.choice((text, *_WORDINGS.get(text, ())))


def landscape(sample: Sample) -> dict[str, str]:
    """A landscape's colour, body, place, extra and time, read from its caption, which is true."""
    return attributes(sample.caption)


def size(shape: Shape) -> str:
    """`small`, `big` or nothing, for a shape that stands alone."""
    pixels = shape.radius * 64
    return "small" if pixels < 10.5 else "big" if pixels > 18.5 else ""


def position(shape: Shape) -> str:
    """Where a shape stands alone; nothing in the middle."""
    right, down = (shape.x - 0.5) * 64, (shape.y - 0.5) * 64
    if max(abs(right), abs(down)) < 7:
        return ""
    if abs(right) > abs(down):
        return "on the right" if right > 0 else "on the left"
    return "at the bottom" if down > 0 else "at the top"


def _named(shape: Shape) -> str:
    return with_article(f"{shape.colour} {shape.kind}")


def _of_shapes(scene: FlatScene, rng: random.Random) -> list[Question]:
    asked = [
        Question("what colour is the background", scene.background, "background"),
        Question("how many shapes are there", ("one", "two")[len(scene.shapes) - 1], "count"),
        Question("is it a landscape", "no", "present"),
    ]
    kinds = [shape.kind for shape in scene.shapes]
    colours = [shape.colour for shape in scene.shapes]
    for shape in scene.shapes:
        if kinds.count(shape.kind) == 1:
            asked.append(Question(f"what colour is the {shape.kind}", shape.colour, "colour"))
        if colours.count(shape.colour) == 1:
            asked.append(Question(f"what shape is the {shape.colour} thing", shape.kind, "shape"))
    if len(scene.shapes) == 1:
        (only,) = scene.shapes
        asked += [
            Question("what shape is it", only.kind, "shape"),
            Question("what colour is it", only.colour, "colour"),
            Question(f"where is the {only.kind}", position(only) or "in the middle", "position"),
            Question(f"how big is the {only.kind}", size(only) or "medium", "size"),
        ]
    elif kinds[0] != kinds[1]:
        there = f"{scene.relation} the {colours[1]} {kinds[1]}"
        asked.append(Question(f"where is the {kinds[0]}", there, "relation"))
    for kind in {rng.choice(kinds), rng.choice(tuple(SHAPES))}:
        answer = "yes" if kind in kinds else "no"
        asked.append(Question(f"is there {with_article(kind)}", answer, "present"))
    missing = rng.choice([kind for kind in SHAPES if kind not in kinds])
    none = f"there is no {missing}"
    asked.append(Question(f"what colour is the {missing}", none, "absent"))
    return asked


def _of_landscape(seen: dict[str, str], rng: random.Random) -> list[Question]:
    other = "sun" if seen["body"] == "moon" else "moon"
    kind = rng.choice(EXTRAS)
    asked = [
        Question("what time of day is it", seen["time"], "time"),
        Question(f"what colour is the {seen['body']}", seen["colour"], "colour"),
        Question("where is it", seen["place"], "place"),
        Question("is it a landscape", "yes", "present"),
        Question(f"what colour is the {other}", f"there is no {other}", "absent"),
        Question(
            "are there clouds" if kind == "clouds" else f"is there a {kind}",
            "yes" if seen["extra"] == kind else "no",
            "present",
        ),
    ]
    colour, _, land = seen["place"].partition(" ")
    if land in ("hills", "mountains"):
        asked.append(Question(f"what colour are the {land}", colour, "place"))
    return asked


def words() -> list[str]:
    """Every word of descriptions, questions and answers, sorted."""
    from world.first import sample

    rng = random.Random(7)
    texts = [DESCRIBE, BEYOND, *_BEYOND, *BACKGROUNDS, *SHAPES]
    texts += [wording for several in _WORDINGS.values() for wording in several]
    for _ in range(3000):
        drawn = sample(rng)
        texts.append(described(drawn))
        texts += [part for one in questions(drawn, rng) for part in (one.text, one.answer)]
    return sorted({word for text in texts for word in text.split()})
