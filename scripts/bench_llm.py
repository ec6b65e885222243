"""What the studio adds to a language model's own time, marks and signatures left out.

    python scripts/bench_llm.py [--json scripts/results/llm.json]

A Llama of 41 million random parameters writes the same number of tokens through the family, which
chooses, decodes and tells each token, and through the library's bare `generate` with its own
sampler, on one thread. Both take turns, so that whatever else the machine does falls on both; each
figure is the best of several.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import tempfile
import time
from pathlib import Path
from typing import Any

import click
import torch
from results import Row, publish

from studio.families import Order, Spec
from studio.families.transformers_text import TransformersText
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import Recorder

RUNS = 9
TOKENS = 64
PROMPT = "rain on the roof of a house by the sea " * 4


class Watch(Recorder):
    """When the first token came."""

    first = 0.0

    def step(self, done: int, total: int, *rest: Any) -> None:
        self.first = self.first or time.perf_counter()
        super().step(done, total, *rest)


class Streamer:
    """The same, for the bare library."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, _: torch.Tensor) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass


def make(folder: Path) -> None:
    """A Llama with random weights and one token for each byte."""
    import transformers as tf
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    torch.manual_seed(0)
    alphabet = ["<pad>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    tf.PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    config = tf.LlamaConfig(
        vocab_size=32_000, hidden_size=512, intermediate_size=1376, num_hidden_layers=8,
        num_attention_heads=8, num_key_value_heads=8, max_position_embeddings=1024,
        tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    tf.LlamaForCausalLM(config).save_pretrained(folder)


def through_the_studio(author: Any, order: Order) -> tuple[float, float]:
    """Seconds to the first token, and for each further one."""
    watch = Watch()
    began = time.perf_counter()
    (draft,) = author.generate([order], watch)
    ended = time.perf_counter()
    written = draft.facts["usage"]["output_tokens"]
    return watch.first - began, (ended - watch.first) / (written - 1)


def bare(author: Any) -> tuple[float, float]:
    """The same of the library's own loop."""
    model, words = author._model, author._tokenizer
    began = time.perf_counter()
    asked = words(PROMPT, return_tensors="pt")
    streamer = Streamer()
    with torch.inference_mode():
        made = model.generate(
            input_ids=asked["input_ids"], attention_mask=asked["attention_mask"],
            max_new_tokens=TOKENS, do_sample=True, temperature=0.7, top_p=0.95, streamer=streamer,
        )  # fmt: skip
    words.decode(made[0])
    ended = time.perf_counter()
    # The streamer is given what was asked first.
    first, written = streamer.times[1], len(streamer.times) - 1
    return first - began, (ended - first) / (written - 1)


@click.command(help=__doc__)
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path))
def main(path: Path | None) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        spec = Spec("bench", Path(folder), "float32", None, {})
        author = TransformersText().load(spec, "cpu", "full")
    asked = build(TASKS["text-generation"].request, {"prompt": PROMPT, "max_tokens": TOKENS})
    order = Order("0" * 32, 0, "text-generation", asked.model_dump(), 1)
    ours, theirs = [], []
    for _ in range(RUNS + 1):
        ours.append(through_the_studio(author, order))
        theirs.append(bare(author))
    # The first turn of each warms up.
    first, each = (min(values) for values in zip(*ours[1:], strict=True))
    bare_first, bare_each = (min(values) for values in zip(*theirs[1:], strict=True))
    rows = [
        Row("first token, studio ÷ bare library", first / bare_first, "≤1.1", "×"),
        Row("each further token, studio ÷ bare library", each / bare_each, "≤1.1", "×"),
        Row("first token, studio", 1000 * first, "≤1000", "ms"),
        Row("each further token, studio", 1000 * each, "≤100", "ms"),
    ]
    publish(rows, path)


if __name__ == "__main__":
    main()
