"""WavLM's own class with random weights: what families promise, and what is compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.transformers_speakers import TransformersSpeakers
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder

TASK = TASKS["speaker-comparison"]
RATE = 22_050


def voice(pitch: float, seconds: float = 2.0) -> Any:
    """A buzz of that pitch, float32 (samples, 1)."""
    times = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * pitch * n * times) / n for n in range(1, 12))
    return (0.1 * wave).astype(np.float32)[:, None]


def order(folder: Path, number: int, one: Any, other: Any) -> Order:
    inputs = {
        name: Draft("audio", number, 0, {"samples": samples}, {"rate": RATE}).spool(folder / name)
        for name, samples in (("audio", one), ("other", other))
    }
    request = build(TASK.request, {"audio": "one", "other": "two"}).model_dump()
    return Order("job", number, TASK.id, request, 40 + number, inputs)


def wavlm(place: Path) -> None:
    """A model that tells speakers apart as well as its random weights do."""
    torch.manual_seed(0)
    model = WavLMForXVector(
        WavLMConfig(
            vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, conv_dim=(16, 16, 16), conv_stride=(5, 4, 4),
            conv_kernel=(10, 8, 4), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
            tdnn_dim=(16, 16), tdnn_kernel=(3, 1), tdnn_dilation=(1, 1), xvector_output_dim=8,
        )
    )  # fmt: skip
    model.save_pretrained(place)
    Wav2Vec2FeatureExtractor(sampling_rate=16_000, do_normalize=True).save_pretrained(place)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wavlm")
    wavlm(place)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    spec = Spec("tiny", folder, "float32", None, {"threshold": 0.99})
    return TransformersSpeakers().load(spec, "cpu", "full")


def compared(model: Model, place: Path, one: Any, other: Any) -> Mapping[str, Any]:
    (draft,) = model.generate([order(place, 0, one, other)], Recorder())
    found: Mapping[str, Any] = json.loads(draft.facts["text"])
    return found


class TestWavLM(FamilyContract):
    """What every family promises."""

    family = TransformersSpeakers()

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        place = tmp_path_factory.mktemp("contract")
        wavlm(place)
        return Spec("tiny", place, "float32", None, {})

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.place = tmp_path_factory.mktemp("heard")

    def order(self, number: int) -> Order:
        return order(self.place / str(number), number, voice(100 + 90 * number), voice(390))

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            model._model.feature_extractor.weight.fill_(float("nan"))  # type: ignore[attr-defined]


def test_a_sound_is_most_like_itself(model: Model, tmp_path: Path) -> None:
    itself = compared(model, tmp_path / "a", voice(110), voice(110))
    assert itself["likeness"] == pytest.approx(1, abs=1e-4)
    assert itself["same"]
    other = compared(model, tmp_path / "b", voice(110), voice(390))
    assert other["likeness"] < itself["likeness"]
    swapped = compared(model, tmp_path / "c", voice(390), voice(110))
    assert swapped["likeness"] == pytest.approx(other["likeness"], abs=1e-4)


def test_two_voices_in_one_sound_are_less_steady_than_one(model: Model, tmp_path: Path) -> None:
    one = compared(model, tmp_path / "a", voice(110, 4), voice(110))
    two = compared(model, tmp_path / "b", np.concatenate([voice(110), voice(390)]), voice(110))
    assert two["steadiness"] < one["steadiness"]
    assert one["steady"]


def test_pauses_say_nothing_about_a_voice(model: Model, tmp_path: Path) -> None:
    pause = np.zeros((2 * RATE, 1), np.float32)
    padded = np.concatenate([pause, voice(110), pause])
    assert compared(model, tmp_path, padded, voice(110))["likeness"] > 0.99


@pytest.mark.parametrize("sound", [np.zeros((3 * RATE, 1), np.float32), voice(110, 0.3)])
def test_silence_and_a_word_are_too_little(model: Model, tmp_path: Path, sound: Any) -> None:
    with pytest.raises(InvalidRequest, match="too little is said"):
        compared(model, tmp_path, voice(110), sound)


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        TransformersSpeakers().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
