"""The statistical mark of texts: made by a real model, found without one, and honest in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as tf
from tokenizers import Tokenizer, models, pre_tokenizers

from studio.cards import Card
from studio.catalog import card_folder
from studio.families import Order, Spec
from studio.families.transformers_text import TransformersText
from studio.fields import build
from studio.provenance import open_provenance
from studio.provenance.marks import MarkKey
from studio.provenance.marks.text import SURE, TextMark
from studio.provenance.verdict import Outcome
from studio.settings import Settings
from studio.tasks.text import TextGeneration
from studio.testing import Recorder
from studio.tournament import evidence, favoured

KEY = MarkKey("first", b"1" * 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of 200 words, which is undecided enough to be marked."""
    place = tmp_path_factory.mktemp("undecided")
    words = ["<pad>", "<s>", "</s>", *(f"w{number}" for number in range(197))]
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = tf.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>"
    )
    tokenizer.save_pretrained(place)
    torch.manual_seed(0)
    config = tf.LlamaConfig(
        vocab_size=200, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=None,
    )  # fmt: skip
    tf.LlamaForCausalLM(config).save_pretrained(place)
    return place


@pytest.fixture
def card() -> Card:
    return Card.read(card_folder() / "starter-words.md")


def order(**more: object) -> Order:
    asked = {"prompt": "w1 w2", "max_tokens": 240, "temperature": 1.0, **more}
    request = build(TextGeneration, asked).model_dump()
    return Order("job", 0, "text-generation", request, 7)


def written(folder: Path, *orders: Order) -> list[str]:
    model = TransformersText().load(Spec("tiny", folder, "float32", None, {}), "cpu", "full")
    return [draft.facts["text"] for draft in model.generate(orders, Recorder())]


def test_a_marked_text_is_found_by_its_key_alone(folder: Path, card: Card, tmp_path: Path) -> None:
    mark = TextMark(tmp_path, [KEY])
    (keyed,) = mark.keyed([order()], card, folder)
    assert KEY.secret.hex() not in keyed.text_key
    marked, plain = written(folder, keyed, order())
    found = mark.detect(marked)
    assert found is not None
    assert found.key == "first"
    assert found.chance < SURE
    # Half of it, in front of a stranger's words, still tells.
    mixed = mark.detect(" ".join(marked.split()[:120] + plain.split()[:120]))
    assert mixed is not None
    assert mixed.chance < 1e-3
    for unmarked in (
        mark.detect(plain),
        TextMark(tmp_path, [MarkKey("x", b"2" * 32)]).detect(marked),
    ):
        assert unmarked is not None
        assert unmarked.chance > 1e-3
    # A key that was replaced still reads what it marked.
    rotated = TextMark(tmp_path, [MarkKey("second", b"3" * 32), KEY]).detect(marked)
    assert rotated is not None
    assert rotated.key == "first"
    assert rotated.tries == 2


def test_only_a_long_text_whose_words_were_drawn_claims_the_mark(folder: Path) -> None:
    model = TransformersText().load(Spec("tiny", folder, "float32", None, {}), "cpu", "full")
    asked = (order(), order(max_tokens=40), order(temperature=0))
    keyed = [replace(one, text_key=KEY.secret.hex()) for one in asked]
    drafts = [draft for one in keyed for draft in model.generate([one], Recorder())]
    claim = "with a statistical mark in the choice of words"
    assert [claim in draft.facts["made with"] for draft in drafts] == [True, False, False]


def test_a_marked_text_depends_on_its_seed_alone(folder: Path, card: Card, tmp_path: Path) -> None:
    (keyed,) = TextMark(tmp_path, [KEY]).keyed([order()], card, folder)
    other = replace(keyed, index=1, seed=8)
    alone, together = written(folder, keyed)[0], written(folder, other, keyed)
    assert alone == together[1] != together[0]


def test_what_is_short_or_opted_out_or_not_readable_later_is_not_marked(
    folder: Path, card: Card, tmp_path: Path
) -> None:
    mark = TextMark(tmp_path / "kept", [KEY])
    off = replace(card, studio=card.studio.model_copy(update={"options": {"text_mark": False}}))
    assert mark.keyed([order(max_tokens=199)], card, folder)[0].text_key == ""
    assert mark.keyed([order()], off, folder)[0].text_key == ""
    assert mark.keyed([order()], card, tmp_path)[0].text_key == ""
    assert not mark.folder.exists()
    assert mark.detect("w1 " * 300) is None


def test_the_tournament_changes_no_chance_on_average() -> None:
    chances, tokens = np.array([0.5, 0.3, 0.15, 0.05]), np.array([3, 5, 8, 13])
    mean = np.mean([favoured(b"key", (n, 1, 2, 3), tokens, chances) for n in range(4000)], axis=0)
    assert np.allclose(mean, chances, atol=0.03)


def test_a_tournament_that_is_decided_before_it_begins_leaves_chances() -> None:
    rest = np.logspace(-9, -20, 29)
    chances = np.array([1 - rest.sum(), *rest])
    for n in range(200):
        left = favoured(b"key", (n, 1, 2, 3), np.arange(30), chances)
        assert left.min() >= 0
        assert left.sum() == pytest.approx(1)


def test_the_bound_holds_on_words_that_know_nothing_of_the_key() -> None:
    random = np.random.default_rng(0)
    found = [evidence(b"key", random.integers(0, 50, 200).tolist()) for _ in range(400)]
    strengths = np.array([one.strength for one in found])
    assert abs(strengths.mean()) < 0.2
    assert 0.85 < strengths.std() < 1.15
    assert min(one.chance for one in found) > 1e-4
    # Repetition must not count again and again.
    assert evidence(b"key", [1, 2, 3, 4, 5] * 100).tokens == 5


def test_a_check_tells_a_marked_text_without_its_statement(
    folder: Path, card: Card, tmp_path: Path
) -> None:
    provenance = open_provenance(Settings(home=tmp_path / "home"))
    try:
        (keyed,) = provenance.texts.keyed([order()], card, folder)
        marked, plain = written(folder, keyed, order())
        verdicts = {}
        for name, text in {"marked": marked, "plain": plain, "short": "w1 w2"}.items():
            path = tmp_path / f"{name}.txt"
            path.write_text(text)
            verdicts[name] = provenance.verifier.verify(path)
    finally:
        provenance.close()
    assert verdicts["marked"].outcome is Outcome.MARKED
    assert "no number" in verdicts["marked"].sentence
    layers = {name: verdict.layers[1] for name, verdict in verdicts.items()}
    assert layers["marked"].state == "found"
    assert layers["plain"].state == "absent"
    assert layers["plain"].details["searched"]
    assert not layers["short"].details["searched"]
