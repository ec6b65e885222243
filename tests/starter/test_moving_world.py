"""The moving world and its judge agree, motion by motion."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
from judge import moving
from measures import summarise
from world import motion

FILMS = [motion.sample(random.Random(700_000 + number)) for number in range(150)]


def test_the_judge_reads_fresh_films() -> None:
    measures = summarise(moving.score(film.scene, film.render(16, 128)) for film in FILMS)
    assert min(measure["share"] for measure in measures.values()) >= 0.98, measures


def test_the_judge_is_not_fooled_by_another_film() -> None:
    """A film that moves otherwise, backwards or not at all must not be read as right."""
    wrong = 0
    for asked, drawn in itertools.pairwise(FILMS):
        if asked.scene.motion != drawn.scene.motion:
            wrong += moving.score(asked.scene, drawn.render(16, 64))["all"][0]
    assert wrong == 0
    for film in FILMS[:40]:
        frames = film.render(16, 64)
        still = np.repeat(frames[:1], 16, axis=0)
        assert not moving.score(film.scene, still)["motion"][0]
        backwards = moving.score(film.scene, frames[::-1])["motion"][0]
        assert backwards == (film.scene.motion == "bounce"), film.caption


def test_what_is_withheld_is_never_shown_in_training() -> None:
    """A boat has no colour of its own; sun and moon are asked for in any where none is withheld."""
    asked = [motion.sample(random.Random(number), withheld=True).scene for number in range(300)]
    for scene in (one for one in asked if one.background):
        assert motion.held_out(scene.colour, scene.kind), scene
    for scene in (film.scene for film in FILMS if film.scene.kind != "boat"):
        assert not motion.held_out(scene.colour, scene.kind), scene
    assert len({(scene.colour, scene.kind) for scene in asked}) > 20


def test_flicker_is_what_the_border_does() -> None:
    still = np.full((16, 64, 64, 3), 100, np.uint8)
    assert moving.flicker(still) == 0
    still[1::2] += 10
    assert moving.flicker(still) == 10


def test_every_word_of_a_caption_is_in_the_vocabulary() -> None:
    phrases = [phrase for words in motion.vocabulary().values() for phrase in words]
    known = {word for phrase in phrases for word in phrase.split()}
    said = {word for film in FILMS for word in re.findall(r"[a-z]+", film.caption)}
    assert said <= known
