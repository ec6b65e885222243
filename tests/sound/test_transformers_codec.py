"""EnCodec's own class with random weights: what lies between two sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecConfig, EncodecModel

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.transformers_codec import TransformersCodec
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder
from tests.sound.test_transformers_audio import spooled, tone

TASK = TASKS["audio-morphing"]
RATE = 16_000


def codec(folder: Path, **more: Any) -> None:
    torch.manual_seed(0)
    config = EncodecConfig(
        codebook_size=64, codebook_dim=32, hidden_size=32, num_filters=4, sampling_rate=RATE,
        upsampling_ratios=[8, 5, 4, 4], num_lstm_layers=1, **more,
    )  # fmt: skip
    EncodecModel(config).save_pretrained(folder)


class TestEncodec(FamilyContract):
    """What every family promises, and what a morph is."""

    family = TransformersCodec()
    tolerance = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        cls.folder = tmp_path_factory.mktemp("codec")
        codec(cls.folder / "model")
        return Spec("tiny", cls.folder / "model", "float32", None, {})

    def order(self, number: int) -> Order:
        return self._order(position=(0.5, 0.1, 0.8)[number], index=number)

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            for parameter in model._model.decoder.parameters():  # type: ignore[attr-defined]
                parameter.fill_(float("nan"))

    def _order(
        self, first: Any = None, second: Any = None, rate: int = RATE, index: int = 0, **more: Any
    ) -> Order:
        given = {
            "audio": tone(220, 1.0, rate) if first is None else first,
            "target": tone(700, 0.5, rate) if second is None else second,
        }
        asked = {"audio": "a" * 32, "target": "b" * 32, **more}
        request = build(TASK.request, asked).model_dump()
        heard = {
            field: spooled(
                self.folder / f"{field}-{rate}-{len(sound)}-{float(sound.sum()):.3f}", sound, rate
            )
            for field, sound in given.items()
        }
        return Order("job", index, TASK.id, request, 7 + index, heard)

    def test_both_ends_are_the_sounds_themselves_as_the_codec_has_them(self, model: Model) -> None:
        orders = [self._order(position=float(end), index=end) for end in (0, 1)]
        for draft, sound in zip(
            model.generate(orders, Recorder()), (tone(220, 1.0), tone(700, 0.5)), strict=True
        ):
            whole = np.pad(sound, ((0, RATE - len(sound)), (0, 0))).astype(np.float32)
            with torch.inference_mode():
                given = torch.from_numpy(whole.T[None])
                net = model._model  # type: ignore[attr-defined]
                alone = net.decoder(net.encoder(given))[0].T.clamp(-1, 1).numpy()
            samples = draft.arrays["samples"]
            assert len(samples) == len(sound)
            kept = len(sound) - 400
            np.testing.assert_allclose(samples[:kept], alone[:kept], atol=1e-6)

    def test_several_go_all_the_way_in_equal_steps(self, model: Model) -> None:
        orders = [self._order(count=3, position=0.9, index=index) for index in range(3)]
        drafts: list[Draft] = list(model.generate(orders, Recorder()))
        assert [draft.facts["position"] for draft in drafts] == [0, 0.5, 1]
        assert [len(draft.arrays["samples"]) for draft in drafts] == [16_000, 12_000, 8_000]

    def test_channels_and_rates_may_differ(self, model: Model) -> None:
        stereo = np.concatenate([tone(220, 1, 44_100), tone(330, 1, 44_100)], axis=1)
        (draft,) = model.generate([self._order(stereo, tone(700, 1, 44_100), 44_100)], Recorder())
        samples = draft.arrays["samples"]
        assert samples.shape == (RATE, 2)
        assert not np.array_equal(samples[:, 0], samples[:, 1])
        assert draft.facts["rate"] == RATE

    @pytest.mark.parametrize(
        ("sound", "why"),
        [
            (np.zeros((RATE, 1)), "target: it is silent"),
            (
                np.full((61 * RATE, 1), 0.5),
                "target: it is 61.0 seconds long, and this model takes at most 60.0",
            ),
        ],
    )
    def test_what_is_no_sound_or_too_long_is_refused_before_it_begins(
        self, model: Model, sound: Any, why: str
    ) -> None:
        progress = Recorder()
        with pytest.raises(InvalidRequest, match=why):
            list(model.generate([self.order(0), self._order(second=sound, index=1)], progress))
        assert progress.steps == []

    def test_one_sample_is_a_sound(self, model: Model) -> None:
        (draft,) = model.generate([self._order(second=np.ones((1, 1)), position=1.0)], Recorder())
        assert draft.arrays["samples"].shape == (1, 1)


def test_codecs_that_hear_in_pieces_and_pickles_are_refused(tmp_path: Path) -> None:
    spec = Spec("x", tmp_path, "float32", None, {})
    codec(tmp_path, chunk_length_s=1.0, overlap=0.01)
    with pytest.raises(Unavailable, match="second by second"):
        TransformersCodec().load(spec, "cpu", "full")
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(Unavailable, match="pickle"):
        TransformersCodec().load(spec, "cpu", "full")
