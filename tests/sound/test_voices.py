"""The voices' own classes with random weights: what families promise, and what they are asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    BarkConfig,
    BarkModel,
    BertTokenizer,
    EncodecConfig,
    GenerationConfig,
    SpeechT5Config,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    SpeechT5Tokenizer,
    VitsConfig,
    VitsModel,
    VitsTokenizer,
)

from studio.errors import Cancelled, InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.transformers_speech import TransformersSpeech
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder

TASK = TASKS["text-to-speech"]
LETTERS = "abcdefghijklmnopqrstuvwxyz'.,!? "


def order(number: int = 0, index: int = 0, **more: Any) -> Order:
    text = ("a red boat. and a sea.", "one house.", "it is noon.")[number]
    request = build(TASK.request, {"text": text, **more}).model_dump()
    return Order(
        "job", index or number if request["count"] > 1 else 0, TASK.id, request, 40 + number
    )


def vits(folder: Path, **more: Any) -> None:
    """8 kHz, one speaker."""
    torch.manual_seed(0)
    words = folder / "words.json"
    words.write_text(json.dumps({letter: number for number, letter in enumerate(LETTERS)}))
    VitsTokenizer(str(words), pad_token="a", phonemize=False).save_pretrained(folder)
    words.unlink()
    VitsModel(
        VitsConfig(
            vocab_size=len(LETTERS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            ffn_dim=32, flow_size=16, spectrogram_bins=9, upsample_initial_channel=16,
            upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]], sampling_rate=8000, prior_encoder_num_flows=2,
            posterior_encoder_num_wavenet_layers=2, prior_encoder_num_wavenet_layers=2,
            duration_predictor_num_flows=2, depth_separable_num_layers=2, **more,
        )
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)


class _Promises(FamilyContract):
    """What every voice promises beside."""

    family = TransformersSpeech()
    tolerance = 0.0

    def order(self, number: int) -> Order:
        return order(number)

    def test_cues_hold_the_sentences_and_their_pauses(self, model: Model) -> None:
        draft = self._one(model, 0)
        first, second = draft.facts["cues"]
        assert [first["text"], second["text"]] == ["a red boat.", "and a sea."]
        assert first["start"] == 0
        assert second["start"] - first["end"] == pytest.approx(0.3, abs=0.01)
        length = len(draft.arrays["samples"]) / draft.facts["rate"]
        assert second["end"] == pytest.approx(length, abs=0.01)

    def test_each_output_is_a_part_of_the_text(self, model: Model) -> None:
        whole = self._one(model, 0)
        drafts = list(model.generate([order(0, count=2), order(0, 1, count=2)], Recorder()))
        assert [draft.facts["cues"][0]["text"] for draft in drafts] == ["a red boat.", "and a sea."]
        assert len(drafts[0].arrays["samples"]) < len(whole.arrays["samples"])

    def test_it_speaks_in_bfloat16_and_where_it_is_placed(self, spec: Spec) -> None:
        """The device `meta` stands for any that is not the processor."""
        model: Any = self.family.load(replace(spec, dtype="bfloat16"), "meta", "cpu")
        assert str(model._voice._model.device) == "cpu"
        assert model._voice._model.dtype is torch.bfloat16
        draft = self._one(model, 1)
        assert draft.arrays["samples"].dtype == "float32"
        assert len(draft.arrays["samples"])

    @pytest.mark.parametrize("more", [{"language": "de"}, {"voice": "nobody"}, {"pitch": 1.5}])
    def test_what_it_cannot_do_is_refused_before_it_begins(
        self, model: Model, more: dict[str, Any]
    ) -> None:
        progress = Recorder()
        with pytest.raises(InvalidRequest, match=next(iter(more))):
            list(model.generate([order(0, **more)], progress))
        assert progress.steps == []


class TestVits(_Promises):
    """MMS-TTS is one of these."""

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("vits")
        vits(folder)
        return Spec("tiny", folder, "float32", None, {})

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            model._voice._model.decoder.conv_pre.weight.fill_(float("nan"))  # type: ignore[attr-defined]

    def test_it_speaks_as_fast_as_asked(self, model: Model) -> None:
        length = len(self._one(model, 1).arrays["samples"])
        (fast,) = model.generate([order(1, speed=2.0)], Recorder())
        assert len(fast.arrays["samples"]) < 0.7 * length

    def test_letters_that_it_does_not_know_are_named(self, model: Model) -> None:
        with pytest.raises(InvalidRequest, match="日本"):
            list(model.generate([order(0, text="日本")], Recorder()))


def speecht5(folder: Path) -> None:
    """One layer each way, its vocoder in a folder below, and no speakers."""
    import sentencepiece

    torch.manual_seed(0)
    prefix = folder / "letters"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([LETTERS] * 50), model_prefix=str(prefix), model_type="char",
        vocab_size=len(set(LETTERS)) + 5, bos_id=0, pad_id=1, eos_id=2, unk_id=3,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    tokenizer = SpeechT5Tokenizer(f"{prefix}.model")
    tokenizer.save_pretrained(folder)
    for path in folder.glob("letters.*"):
        path.unlink()
    model = SpeechT5ForTextToSpeech(
        SpeechT5Config(
            vocab_size=len(tokenizer), hidden_size=24, encoder_layers=1, encoder_attention_heads=2,
            encoder_ffn_dim=32, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32,
            num_mel_bins=20, speaker_embedding_dim=16, speech_decoder_prenet_units=16,
            speech_decoder_postnet_units=16, speech_decoder_postnet_layers=2,
            max_text_positions=60, max_speech_positions=600, speech_decoder_prenet_dropout=0.5,
        )
    )  # fmt: skip
    model.save_pretrained(folder)
    SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=20, upsample_initial_channel=16, upsample_rates=[8, 8],
            upsample_kernel_sizes=[16, 16], resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]], sampling_rate=16_000,
        )
    ).save_pretrained(folder / "vocoder")  # fmt: skip


class TestSpeechT5(_Promises):
    """With a vocoder, and a voice that the seed makes up."""

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("speecht5")
        speecht5(folder)
        return Spec("tiny", folder, "float32", None, {})

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            model._voice._vocoder.conv_pre.weight.fill_(float("nan"))  # type: ignore[attr-defined]

    def test_it_stops_in_the_middle_of_a_sentence(self, model: Model) -> None:
        stops_in_a_sentence(model)

    def test_voices_are_those_of_the_file(self, spec: Spec) -> None:
        file = spec.folder / "speakers.safetensors"
        voices = {"ada": torch.ones(16), "ben": -torch.ones(16)}
        save_file(voices, file)
        try:
            model = self.family.load(spec, "cpu", "full")
            ada, ben, usual = (
                next(iter(model.generate([order(1, **more)], Recorder())))
                for more in ({"voice": "ada"}, {"voice": "ben"}, {})
            )
            assert ada.digest() == usual.digest() != ben.digest()
        finally:
            file.unlink()

    def test_without_its_vocoder_it_says_what_is_missing(self, spec: Spec) -> None:
        lonely = replace(spec, options={"vocoder": "hifigan"})
        with pytest.raises(Unavailable, match="hifigan") as caught:
            self.family.load(lonely, "cpu", "full")
        assert "studio models get hifigan" in caught.value.hint
        (spec.folder / "vocoder").rename(spec.folder / "elsewhere")
        try:
            with pytest.raises(Unavailable, match="vocoder") as caught:
                self.family.load(spec, "cpu", "full")
        finally:
            (spec.folder / "elsewhere").rename(spec.folder / "vocoder")
        # No model is called so: the card's notice says where that one lies.
        assert "studio models show tiny" in caught.value.hint


def bark(folder: Path) -> None:
    """The real vocabularies, since its stages count on them; everything else is small."""
    torch.manual_seed(0)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *LETTERS,
        *(f"##{one}" for one in LETTERS),
    ]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    size = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "block_size": 1024, "dropout": 0.0}
    codec = EncodecConfig(
        codebook_size=1024, codebook_dim=16, hidden_size=16, num_filters=2, sampling_rate=24_000,
        upsampling_ratios=[8, 5, 4, 2], target_bandwidths=[6.0], num_lstm_layers=1,
    )  # fmt: skip
    model = BarkModel(
        BarkConfig(
            semantic_config={**size, "input_vocab_size": 129_600, "output_vocab_size": 10_048},
            coarse_acoustics_config={
                **size, "input_vocab_size": 12_096, "output_vocab_size": 12_096
            },
            fine_acoustics_config={**size, "input_vocab_size": 1056, "output_vocab_size": 1056},
            codec_config=codec.to_dict(),
        )
    )  # fmt: skip
    for name, buffer in model.named_buffers():
        if name.endswith("codebook.embed"):
            torch.nn.init.normal_(buffer)
    # The class that is named after it cannot be saved.
    model.generation_config = GenerationConfig(
        semantic_config={"max_new_tokens": 8, "min_eos_p": None}, coarse_acoustics_config={},
        fine_acoustics_config={}, sample_rate=24_000, codebook_size=1024,
    )  # fmt: skip
    model.save_pretrained(folder)


class TestBark(_Promises):
    """Semantic, coarse and fine tokens."""

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("bark")
        bark(folder)
        return Spec("tiny", folder, "float32", None, {})

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            for one in model._voice._model.codec_model.decoder.parameters():  # type: ignore[attr-defined]
                one.fill_(float("nan"))

    def test_it_stops_in_the_middle_of_a_sentence(self, model: Model) -> None:
        stops_in_a_sentence(model)


def stops_in_a_sentence(model: Model) -> None:
    class Impatient(Recorder):
        def step(self, done: int, total: int, previews: Any = ()) -> None:
            super().step(done, total)
            raise Cancelled

    progress = Impatient()
    with pytest.raises(Cancelled):
        list(model.generate([order(0)], progress))
    assert progress.steps == [(0, 2)]


def test_pickles_and_other_kinds_of_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(Unavailable, match="pickle"):
        TransformersSpeech().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
    (tmp_path / "pytorch_model.bin").unlink()
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(Unavailable, match="gpt2"):
        TransformersSpeech().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
