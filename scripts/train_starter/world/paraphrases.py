"""What else people type for what a caption says: with "and" instead of a relation, after an opening
that means nothing, in other phrases and words.
"""

from __future__ import annotations

import random
import re

from world import captions, layout
from world.scene import Scene
from world.words import BACKGROUND_PHRASES, JOINING_WORDS, OPENINGS, OTHER_PHRASES, OTHER_WORDS

_ARTICLES = ("a", "an", "the", "two", "three", "four")
_BACKGROUND = re.compile(r"\bon (an? (\w+)) background")
_PHRASE = re.compile(
    # Not where it is what there is a picture "of".
    rf"(?<!\ba )(?<!\ban )\b(?:{'|'.join(sorted(OTHER_PHRASES, key=len, reverse=True))})\b(?! of)"
)


def usual(scene: Scene) -> str:
    """How two groups of which nobody says it stand: on paper and side by side from left to right,
    in a place as they do there.
    """
    return scene.relation if scene.place and scene.relation in ("above", "below") else "left of"


def in_other_words(caption: str, rng: random.Random) -> str:
    """A caption in which every word that has others is one of these."""
    spoken = re.sub(r"\w+", lambda word: rng.choice(OTHER_WORDS.get(word[0], (word[0],))), caption)
    return captions.mend(spoken)


def _in_other_phrases(caption: str, rng: random.Random) -> str:
    def other(phrase: re.Match[str]) -> str:
        return rng.choice((phrase[0], *OTHER_PHRASES[phrase[0]]))

    def behind(phrase: re.Match[str]) -> str:
        way = rng.choice(("on {} background", *BACKGROUND_PHRASES))
        return way.format(phrase[2] if way.startswith(",") else phrase[1])

    spoken = _BACKGROUND.sub(behind, _PHRASE.sub(other, caption))
    # A phrase that stands alone brings a comma, where there may be one.
    return re.sub(r"(\s*,)+\s*", ", ", spoken).strip(" ,")


def paraphrase(rng: random.Random) -> tuple[str, str]:
    """A text as people type it, and the caption that means the same."""
    scene = layout.sample_scene(rng)
    wording = rng.random()

    def said(joined: str | None) -> str:
        return captions.caption(scene, random.Random(wording), joined)

    if len(scene.groups) == 2 and rng.random() < 0.8:
        spoken, meant = said(rng.choice(JOINING_WORDS)), said(usual(scene))
    else:
        spoken = meant = said(None)
    spoken = _in_other_phrases(spoken, rng)
    if spoken.split(" ")[0] in _ARTICLES and rng.random() < 0.3:
        spoken = f"{rng.choice(OPENINGS)} {spoken}"
    return spoken, meant
