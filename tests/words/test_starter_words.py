"""The starter model of words: it loses nothing that was asked, and says what it does not know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.cards import Card
from studio.catalog import card_folder
from studio.families import Model, Order, Spec
from studio.families.transformers_text import TransformersText
from studio.families.transformers_world import SmallWorld
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import Recorder
from studio.vocabulary import read_vocabulary

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "studio" / "starter" / "words"
CARD = Card.read(card_folder() / "starter-words.md")

pytestmark = pytest.mark.starter


def order(prompt: str, task: str = "text-generation", number: int = 0) -> Order:
    values = {"prompt": prompt, "max_tokens": 160}
    request = build(TASKS[task].request, values).model_dump()
    return Order("job", number, task, request, 40 + number)


@pytest.fixture(scope="module")
def model() -> Model:
    spec = Spec("starter-words", FOLDER, "float32", None, CARD.studio.options)
    return TransformersText().load(spec, "cpu", "full")


def written(model: Model, *orders: Order) -> list[dict[str, Any]]:
    return [dict(draft.facts) for draft in model.generate(orders, Recorder())]


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("Tell me a story about a boat that is red.", ["red boat"]),
        ("two tiny golden stars and a cat", ["tiny golden star", "cat"]),
        ("Butterflies!", ["butterfly"]),
        ("a red crescent moon", ["a red crescent moon"]),
        ("a purple sunset", []),
    ],
)
def test_the_things_of_a_prompt_are_found_with_what_is_said_of_them(
    prompt: str, named: list[str]
) -> None:
    begun = SmallWorld(read_vocabulary(FOLDER)).beginning("text-generation", {"prompt": prompt})
    if named:
        assert all(thing in begun.text for thing in named)
        assert begun.purpose == "story"
    else:
        assert "install a larger model" in begun.text


def test_a_prompt_is_kept_as_it_was_written_and_goes_on(model: Model) -> None:
    (facts,) = written(model, order("A red BOAT, oil on canvas.", "prompt-expansion"))
    assert facts["text"].startswith("A red BOAT, oil on canvas")
    assert len(facts["text"]) > len("A red BOAT, oil on canvas") + 5
    assert facts["usage"]["output_tokens"] > 0


def test_a_story_has_several_sentences_and_everything_that_was_asked(model: Model) -> None:
    (facts,) = written(model, order("a story about a small green fish and a rocket"))
    assert facts["text"].startswith("Once there was a small green fish and a rocket")
    assert 3 <= facts["text"].count(".") <= 6


def test_what_it_does_not_know_is_said_beside_what_it_writes(model: Model) -> None:
    orders = [
        order("What is the capital of France?"),
        order("a story about a red car", number=1),
        order("quarterly figures", "prompt-expansion", 2),
    ]
    refused, told, kept = written(model, *orders)
    assert "Ask me for a story" in refused["text"]
    assert "fixed answer" in refused["made with"][0]
    assert refused["usage"]["output_tokens"] == 0
    # A batch's texts do not depend on their company, not even on one that is not written.
    assert told["text"] == written(model, orders[1])[0]["text"]
    assert kept["text"] == "quarterly figures"
    assert "nothing added" in kept["made with"][0]


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("Once there was a red car. The car met a bird. The bird sang.", None),
        ("Once there was a tiny pink plus sign. The sign saw the moon.", None),
        (
            "Once there was a red car. The car was cold. The car met the boat.",
            "Once there was a red car. The car was cold.",
        ),
    ],
)
def test_a_text_is_sound_as_far_as_it_speaks_of_what_was_there(text: str, sound: str) -> None:
    assert SmallWorld(read_vocabulary(FOLDER)).sound(text) == (sound or text)


def test_stories_that_contradict_themselves_are_mended(model: Any) -> None:
    """Of two things with rare names, its first attempts often speak of a third."""
    prompt = "a story about a grey hoop and a purple diamond"
    asked = [replace(order(prompt), seed=seed, index=seed) for seed in range(12)]
    texts = [str(facts["text"]) for facts in written(model, *asked)]
    assert sum(model._world.sound(text) == text for text in texts) >= 11


def test_a_text_is_told_from_its_first_word(model: Model) -> None:
    recorder = Recorder()
    (draft,) = model.generate([order("a red boat")], recorder)
    assert recorder.texts[0] == draft.facts["text"]


def test_a_text_shows_in_the_terminal_and_its_file_verifies(tmp_path: Path) -> None:
    environment = {**os.environ, "STUDIO_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}

    def studio(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "studio", *words],
            env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    made = studio(
        "make", "text-generation", "a red boat", "--model", "starter-words", "--out", str(tmp_path)
    )
    assert made.returncode == 0, made.stderr
    file = Path(made.stdout.strip())
    text = file.read_text(encoding="utf-8")
    assert text.startswith("Once there was a red boat")
    assert text.strip() in made.stderr
    verified = studio("verify", "--json", str(file))
    assert json.loads(verified.stdout)[0]["verdict"] == "signed", verified.stdout
