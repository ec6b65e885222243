"""What else people type for what a caption says: with "and" instead of a relation, after an opening
that means nothing, in other phrases.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from world import captions
from world.scene import Scene
from world.words import (
    BACKGROUND_PHRASES,
    JOINING_WORDS,
    OPENINGS,
    OTHER_PHRASES,
    RELATION_PHRASES,
)

_ARTICLES = ("a", "an", "the", "two", "three", "four")
_BACKGROUND = re.compile(r"\bon (an? (\w+)) background")
_PHRASE = re.compile(
    # Not where it is what there is a picture "of", or part of a longer one.
    rf"(?<!\ba )(?<!\ban )\b(?:{'|'.join(sorted(OTHER_PHRASES, key=len, reverse=True))})\b"
    r"(?! of| painting)"
)


def usual(scene: Scene) -> str:
    """How two groups of which nobody says it stand: on paper and side by side from left to right,
    in a place as they do there.
    """
    return scene.relation if scene.place and scene.relation in ("above", "below") else "left of"


def _in_other_phrases(caption: str, hour: str, rng: random.Random) -> str:
    def other(phrase: re.Match[str]) -> str:
        ways = [phrase[0], *OTHER_PHRASES[phrase[0]]]
        # "at night on a rainy day" is said by nobody.
        return rng.choice([way for way in ways if not (hour and way.endswith("y day"))])

    def behind(phrase: re.Match[str]) -> str:
        way = rng.choice(("on {} background", *BACKGROUND_PHRASES))
        return way.format(phrase[2] if way.startswith(",") else phrase[1])

    spoken = _BACKGROUND.sub(behind, _PHRASE.sub(other, caption))
    # A phrase that stands alone brings a comma, where there may be one.
    return re.sub(r"(\s*,)+\s*", ", ", spoken).strip(" ,")


def paraphrase(scene: Scene, rng: random.Random) -> tuple[str, str, Scene]:
    """A text as people type it, a caption that means the same, and the scene that both mean: where
    the text does not say how two groups stand, they stand as is `usual`.
    """
    wording = rng.random()

    def said(joined: str | None) -> str:
        return captions.caption(scene, random.Random(wording), joined)

    if len(scene.groups) < 2:
        spoken = meant = said(None)
    elif rng.random() < 0.5:
        scene = replace(scene, relation=usual(scene))
        spoken, meant = said(rng.choice(JOINING_WORDS)), said(scene.relation)
    else:
        spoken = said(rng.choice(RELATION_PHRASES[scene.relation]))
        meant = said(scene.relation)
    spoken = _in_other_phrases(spoken, scene.time, rng)
    if spoken.split(" ")[0] in _ARTICLES and rng.random() < 0.3:
        spoken = f"{rng.choice(OPENINGS)} {spoken}"
    return spoken, meant, scene
