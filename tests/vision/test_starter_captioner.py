"""The shipped captioner, on pictures that it has never seen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from studio.draft import Draft
from studio.families import Model, Order, Spec
from studio.families.transformers_vision import TransformersVision
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import Recorder

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "studio" / "starter" / "captioner"


@pytest.fixture(scope="module")
def model() -> Model:
    spec = Spec("starter-captioner", FOLDER, "float32", None, {})
    return TransformersVision().load(spec, "cpu", "full")


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """A blue square in the middle of yellow paper, at the size of a sealed picture."""
    picture = Image.new("RGB", (512, 512), (250, 215, 60))
    ImageDraw.Draw(picture).rectangle((150, 150, 362, 362), fill=(50, 90, 220))
    return Draft("image", 0, 0, {"pixels": np.asarray(picture)}).spool(tmp_path)


def said(model: Model, shown: Path, task: str, **asked: str) -> str:
    request = build(TASKS[task].request, {"image": "one", **asked}).model_dump()
    (draft,) = model.generate([Order("job", 0, task, request, 0, {"image": shown})], Recorder())
    return str(draft.facts["text"])


def test_it_says_what_there_is_to_see(model: Model, shown: Path) -> None:
    told = said(model, shown, "image-to-text")
    assert "blue square" in told
    assert told.endswith("on a yellow background")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What colour is the background?", "yellow"),
        ("What color is the paper?", "yellow"),
        ("How many shapes are there?", "one"),
        ("Who is this?", "i can only tell shapes colours places and times of day"),
    ],
)
def test_it_answers_what_can_be_asked_of_its_world(
    model: Model, shown: Path, question: str, answer: str
) -> None:
    assert said(model, shown, "visual-question-answering", question=question) == answer


def test_the_report_is_about_the_shipped_weights() -> None:
    report = json.loads((ROOT / "model_cards" / "starter-captioner.eval.json").read_text())
    digest = hashlib.sha256(b"model.safetensors\0" + (FOLDER / "model.safetensors").read_bytes())
    assert report["weights_sha256"] == digest.hexdigest()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8_000_000
