"""Whisper's own class with random weights, and what a listener is given to hear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import AddedToken
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from studio.draft import Draft
from studio.errors import Cancelled, InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.transformers_listening import TransformersListening
from studio.fields import build
from studio.hearing import joined, sayings
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder

TASK = TASKS["automatic-speech-recognition"]
RATE = 16_000
LANGUAGES = ("en", "de", "ja")
#: Seconds of a window.
WINDOW = 2


def tone(seconds: float, pitch: float = 220.0, rate: int = RATE, level: float = 0.3) -> Any:
    """Something to be heard, float32 (samples, 1)."""
    times = np.arange(round(seconds * rate)) / rate
    wave = level * np.sin(2 * np.pi * pitch * times) * (1 + 0.3 * np.sin(2 * np.pi * 5 * times))
    return wave.astype(np.float32)[:, None]


def pause(seconds: float, rate: int = RATE) -> Any:
    return np.zeros((round(seconds * rate), 1), np.float32)


def order(folder: Path, number: int, samples: Any, rate: int = RATE, **more: Any) -> Order:
    place = Draft("audio", number, 0, {"samples": samples}, {"rate": rate}).spool(folder)
    request = build(TASK.request, {"audio": "one", **more}).model_dump()
    return Order("job", number, TASK.id, request, 40 + number, {"audio": place})


def whisper(folder: Path) -> None:
    """A Whisper of three languages, with timestamps, whose window is `WINDOW` seconds long."""
    torch.manual_seed(0)
    letters = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = WhisperTokenizer(vocab=letters | {"<|endoftext|>": len(letters)}, merges=[])
    tasks = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    times = [f"{number * 0.02:.2f}" for number in range(50 * WINDOW + 1)]
    special = [f"<|{name}|>" for name in ("startoftranscript", *LANGUAGES, *tasks, *times)]
    tokenizer.add_tokens([AddedToken(name, special=True) for name in special])
    number = tokenizer.convert_tokens_to_ids
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer), num_mel_bins=16, d_model=32, encoder_layers=1,
            decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=64, decoder_ffn_dim=64, max_source_positions=50 * WINDOW,
            max_target_positions=32, pad_token_id=256, bos_token_id=256, eos_token_id=256,
            decoder_start_token_id=257, init_std=0.5,
        )
    )  # fmt: skip
    settings = {
        # Otherwise it would be made anew from the model's configuration.
        "_from_model_config": False,
        "is_multilingual": True, "max_length": 32,
        "suppress_tokens": None, "begin_suppress_tokens": None,
        "no_timestamps_token_id": number("<|notimestamps|>"),
        "lang_to_id": {f"<|{code}|>": number(f"<|{code}|>") for code in LANGUAGES},
        "task_to_id": {name: number(f"<|{name}|>") for name in ("translate", "transcribe")},
    }  # fmt: skip
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=16, chunk_length=WINDOW).save_pretrained(folder)


class TestWhisper(FamilyContract):
    """What every family promises."""

    family = TransformersListening()
    tolerance = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("whisper")
        whisper(folder)
        return Spec("tiny", folder, "float32", None, {})

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folder = tmp_path_factory.mktemp("heard")

    def order(self, number: int) -> Order:
        said = [tone(1.5, 150 + 90 * number), pause(0.6), tone(1.2, 400 - 70 * number)]
        return order(self.folder, number, np.concatenate(said))

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            model._model.proj_out.weight.fill_(float("nan"))  # type: ignore[attr-defined]

    def test_it_hears_in_bfloat16_too(self, spec: Spec) -> None:
        model: Any = self.family.load(replace(spec, dtype="bfloat16"), "cpu", "full")
        assert model._model.dtype is torch.bfloat16
        (draft,) = model.generate([self.order(0)], Recorder())
        assert draft.facts["text"]

    def test_cues_follow_each_other_and_make_up_the_text(self, model: Model) -> None:
        progress = Recorder()
        (draft,) = model.generate([self.order(0)], progress)
        cues = draft.facts["cues"]
        times = [time for cue in cues for time in (cue["start"], cue["end"])]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= 3.3
        assert draft.facts["text"] == " ".join(cue["text"] for cue in cues) == progress.texts[0]
        assert draft.facts["language"] in LANGUAGES
        (other,) = model.generate([self.asked(timestamps=False)], Recorder())
        assert "cues" not in other.facts
        assert other.facts["text"] == draft.facts["text"]

    def test_language_and_translation_are_told_to_the_model(self, model: Model) -> None:
        asked = ({"language": "de"}, {"language": "ja"}, {"language": "de", "translate": True})
        facts = [
            next(iter(model.generate([self.asked(**more)], Recorder()))).facts for more in asked
        ]
        assert len({one["text"] for one in facts}) == 3
        assert [one["language"] for one in facts] == ["de", "ja", "en"]

    def test_an_unknown_language_is_answered_with_those_it_knows(self, model: Model) -> None:
        with pytest.raises(InvalidRequest, match="'fr'") as raised:
            list(model.generate([self.asked(language="fr")], Recorder()))
        assert raised.value.hint == "It knows de, en, ja."

    def test_it_stops_in_the_middle_of_a_step(self, model: Model) -> None:
        class Impatient(Recorder):
            def step(self, done: int, total: int, previews: Any = ()) -> None:
                super().step(done, total)
                if len(self.steps) == 3:
                    raise Cancelled

        progress = Impatient()
        with pytest.raises(Cancelled):
            list(model.generate([self.order(0)], progress))
        assert progress.steps == [(0, 1)] * 3

    @pytest.mark.parametrize(
        ("samples", "problem"),
        [
            (pause(3), "nothing can be heard"),
            (tone(3, level=1e-4), "nothing can be heard"),
            (tone(1 / RATE), "nothing can be heard"),
            (np.full((1, 1), 0.5, np.float32), "nothing can be heard"),
            (np.full((RATE, 1), np.nan, np.float32), "no numbers"),
        ],
    )
    def test_what_holds_no_speech_is_refused(
        self, model: Model, samples: Any, problem: str
    ) -> None:
        with pytest.raises(InvalidRequest, match=problem):
            list(model.generate([order(self.folder, 0, samples)], Recorder()))

    @pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
    def test_rate_and_channels_may_be_any(self, model: Model, rate: int) -> None:
        samples = np.repeat(tone(1.5, rate=rate), 2, axis=1)
        (draft,) = model.generate([order(self.folder, 0, samples, rate)], Recorder())
        assert draft.facts["cues"][-1]["end"] <= 1.5

    def asked(self, **more: Any) -> Order:
        one = self.order(0)
        request: Mapping[str, Any] = {**one.request, **more}
        return Order(one.job, one.index, one.task, request, one.seed, one.inputs)


def test_pickles_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(Unavailable, match="pickle"):
        TransformersListening().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(Unavailable, match="cannot be loaded"):
        TransformersListening().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_sayings_lie_between_the_pauses(noise: float) -> None:
    sound = np.concatenate([pause(1), tone(2), pause(0.5), tone(1), pause(0.1), tone(1), pause(1)])
    sound += noise * np.random.default_rng(0).standard_normal(sound.shape).astype(np.float32)
    found = sayings(sound, RATE, 30)
    assert [(span.begin, span.end) for span in found] == [
        pytest.approx((1, 3), abs=0.2),
        pytest.approx((3.5, 5.6), abs=0.2),
    ]
    assert [(span.begin, span.end) for span in joined(found, 30)] == [
        (found[0].begin, found[1].end)
    ]
    assert joined(found, 4) == found


def test_what_goes_on_without_a_pause_is_cut_where_it_is_quietest() -> None:
    sound = np.concatenate([tone(3), tone(0.1, level=0.01), tone(3)])
    first, second = sayings(sound, RATE, 4)
    assert first.end == pytest.approx(3.05, abs=0.3)
    assert second.end == pytest.approx(6.1)
    assert max(first.end - first.begin, second.end - second.begin) <= 4
    assert len(sayings(tone(60), RATE, 4)) >= 15


def test_clicks_are_no_speech() -> None:
    sound = pause(2)
    sound[RATE] = 0.9
    assert sayings(sound, RATE, 30) == []
