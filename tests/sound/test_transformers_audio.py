"""MusicGen's own class with random weights: what families promise, and what it is asked for."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)
from transformers.audio_utils import chroma_filter_bank
from transformers.models.musicgen_melody.feature_extraction_musicgen_melody import (
    MusicgenMelodyFeatureExtractor,
)

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.transformers_audio import TransformersAudio
from studio.families.transformers_tunes import Ear
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder
from tests.families.tiny import t5_tokenizer

TASK = TASKS["text-to-music"]


def order(number: int = 0, heard: dict[str, Path] | None = None, **more: Any) -> Order:
    asked = {"prompt": ("a tune", "rain", "a march")[number], "duration": 1.0, **more}
    request = build(TASK.request, asked).model_dump()
    return Order("job", number, TASK.id, request, 40 + number, heard or {})


def spooled(folder: Path, samples: np.ndarray[Any, Any], rate: int) -> Path:
    """A sound as a family gets it."""
    return Draft("audio", 0, 0, {"samples": samples.astype(np.float32)}, {"rate": rate}).spool(
        folder
    )


def tone(pitch: float, seconds: float, rate: int = 16_000, channels: int = 1) -> Any:
    time = np.arange(round(seconds * rate)) / rate
    return np.repeat(0.5 * np.sin(2 * np.pi * pitch * time)[:, None], channels, axis=1)


def musicgen(
    folder: Path, melody: bool = False, channels: int = 1, width: int = 32, layers: int = 2
) -> None:
    """Four codebooks of 64 entries at 25 frames a second, 16 kHz; twice as many in stereo."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    text = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4
    )
    codec = EncodecConfig(
        codebook_size=64, codebook_dim=32, hidden_size=32, num_filters=4, sampling_rate=16_000,
        upsampling_ratios=[8, 5, 4, 4], target_bandwidths=[0.6], num_lstm_layers=1,
    )  # fmt: skip
    a_decoder = MusicgenMelodyDecoderConfig if melody else MusicgenDecoderConfig
    a_model = MusicgenMelodyForConditionalGeneration if melody else MusicgenForConditionalGeneration
    config = (
        partial(MusicgenMelodyConfig, num_chroma=12, chroma_length=40) if melody else MusicgenConfig
    )
    decoder = a_decoder(
        vocab_size=64, num_codebooks=4 * channels, hidden_size=width, ffn_dim=2 * width,
        num_hidden_layers=layers, num_attention_heads=4, pad_token_id=64, bos_token_id=64,
        max_position_embeddings=64, initializer_factor=0.5, audio_channels=channels,
    )  # fmt: skip
    model = a_model(
        config(
            text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()
        )
    )
    if melody:
        extractor = {"sampling_rate": 16_000, "n_fft": 2048, "hop_length": 1024, "num_chroma": 12}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    # Fresh codebooks are empty, and would make every piece the same; fresh biases drown all sounds.
    for name, parameter in model.audio_encoder.encoder.named_parameters():
        if "bias" in name:
            torch.nn.init.zeros_(parameter)
    noise = model.audio_encoder.encoder(torch.randn(1, 1, 16_000)).detach()
    for name, buffer in model.named_buffers():
        if name.endswith("codebook.embed"):
            torch.nn.init.normal_(buffer, std=float(noise.std()))
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
        for more in ({"duration": 60.0}, {"duration": 2.5, "loopable": True}):
            progress = Recorder()
            with pytest.raises(InvalidRequest, match="duration: this model makes at most"):
                list(model.generate([order(0), order(1, **more)], progress))
            assert progress.steps == []

    def test_a_loop_has_no_seam(self, model: Model) -> None:
        """What comes after its end is what came after it before the loop was closed."""
        (longer,) = model.generate([order(0, duration=1.25)], Recorder())
        (loop,) = model.generate([order(0, loopable=True)], Recorder())
        samples, uncut = loop.arrays["samples"], longer.arrays["samples"]
        assert loop.facts["loop"]
        assert samples.shape == (16_000, 1)
        np.testing.assert_array_equal(samples[4000:], uncut[4000:16_000])
        np.testing.assert_allclose(samples[0], uncut[16_000], atol=1e-6)

    def test_a_piece_goes_on(self, model: Model, tmp_path: Path) -> None:
        """It stays what it was, and what it was decides what follows."""
        endings = []
        for pitch in (200.0, 900.0):
            piece = spooled(tmp_path / f"{pitch}", tone(pitch, 4.0, 32_000, 2), 32_000)
            (draft,) = model.generate([order(0, heard={"continue_from": piece})], Recorder())
            samples = draft.arrays["samples"]
            assert samples.shape == (5 * 16_000, 2)
            kept = tone(pitch, 4.0, 16_000, 2)[1000:63_000]
            np.testing.assert_allclose(samples[1000:63_000], kept, atol=0.01)
            endings.append(samples[64_000:])
        assert not np.array_equal(*endings)

    @pytest.mark.parametrize(
        ("samples", "duration", "why"),
        [
            (np.zeros((16_000, 1)), 1.0, "it is silent"),
            (np.ones((1, 1)), 1.0, "1 samples are too short"),
            (tone(200, 3), 2.5, "duration: this model makes at most 1.56 seconds"),
        ],
    )
    def test_a_piece_that_nothing_can_follow_is_refused(
        self, model: Model, tmp_path: Path, samples: Any, duration: float, why: str
    ) -> None:
        piece = spooled(tmp_path, samples, 16_000)
        one = order(0, heard={"continue_from": piece}, duration=duration)
        with pytest.raises(InvalidRequest, match=why):
            list(model.generate([one], Recorder()))

    def test_a_melody_and_a_loop_that_cannot_be_are_refused(
        self, model: Model, tmp_path: Path
    ) -> None:
        tune = spooled(tmp_path, tone(440, 1), 16_000)
        with pytest.raises(InvalidRequest, match="melody: this model follows none"):
            list(model.generate([order(0, heard={"melody": tune})], Recorder()))
        looped = order(0, heard={"continue_from": tune}, loopable=True)
        with pytest.raises(InvalidRequest, match="loopable: a piece that goes on"):
            list(model.generate([looped], Recorder()))


class TestMusicGenMelody(FamilyContract):
    """Every order follows a tune."""

    family = TransformersAudio()
    tolerance = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        cls.folder = tmp_path_factory.mktemp("melody")
        musicgen(cls.folder / "model", melody=True)
        return Spec("tiny", cls.folder / "model", "float32", None, {"window": 2.4})

    def order(self, number: int) -> Order:
        return order(number, self._tune(262.0 * 2 ** (4 * number / 12)))

    def spoil(self, model: Model) -> None:
        TestMusicGen.spoil(self, model)

    def _tune(self, pitch: float, seconds: float = 1.0) -> dict[str, Path]:
        place = self.folder / f"{pitch:.0f}-{seconds}"
        return {"melody": spooled(place, tone(pitch, seconds, 22_050, 2), 22_050)}

    def test_the_tune_is_heard(self, model: Model) -> None:
        """In any octave: what counts is the pitch class."""
        c, e, high = (
            next(model.generate([order(0, self._tune(pitch))], Recorder())).digest()
            for pitch in (261.63, 329.63, 523.25)
        )
        assert c != e
        assert c == high

    def test_a_tune_can_lead_a_piece_on(self, model: Model) -> None:
        heard = {**self._tune(262.0), "continue_from": self._tune(300.0, 0.8)["melody"]}
        (draft,) = model.generate([order(0, heard)], Recorder())
        assert len(draft.arrays["samples"]) == 28_800

    @pytest.mark.parametrize(
        ("seconds", "why"),
        [(3.0, "3.0 seconds long, and .* at most 2.6"), (0.1, "0.1 seconds long, too")],
    )
    def test_a_tune_that_is_too_long_or_short_is_refused_with_its_length(
        self, model: Model, seconds: float, why: str
    ) -> None:
        with pytest.raises(InvalidRequest, match=f"melody: it is {why}"):
            list(model.generate([order(0, self._tune(262.0, seconds))], Recorder()))


def test_the_ear_hears_as_the_librarys_own_extractor(tmp_path: Path) -> None:
    """Which needs torchaudio for one thing, a spectrogram, that torch itself has as well."""
    noise = np.random.default_rng(1).normal(0, 0.1, (40_000, 1))
    ear, window = Ear(rate=16_000, window=2048, hop=1024), torch.hann_window(2048)
    filters = chroma_filter_bank(
        sampling_rate=16_000, num_frequency_bins=2048, tuning=0, num_chroma=12
    )
    theirs = SimpleNamespace(
        n_fft=2048,
        chroma_filters=torch.from_numpy(filters).float(),
        spectrogram=lambda waves: (
            torch.stft(waves, 2048, 1024, window=window, return_complex=True).abs().square()
            / window.square().sum()
        ),
    )
    for samples in (noise, noise[:9000]):
        ours = ear.pitch_classes(spooled(tmp_path / str(len(samples)), samples, 16_000), 40)
        waves = torch.from_numpy(samples.T.astype(np.float32))
        heard = MusicgenMelodyFeatureExtractor._torch_extract_fbank_features(theirs, waves)
        assert torch.equal(ours, heard)


def test_a_stereo_model_goes_on_in_stereo(tmp_path: Path) -> None:
    """Its codebooks take turns between left and right."""
    musicgen(tmp_path / "model", channels=2)
    model = TransformersAudio().load(
        Spec("x", tmp_path / "model", "float32", None, {}), "cpu", "full"
    )
    sides = np.concatenate([tone(200, 1), tone(900, 1)], axis=1)
    piece = spooled(tmp_path / "piece", sides, 16_000)
    (draft,) = model.generate([order(0, {"continue_from": piece})], Recorder())
    samples = draft.arrays["samples"]
    assert samples.shape == (32_000, 2)
    left, right = samples[16_000:].T
    assert not np.array_equal(left, right)


def test_pickles_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(Unavailable, match="pickle"):
        TransformersAudio().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(Unavailable, match="cannot be loaded"):
        TransformersAudio().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
