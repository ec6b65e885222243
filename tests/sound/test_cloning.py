"""CSM's own class with random weights: what families promise, and what a sample has to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CsmConfig,
    CsmForConditionalGeneration,
    CsmProcessor,
    EncodecFeatureExtractor,
    MimiConfig,
    PreTrainedTokenizerFast,
)

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.transformers_cloning import TransformersCloning
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder

TASK = TASKS["voice-cloning"]
RATE = 22_050
TEMPLATE = (
    "{% for one in messages %}{{ bos_token }}[{{ one['role'] }}]{{ one['content'][0]['text'] }}"
    "{{ eos_token }}{% if one['content']|length > 1 %}<|AUDIO|><|audio_eos|>{% endif %}{% endfor %}"
)


def csm(place: Path) -> None:
    """A model of every part that CSM has, which has learned nothing."""
    torch.manual_seed(0)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = Tokenizer(models.BPE(vocab={one: n for n, one in enumerate(alphabet)}, merges=[]))
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>",
        pad_token="<|pad|>", additional_special_tokens=["<|AUDIO|>", "<|audio_eos|>"],
    )  # fmt: skip
    number = tokenizer.convert_tokens_to_ids
    small = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2,
    }  # fmt: skip
    codec = MimiConfig(
        num_filters=2, codebook_size=64, codebook_dim=8, num_quantizers=5,
        num_semantic_quantizers=1, vector_quantization_hidden_dimension=8, upsample_groups=16,
        sliding_window=16, **small,
    )  # fmt: skip
    codes = {"num_codebooks": 5, "vocab_size": 64}
    config = CsmConfig(
        text_vocab_size=len(tokenizer), codec_config=codec.to_dict(),
        pad_token_id=number("<|pad|>"), bos_token_id=number("<|begin_of_text|>"),
        audio_token_id=number("<|AUDIO|>"), audio_eos_token_id=number("<|audio_eos|>"),
        codebook_pad_token_id=63,
        depth_decoder_config={
            "backbone_hidden_size": 16, "max_position_embeddings": 6, **codes, **small
        },
        **codes, **small,
    )  # fmt: skip
    model = CsmForConditionalGeneration(config)
    for name, buffer in model.named_buffers():
        # They begin as zeros, which would make every code the same sound.
        if name.endswith("embed_sum"):
            buffer.normal_()
    model.save_pretrained(place)
    ear = EncodecFeatureExtractor(sampling_rate=24_000)
    CsmProcessor(ear, tokenizer, chat_template=TEMPLATE).save_pretrained(place)


def order(place: Path, number: int, **more: Any) -> Order:
    samples = np.random.default_rng(number).normal(0, 0.1, (RATE, 2)).astype(np.float32)
    voice = Draft("audio", 0, 0, {"samples": samples}, {"rate": RATE}).spool(place / str(number))
    wanted = {"text": "Hi.", "said": "Hello there.", "voice": "one", "consent": "0" * 32, **more}
    request = build(TASK.request, wanted).model_dump()
    return Order("job", number, TASK.id, request, 40 + number, {"voice": voice})


class TestCsm(FamilyContract):
    """What every family promises."""

    family = TransformersCloning()

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        place = tmp_path_factory.mktemp("csm")
        csm(place)
        return Spec("tiny", place, "float32", None, {"arguments": {"do_sample": True}})

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.place = tmp_path_factory.mktemp("samples")

    def order(self, number: int) -> Order:
        return order(self.place, number)

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            model._model.lm_head.weight.fill_(float("nan"))  # type: ignore[attr-defined]

    def test_a_speech_has_the_codecs_rate_and_no_longer_than_its_text(self, model: Model) -> None:
        (short,) = model.generate([self.order(0)], Recorder())
        (long,) = model.generate([order(self.place, 0, text="A longer text. " * 3)], Recorder())
        assert short.facts["rate"] == 24_000
        lengths = [len(draft.arrays["samples"]) / 24_000 for draft in (short, long)]
        assert lengths[0] == pytest.approx(2 + 0.15 * 3, abs=0.1)
        assert lengths[1] == pytest.approx(2 + 0.15 * 45, abs=0.1)

    def test_what_the_sample_says_has_to_be_known(self, model: Model) -> None:
        with pytest.raises(InvalidRequest, match="said"):
            list(model.generate([order(self.place, 0, said=" ")], Recorder()))

    def test_the_sample_and_its_words_are_what_it_goes_on_from(self, model: Model) -> None:
        told = model._told(self.order(0))  # type: ignore[attr-defined]
        words = model._processor.tokenizer.decode(told["input_ids"][0])  # type: ignore[attr-defined]
        # A second of sound is as many frames as the codec makes of it.
        assert words.count("<|AUDIO|>") == 13
        assert words.index("[0]Hello there.") < words.index("<|AUDIO|>") < words.index("[0]Hi.")
        assert told["input_values"].shape[-1] == 24_000


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        TransformersCloning().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
