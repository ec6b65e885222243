"""The first world and its judge agree, word by word and picture by picture."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
from judge import flat
from measures import summarise, wilson
from world import first


def test_the_judge_reads_a_thousand_fresh_renders() -> None:
    verdicts = []
    for number in range(1000):
        sample = first.flat_sample(random.Random(900_000 + number))
        assert sample.scene is not None
        verdicts.append(flat.score(sample.scene, flat.read(sample.render(64))))
    measures = summarise(verdicts)
    assert min(measure["share"] for measure in measures.values()) >= 0.99, measures


def test_the_judge_is_not_fooled_by_a_wrong_picture() -> None:
    """A picture of another scene must not be read as right: otherwise 100 % means nothing."""
    samples = [first.flat_sample(random.Random(number)) for number in range(200)]
    verdicts = []
    for asked, drawn in itertools.pairwise(samples):
        assert asked.scene is not None
        verdicts.append(flat.score(asked.scene, flat.read(drawn.render(64))))
    measures = summarise(verdicts)
    assert measures["all"]["share"] < 0.05
    assert measures["colour"]["share"] < 0.3
    assert measures["shape"]["share"] < 0.3


def test_a_scene_is_the_same_at_every_size() -> None:
    for number in range(40):
        sample = first.flat_sample(random.Random(number))
        assert sample.scene is not None
        for size in (64, 128, 512):
            verdict = flat.score(sample.scene, flat.read(sample.render(size)))
            assert verdict["all"] == [True], (sample.caption, size)


def test_rendering_is_deterministic() -> None:
    first_time, second_time = (first.sample(random.Random(3)) for _ in range(2))
    assert first_time.caption == second_time.caption
    assert np.array_equal(first_time.render(64), second_time.render(64))


def test_the_vocabulary_holds_exactly_the_words_of_the_captions() -> None:
    known = {word for words in first.vocabulary().values() for word in words}
    rng = random.Random(0)
    used = {
        word for _ in range(20_000) for word in re.findall(r"[a-z]+", first.sample(rng).caption)
    }
    assert used == known


def test_the_wilson_interval_matches_the_textbook() -> None:
    measure = wilson(9, 10)
    assert (measure.share, measure.low, measure.high) == (0.9, 0.5958, 0.9821)
    assert wilson(10, 10).high == 1.0
    assert wilson(0, 0).share == 0.0
