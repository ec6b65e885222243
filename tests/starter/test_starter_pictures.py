"""The shipped picture models still do what their cards say: a hundred prompts, no second try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import pytest
import torch
from judge import scenes
from pictures import GATES
from world import first, words

pytestmark = pytest.mark.starter

ROOT = Path(__file__).resolve().parents[2]
ALLOWANCE = 0.03  # other processors round differently
WORLDS = {"starter-pictures": first.vocabulary, "starter-scenes": words.vocabulary}
FOLDERS = {"starter-pictures": evaluate.MODEL, "starter-scenes": evaluate.SCENES}

models = pytest.mark.parametrize("name", WORLDS)


def report(name: str) -> dict[str, Any]:
    path = ROOT / "model_cards" / f"{name}.eval.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


@models
def test_the_report_is_about_the_shipped_weights(name: str) -> None:
    assert report(name)["weights_sha256"] == evaluate.weights_hash(FOLDERS[name])
    assert report(name)["others_sha256"] == evaluate.others(FOLDERS[name])


@models
def test_a_hundred_prompts_score_what_the_report_says(name: str) -> None:
    told = report(name)
    asked = evaluate.questions(evaluate.QUICK, told["seed"], told["world"])
    pipeline = evaluate.load(FOLDERS[name])
    drawn = list(evaluate.pictures(pipeline, asked, told["steps"], told["guidance"]))
    assert {picture.shape for picture in drawn} == {(told["pixels"], told["pixels"], 3)}
    network = scenes.load(evaluate.JUDGE) if told["world"] == "full" else None
    measures = evaluate.summarise(evaluate.judge(asked, drawn, network))
    for measure, expected in told["first_hundred"].items():
        one = 1 / expected["asked"]  # of a few questions, one answer is more than three points
        assert measures[measure]["share"] >= expected["share"] - max(ALLOWANCE, one) - 1e-9, (
            measure,
            measures[measure],
        )


@models
def test_a_seed_draws_the_same_picture_alone_and_in_company(name: str) -> None:
    told = report(name)
    asked = evaluate.questions(3, told["seed"], told["world"])
    pipeline = evaluate.load(FOLDERS[name])
    alone, together = (
        np.stack(list(evaluate.pictures(pipeline, asked, 8, told["guidance"], batch)))
        for batch in (1, 3)
    )
    assert np.abs(alone.astype(int) - together).max() <= 8, "levels of 255: rounding"


@pytest.mark.parametrize("way", ["and", "typed"])
def test_what_people_type_is_drawn_as_the_report_says(way: str) -> None:
    told = report("starter-scenes")
    asked = evaluate.spoken(40, told["seed"])[way]
    pipeline = evaluate.load(evaluate.SCENES)
    drawn = list(evaluate.pictures(pipeline, asked, told["steps"], told["guidance"]))
    measures = evaluate.summarise(evaluate.judge(asked, drawn, scenes.load(evaluate.JUDGE)))
    for measure in ("count", "object", "colour"):
        expected = told["spoken"][way][measure]
        assert measures[measure]["share"] >= expected["low"] - ALLOWANCE, measure


def test_another_word_is_the_same_to_the_model() -> None:
    pipeline = evaluate.load(evaluate.SCENES)
    for other, known in (
        ("3 crimson cats at midnight, pixelated art", "three red cats at night, pixel art"),
        ("one ship at sundown", "a boat at sunset"),
    ):
        states = [pipeline.encode_prompt(text, "cpu", 1, False)[0] for text in (other, known)]
        assert torch.equal(*states), other


def test_the_judge_reads_renders_also_of_what_the_model_was_never_shown() -> None:
    asked = evaluate.questions(evaluate.QUICK, seed=70_000, world="full")
    vae = evaluate.load(evaluate.SCENES).vae
    measures = evaluate.ceilings(asked, vae, scenes.load(evaluate.JUDGE))
    for name in ("background", "count", "object", "colour", "style"):
        assert measures["renders"][name]["share"] >= 0.96, name
        assert measures["round_trips"][name]["share"] >= 0.88, name


def test_the_gates_are_open_for_the_shipped_weights() -> None:
    measured = report("starter-scenes")["gates"]
    for stage, pictures in (("judge", "renders"), ("autoencoder", "round_trips")):
        for name, least in GATES[stage].items():
            assert measured[pictures][name]["share"] >= least, (stage, name)


def test_what_is_enlarged_is_as_true_as_a_filters_and_crisper() -> None:
    asked = evaluate.questions(8, world="full")
    vae = evaluate.load(evaluate.SCENES).vae
    made = evaluate.enlarging(asked, vae, evaluate.SCENES)
    assert made["upscaler"]["decibels"] > made["bicubic"]["decibels"] - 1
    assert made["upscaler"]["step"] > 1.1 * made["bicubic"]["step"]


def test_the_weights_are_safetensors_and_small() -> None:
    starters = [path for path in evaluate.MODEL.parent.rglob("*") if path.is_file()]
    pickles = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
    assert not [path for path in starters if path.suffix in pickles]
    for folder in FOLDERS.values():
        files = [path for path in starters if path.is_relative_to(folder)]
        assert sum(path.stat().st_size for path in files) <= 25_000_000
    # All of them together are still quickly cloned.
    assert sum(path.stat().st_size for path in starters) <= 62_000_000


@models
def test_the_vocabulary_is_the_one_of_the_world(name: str) -> None:
    shipped = json.loads((FOLDERS[name] / "vocabulary.json").read_text(encoding="utf-8"))
    assert shipped["groups"] == WORLDS[name]()
