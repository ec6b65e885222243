"""Slips of the pen: so many words of a text, and nothing else of it."""

from __future__ import annotations

import re

import pytest

from studio.families import Order, Spec
from studio.families.workshop.family import Workshop
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import Recorder

TEXT = "The lamp stood by the sea, and nobody knew who had lit it.\n\nIt was a red lamp! A ✨ one."


def garbled(seed: int, slips: float = 0.2, text: str = TEXT) -> str:
    asked = {"text": text, "slips": slips}
    request = build(TASKS["text-noising"].request, asked).model_dump()
    model = Workshop().load(Spec("pen", None, "float32", None, {}), "cpu", "full")  # type: ignore[arg-type]
    (draft,) = model.generate([Order("job", 0, "text-noising", request, seed)], Recorder())
    return str(draft.facts["text"])


@pytest.mark.parametrize(("slips", "changed"), [(0.01, 1), (0.2, 4), (1.0, 20)])
def test_as_many_words_have_a_slip_as_were_asked_for(slips: float, changed: int) -> None:
    for seed in range(20):
        made = garbled(seed, slips)
        words, copied = re.findall(r"\w+", TEXT), re.findall(r"\w+", made)
        assert re.sub(r"\w+", "", made) == re.sub(r"\w+", "", TEXT)
        assert sum(one != other for one, other in zip(words, copied, strict=True)) == changed


def test_every_seed_slips_differently_and_the_same_one_alike() -> None:
    assert garbled(1) == garbled(1)
    assert len({garbled(seed) for seed in range(20)}) == 20


def test_what_has_no_words_stays_as_it_is() -> None:
    assert garbled(1, text="…!?") == "…!?"
