"""What the studio adds to a language model's own time, marks and signatures left out.

    python -m scripts.bench_llm [--json scripts/results/llm.json]

A Llama of 41 million random parameters writes the same number of tokens through the family, which
chooses, decodes and tells each token, and through the library's bare `generate` with its own
sampler, on one thread. Time is the processor's own, so that other programs count little; both take
turns, each first as often as the other, so that the rest falls on both alike. What is published is
the middle of the turns' own ratios, and how far apart the middle half of them lies. A third text in
each turn carries the statistical mark; its cost is against the studio's own without.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import secrets
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch

from scripts.results import Row, publish
from studio.families import Order, Spec
from studio.families.transformers_text import TransformersText
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import Recorder

RUNS = 20
TOKENS = 64
PROMPT = "rain on the roof of a house by the sea " * 4


class Watch(Recorder):
    """When the first token came."""

    first = 0.0

    def step(self, done: int, total: int, *rest: Any) -> None:
        self.first = self.first or time.process_time()
        super().step(done, total, *rest)


class Streamer:
    """The same, for the bare library."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, _: torch.Tensor) -> None:
        self.times.append(time.process_time())

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
    began = time.process_time()
    (draft,) = author.generate([order], watch)
    ended = time.process_time()
    written = draft.facts["usage"]["output_tokens"]
    return watch.first - began, (ended - watch.first) / (written - 1)


def bare(author: Any) -> tuple[float, float]:
    """The same of the library's own loop."""
    model, words = author._model, author._tokenizer
    began = time.process_time()
    asked = words(PROMPT, return_tensors="pt")
    streamer = Streamer()
    with torch.inference_mode():
        made = model.generate(
            input_ids=asked["input_ids"], attention_mask=asked["attention_mask"],
            max_new_tokens=TOKENS, do_sample=True, temperature=0.7, top_p=0.95, streamer=streamer,
        )  # fmt: skip
    words.decode(made[0])
    ended = time.process_time()
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
    marked = replace(order, text_key=secrets.token_hex(32))
    turns: list[Turn] = []
    marks: list[Turn] = []
    for number in range(RUNS + 1):
        if number % 2:
            theirs, ours = bare(author), through_the_studio(author, order)
            hidden = through_the_studio(author, marked)
        else:
            hidden = through_the_studio(author, marked)
            ours, theirs = through_the_studio(author, order), bare(author)
        turns.append((ours, theirs))
        marks.append((hidden, ours))
    # The first turn warms up.
    publish(
        [
            *compared("a text's first token", 0, turns[1:]),
            *compared("each further token", 1, turns[1:]),
            Row(
                "each further token, with the statistical mark ÷ without",
                statistics.median(hidden[1] / without[1] for hidden, without in marks[1:]),
                "≤1.2",
                "×",
            ),
        ],
        path,
    )


#: What one took and what the other did: seconds to the first token, and for each further.
Turn = tuple[tuple[float, float], tuple[float, float]]


def compared(name: str, place: int, turns: list[Turn]) -> list[Row]:
    """One figure of both: the middle ratio, the spread of the ratios, the studio's milliseconds."""
    ratios = [ours[place] / theirs[place] for ours, theirs in turns]
    low, middle, high = statistics.quantiles(ratios, n=4)
    seconds = statistics.median(ours[place] for ours, _ in turns)
    return [
        Row(f"{name}, studio ÷ bare library", middle, "≤1.1", "×"),
        Row(f"{name}, how far the middle half of these ratios spans", high - low, "≤0.2", "×"),
        Row(f"{name}, studio", 1000 * seconds, "≤1000" if place == 0 else "≤100", "ms"),
    ]


if __name__ == "__main__":
    main()
