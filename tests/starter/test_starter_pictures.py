"""The shipped picture model still does what its card says: a hundred prompts, no second try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import evaluate
import pytest

pytestmark = pytest.mark.starter

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "model_cards" / "starter-pictures.eval.json"
ALLOWANCE = 0.03  # other processors round differently


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return document


def test_the_report_is_about_the_shipped_weights(report: dict[str, Any]) -> None:
    assert report["weights_sha256"] == evaluate.weights_hash(evaluate.MODEL)


def test_a_hundred_prompts_score_what_the_report_says(report: dict[str, Any]) -> None:
    asked = evaluate.questions(evaluate.QUICK, report["seed"])
    pipeline = evaluate.load(evaluate.MODEL)
    drawn = list(evaluate.pictures(pipeline, asked, report["steps"], report["guidance"]))
    assert {picture.shape for picture in drawn} == {(report["pixels"], report["pixels"], 3)}
    measures = evaluate.summarise(evaluate.judge(asked, drawn))
    for name, expected in report["first_hundred"].items():
        assert measures[name]["share"] >= expected["share"] - ALLOWANCE, (name, measures[name])


def test_the_weights_are_safetensors_and_small() -> None:
    starters = [path for path in evaluate.MODEL.parent.rglob("*") if path.is_file()]
    pickles = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
    assert not [path for path in starters if path.suffix in pickles]
    pictures = [path for path in starters if path.is_relative_to(evaluate.MODEL)]
    assert sum(path.stat().st_size for path in pictures) <= 25_000_000
    # All of them together are still quickly cloned.
    assert sum(path.stat().st_size for path in starters) <= 40_000_000


def test_the_vocabulary_is_the_one_of_the_world() -> None:
    shipped = json.loads((evaluate.MODEL / "vocabulary.json").read_text(encoding="utf-8"))
    from world import first

    assert shipped["groups"] == first.vocabulary()
