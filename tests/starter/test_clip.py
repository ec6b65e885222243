"""The shipped CLIP still finds captions as its card says: a hundred pictures of each world."""

from __future__ import annotations

import json
from typing import Any

import clip
import pytest
from evaluate import ROOT, weights_hash
from transformers import AutoTokenizer

pytestmark = pytest.mark.starter

FOLDER = ROOT / "studio" / "starter" / "clip"
ALLOWANCE = 0.03  # other processors round differently


@pytest.fixture(scope="module")
def told() -> Any:
    return json.loads((ROOT / "model_cards" / "starter-clip.eval.json").read_text("utf-8"))


def test_the_report_is_about_the_shipped_weights_and_says_enough(told: Any) -> None:
    assert told["weights_sha256"] == weights_hash(FOLDER)
    assert all(one["share"] >= 0.9 for one in told["measures"].values())
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8_000_000


def test_a_hundred_of_each_score_what_the_report_says(told: Any) -> None:
    found = clip.measured(FOLDER, AutoTokenizer.from_pretrained(FOLDER), rounds=1)
    for world, expected in told["first_hundred"].items():
        assert found["measures"][world]["share"] >= expected["share"] - ALLOWANCE, world
