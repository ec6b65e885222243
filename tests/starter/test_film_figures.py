"""The shipped film model still does what its card says: 24 prompts, no second try."""

from __future__ import annotations

import json
from typing import Any

import film_evaluate
import numpy as np
import pytest
from evaluate import ROOT, weights_hash
from judge import moving
from measures import summarise

pytestmark = [
    pytest.mark.starter,
    pytest.mark.filterwarnings("ignore::FutureWarning:diffusers"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers"),
]

REPORT = ROOT / "model_cards" / "starter-film.eval.json"
QUICK = 24
#: Of so few films one is four points, and other processors round differently.
ALLOWANCE = 0.12


def test_it_moves_things_as_often_as_the_report_says() -> None:
    report: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    assert report["weights_sha256"] == weights_hash(film_evaluate.FILM)
    assert report["pictures_sha256"] == weights_hash(film_evaluate.MODEL)
    model = film_evaluate.load()
    verdicts, flickers = [], []
    for number, asked in enumerate(film_evaluate.questions(QUICK, report["seed"])):
        seed, steps, guidance = report["seed"] + number, report["steps"], report["guidance"]
        frames = film_evaluate.shoot(model, asked.caption, seed, steps, guidance, None)
        verdicts.append(moving.score(asked.scene, frames))
        flickers.append(moving.flicker(frames))
    measures = summarise(verdicts)
    for name in ("present", "motion", "colour", "shape", "background", "all"):
        expected = report["measures"][name]["share"]
        assert measures[name]["share"] >= expected - ALLOWANCE, (name, measures[name])
    assert np.mean(flickers) < 1.0
