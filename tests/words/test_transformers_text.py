"""Language models of the real classes, tiny and random: what families promise, and their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from studio.errors import InvalidRequest
from studio.families import Model, Order, Spec
from studio.families.transformers_text import TransformersText
from studio.fields import build
from studio.tasks import TASKS
from studio.tasks.text import TextGeneration
from studio.testing import FamilyContract, Recorder
from studio.wording import CUT, instruction
from tests.families.tiny import t5_tokenizer

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
GATED = SIZES | {"intermediate_size": 64, "num_key_value_heads": 2, "max_position_embeddings": 128}


def order(number: int = 0, **more: Any) -> Order:
    prompt = ("a tune", "rain on the roof of a house", "x")[number]
    asked = {"prompt": prompt, "max_tokens": 12, "temperature": 1.0, **more}
    request = build(TextGeneration, asked).model_dump()
    return Order("job", number, "text-generation", request, 40 + number)


def byte_tokenizer() -> Any:
    """One token per byte, and three special ones."""
    alphabet = ["<pad>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def tiny(name: str, folder: Path) -> Spec:
    torch.manual_seed(0)
    tokenizer = t5_tokenizer() if name == "t5" else byte_tokenizer()
    ids = {"vocab_size": len(tokenizer), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    small = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
    config = {
        "llama": lambda: tf.LlamaConfig(**GATED, **ids),
        "mistral": lambda: tf.MistralConfig(**GATED, **ids),
        "falcon": lambda: tf.FalconConfig(**SIZES, **ids),
        "gpt2": lambda: tf.GPT2Config(**small, **ids),
        "t5": lambda: tf.T5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
            decoder_start_token_id=0,
        ),
    }[name]()  # fmt: skip
    kind = tf.AutoModelForSeq2SeqLM if name == "t5" else tf.AutoModelForCausalLM
    kind.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Spec("tiny", folder, "float32", None, {})


@pytest.mark.parametrize("spec", ["llama", "mistral", "falcon", "gpt2", "t5"], indirect=True)
class TestTransformersText(FamilyContract):
    """What every family promises, and that a greedy batch is its singles, word for word."""

    family = TransformersText()

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        return tiny(request.param, tmp_path_factory.mktemp(request.param))

    def order(self, number: int) -> Order:
        return order(number)

    def spoil(self, model: Any) -> None:
        for parameter in model._model.parameters():
            parameter.data.fill_(float("nan"))

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_a_batch_writes_what_its_orders_write_alone(
        self, model: Model, temperature: float
    ) -> None:
        orders = [
            order(n, temperature=temperature, max_tokens=8 + n, repetition_penalty=1.3)
            for n in range(3)
        ]
        progress = Recorder()
        together = [draft.facts["text"] for draft in model.generate(orders, progress)]
        alone = [next(iter(model.generate([one], Recorder()))).facts["text"] for one in orders]
        assert together == alone
        assert together == [progress.texts.get(n, "") for n in range(3)]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return TransformersText().load(tiny("llama", tmp_path_factory.mktemp("one")), "cpu", "full")


@pytest.mark.parametrize(
    ("dtype", "computed"), [("bfloat16", torch.bfloat16), ("float16", torch.float32)]
)
def test_a_processor_computes_as_the_card_says_but_not_in_half(
    tmp_path: Path, dtype: str, computed: torch.dtype
) -> None:
    """As the memory is planned."""
    model: Any = TransformersText().load(
        replace(tiny("llama", tmp_path), dtype=dtype), "cpu", "full"
    )
    assert {one.dtype for one in model._model.parameters()} == {computed}
    (draft,) = model.generate([order(temperature=0.0, repetition_penalty=1.2)], Recorder())
    assert draft.facts["usage"]["output_tokens"] > 0


def test_a_model_lies_where_it_is_placed(tmp_path: Path) -> None:
    """The device `meta` stands for any that is not the processor."""
    spec = replace(tiny("llama", tmp_path), dtype="float16")
    for placement, where in (("full", "meta"), ("cpu", "cpu")):
        model: Any = TransformersText().load(spec, "meta", placement)
        assert model._model.device.type == where
    assert model._model.dtype is torch.float32
    assert list(model.generate([order()], Recorder()))


def test_a_text_over_the_window_is_refused_with_its_count_or_cut_if_asked(llama: Model) -> None:
    with pytest.raises(InvalidRequest, match="300 tokens long, and tiny reads 128"):
        list(llama.generate([order(prompt="y" * 300)], Recorder()))
    (draft,) = llama.generate([order(prompt="y" * 300, truncate=True)], Recorder())
    assert draft.facts["made with"][0] == "cut from 300 tokens to 115"


def test_of_a_long_conversation_the_oldest_turns_are_left_out_and_counted(llama: Model) -> None:
    turns = [("user", "a" * 60), ("assistant", "b" * 60), ("user", "c" * 20), ("assistant", "d")]
    history = json.dumps([{"role": role, "content": text} for role, text in turns])
    (draft,) = llama.generate([order(history=history, truncate=True)], Recorder())
    assert "without the oldest 2 turns of the conversation" in draft.facts["made with"]
    # The two that fit, the prompt, and the empty lines between them.
    assert draft.facts["usage"]["input_tokens"] == 20 + 2 + 1 + 2 + len("a tune")


def test_a_text_goes_on_from_where_it_stopped(llama: Any) -> None:
    onward = order(temperature=0.0, max_tokens=8, beginning="so it b")
    begun = llama._tokenizer("so it b")["input_ids"]
    assert llama._asked(onward).tokens == [*llama._asked(order()).tokens, *begun]
    progress = Recorder()
    (draft,) = llama.generate([onward], progress)
    assert draft.facts["text"] == progress.texts[0]
    assert draft.facts["text"].startswith("so it b")
    assert draft.facts["usage"]["output_tokens"] == 8
    assert CUT in draft.facts["made with"]


def test_only_the_likeliest_words_are_chosen_from(llama: Model) -> None:
    def said(**more: Any) -> str:
        (draft,) = llama.generate([order(temperature=2.0, **more)], Recorder())
        return str(draft.facts["text"])

    assert said(top_k=1) == said(top_k=1, top_p=0.5) != said()


def test_what_cannot_be_used_in_text_is_taken_out_and_said(llama: Any) -> None:
    head = llama._model.lm_head
    before = head.weight.detach().clone()
    with torch.no_grad():
        head.weight.zero_()
        # Every score is 0 but for the seed's noise, so that any byte may come.
    try:
        asked = order(max_tokens=100, prompt="z")
        (draft,) = llama.generate([asked], Recorder())
    finally:
        head.weight.data.copy_(before)
    assert all(c in "\n\t\r" or ord(c) >= 32 for c in draft.facts["text"])
    assert any("nobody can see" in said for said in draft.facts["made with"])


@pytest.mark.parametrize(
    ("task", "asked", "said"),
    [
        ("text-generation", {"prompt": "rain", "kind": "poem", "system": "Be brief."}, "a poem"),
        ("summarization", {"text": "it rains"}, "one paragraph"),
        ("translation", {"text": "it rains", "target": "de"}, "into German"),
        ("text-rewriting", {"text": "it rains", "style": "formal"}, "formally"),
        ("text-rewriting", {"text": "it rains", "style": "back-translation"}, "into German"),
        ("question-answering", {"text": "it rains", "question": "what?"}, "Question: what?"),
    ],
)
def test_every_task_has_its_words(llama: Any, task: str, asked: dict[str, str], said: str) -> None:
    request = build(TASKS[task].request, asked).model_dump()
    told = llama._tokenizer.decode(llama._conversation(instruction(task, request)))
    assert said in told
    assert all(asked[name] in told for name in ("prompt", "text", "system") if name in asked)


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """An NLLB with random weights, and its own tokenizer over a handful of words."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("nllb")
    names = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    words = tf.NllbTokenizer(vocab={name: place for place, name in enumerate(names)}, merges=[])
    words.save_pretrained(folder)
    config = tf.M2M100Config(
        vocab_size=len(words), d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32,
        decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2,
        max_position_embeddings=64, bos_token_id=0, pad_token_id=1, eos_token_id=2,
        decoder_start_token_id=2,
    )  # fmt: skip
    tf.M2M100ForConditionalGeneration(config).save_pretrained(folder)
    languages = {"en": "eng_Latn", "de": "deu_Latn", "fr": "fra_Latn"}
    spec = Spec("tiny", folder, "float32", None, {"languages": languages})
    return TransformersText().load(spec, "cpu", "full")


def translation(number: int, **asked: str) -> Order:
    values = {"text": "it rains", "max_tokens": 6, **asked}
    request = build(TASKS["translation"].request, values).model_dump()
    return Order("job", number, "translation", request, number)


def test_a_translation_is_asked_from_one_language_and_begins_with_the_other(
    nllb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    generate = nllb._model.generate

    def watched(**inputs: Any) -> torch.Tensor:
        made: torch.Tensor = generate(**inputs)
        seen.extend([inputs["input_ids"], made])
        return made

    monkeypatch.setattr(nllb._model, "generate", watched)
    orders = [translation(0, target="de"), translation(1, target="fr", source="de")]
    list(nllb.generate(orders, Recorder()))
    asked, made = (nllb._tokenizer.batch_decode(rows) for rows in seen)
    assert ["eng_Latn" in asked[0], "deu_Latn" in asked[1]] == [True, True]
    # Each row of a batch begins with its own language.
    assert made[0].removeprefix("</s>").lstrip().startswith("deu_Latn")
    assert made[1].removeprefix("</s>").lstrip().startswith("fra_Latn")


def test_a_language_that_a_model_does_not_know_is_named(nllb: Model) -> None:
    with pytest.raises(InvalidRequest, match="target: tiny does not know 'zh'"):
        list(nllb.generate([translation(0, target="zh")], Recorder()))


def test_a_back_translation_is_written_in_the_other_language_and_then_in_ones_own(
    nllb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.Tensor] = []
    generate = nllb._model.generate

    def watched(**inputs: Any) -> torch.Tensor:
        made: torch.Tensor = generate(**inputs)
        asked.extend([inputs["input_ids"], made])
        return made

    monkeypatch.setattr(nllb._model, "generate", watched)
    values = {"text": "it rains", "style": "back-translation", "through": "fr", "max_tokens": 6}
    request = build(TASKS["text-rewriting"].request, values).model_dump()
    progress = Recorder()
    (draft,) = nllb.generate([Order("job", 0, "text-rewriting", request, 0)], progress)
    there, french, back, english = (nllb._tokenizer.batch_decode(rows)[0] for rows in asked)
    assert "eng_Latn" in there
    assert "fra_Latn" in french
    assert "fra_Latn" in back
    assert "eng_Latn" in english
    # What is read out is the text in one's own language alone, and the note says the way.
    assert progress.texts.get(0, "") == draft.facts["text"]
    assert "by way of fr" in draft.facts["made with"]


def test_back_translations_of_two_jobs_do_not_get_mixed_up(nllb: Any) -> None:
    """Each is the first output of its own."""

    def asked(job: str, **more: Any) -> Order:
        values = {"style": "back-translation", "through": "fr", "max_tokens": 6, **more}
        request = build(TASKS["text-rewriting"].request, values).model_dump()
        return Order(job, 0, "text-rewriting", request, 0)

    plain = translation(0, target="de")
    orders = [asked("one", text="it rains"), asked("two", text="a sea", through="de"), plain]
    together = list(nllb.generate(orders, Recorder()))
    alone = [next(iter(nllb.generate([one], Recorder()))) for one in orders]
    assert [draft.facts for draft in together] == [draft.facts for draft in alone]
    ways = [draft.facts["made with"][:1] for draft in together]
    assert ways[:2] == [["by way of fr"], ["by way of de"]] != ways[1:]
