"""MusicGen's own class with random weights: what families promise, and what it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)

from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.transformers_audio import TransformersAudio
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder
from tests.families.tiny import t5_tokenizer

TASK = TASKS["text-to-music"]


def order(number: int = 0, **more: Any) -> Order:
    asked = {"prompt": ("a tune", "rain", "a march")[number], "duration": 1.0, **more}
    request = build(TASK.request, asked).model_dump()
    return Order("job", number, TASK.id, request, 40 + number)


def musicgen(folder: Path) -> None:
    """Four codebooks of 64 entries at 25 frames a second, 16 kHz."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    text = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4
    )
    codec = EncodecConfig(
        codebook_size=64, codebook_dim=32, hidden_size=32, num_filters=4, sampling_rate=16_000,
        upsampling_ratios=[8, 5, 4, 4], target_bandwidths=[0.6], num_lstm_layers=1,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=64, num_codebooks=4, hidden_size=32, ffn_dim=64, num_hidden_layers=2,
        num_attention_heads=4, pad_token_id=64, bos_token_id=64, max_position_embeddings=64,
        initializer_factor=0.5,
    )  # fmt: skip
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(
            text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()
        )
    )
    # Fresh codebooks are empty, and would make every piece the same.
    for name, buffer in model.named_buffers():
        if name.endswith("codebook.embed"):
            torch.nn.init.normal_(buffer)
    for name in ("decoder_start_token_id", "pad_token_id", "bos_token_id"):
        setattr(model.generation_config, name, 64)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class TestMusicGen(FamilyContract):
    """What every family promises."""

    family = TransformersAudio()
    tolerance = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("musicgen")
        musicgen(folder)
        return Spec("tiny", folder, "float32", None, {})

    def order(self, number: int) -> Order:
        return order(number)

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            for decoder in model._model.audio_encoder.decoder.parameters():  # type: ignore[attr-defined]
                decoder.fill_(float("nan"))

    def test_the_length_is_as_asked_and_the_fields_are_heard(self, model: Model) -> None:
        draft = self._one(model, 0)
        assert draft.arrays["samples"].shape == (16_000, 1)
        assert draft.facts["rate"] == 16_000
        for more in ({"tempo": 90.0}, {"key": "C minor"}, {"mood": "sad"}, {"genre": "jazz"}):
            (other,) = model.generate([order(0, **more)], Recorder())
            assert other.digest() != draft.digest(), more

    def test_what_it_cannot_make_is_refused_before_it_begins(self, model: Model) -> None:
        for more in ({"duration": 60.0}, {"loopable": True}):
            progress = Recorder()
            with pytest.raises(InvalidRequest, match=next(iter(more))):
                list(model.generate([order(0), order(1, **more)], progress))
            assert progress.steps == []


def test_pickles_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(Unavailable, match="pickle"):
        TransformersAudio().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(Unavailable, match="cannot be loaded"):
        TransformersAudio().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
