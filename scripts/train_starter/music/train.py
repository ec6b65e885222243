"""Train the starter composer on pieces that the generator writes, from nothing or from where it
stopped.

cd scripts/train_starter && python -m music.train --steps 2500 --folder ../../build/starter-music

The budget is in steps. State is saved every `--every` steps and picked up again by the same
command; piece number n of the course depends on n alone, so a resumed run sees what an
uninterrupted one would have seen. The log has one JSON line per report; the last names the SHA-256
of the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from music.generator import compose, random_plan
from studio.families.starter_music import words
from studio.families.starter_music.notation import NUMBERS, PADDING, TOKENS, encode

WINDOW = 768
#: Tokens of one step, padding included.
TOKENS_PER_STEP = 3072
#: Pieces that are sorted by length together, so that little is padded.
POOL = 96
EMA = 0.995


def window(number: int) -> list[int]:
    """Course piece `number` as token numbers: the heading, then as many bars as fit, from any bar
    on.
    """
    rng = random.Random(number)
    plan = random_plan(rng)
    rows = encode(plan, compose(rng, plan))
    start = 1
    if sum(map(len, rows)) > WINDOW and rng.random() < 0.5:
        start = rng.randrange(1, len(rows) // 2)
    tokens = [*rows[0], *(token for row in rows[start:] for token in row)]
    return [NUMBERS[token] for token in tokens[:WINDOW]]


def batches(first: int) -> Iterator[tuple[int, torch.Tensor]]:
    """Padded batches, int64 (pieces, tokens), without end, and the number of the next pool."""
    pool = first
    while True:
        pieces = sorted((window(pool * POOL + index) for index in range(POOL)), key=len)
        groups: list[list[list[int]]] = [[]]
        for piece in pieces:
            if len(piece) * (len(groups[-1]) + 1) > TOKENS_PER_STEP:
                groups.append([])
            groups[-1].append(piece)
        random.Random(pool).shuffle(groups)
        pool += 1
        for group in groups:
            longest = max(map(len, group))
            yield (
                pool,
                torch.tensor([piece + [PADDING] * (longest - len(piece)) for piece in group]),
            )


def build() -> LlamaForCausalLM:
    """The untrained model."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(TOKENS),
            hidden_size=160,
            intermediate_size=432,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=NUMBERS["begin"],
            eos_token_id=None,
            pad_token_id=PADDING,
        )
    )


def rate(step: int, steps: int, peak: float) -> float:
    """The learning rate: a short rise, then a cosine to a fiftieth."""
    return (
        peak
        * min(1, (step + 1) / 50)
        * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
    )


def export(model: LlamaForCausalLM, average: dict[str, torch.Tensor], folder: Path) -> str:
    """Write the averaged weights in half precision and the vocabulary; the weights' SHA-256."""
    shipped = build()
    shipped.load_state_dict(average)
    shipped.half().save_pretrained(folder)
    vocabulary = {"groups": words.groups(), "tokens": list(TOKENS)}
    (folder / "vocabulary.json").write_text(
        json.dumps(vocabulary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--every", type=int, default=250, help="steps between saved states")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, required=True, help="where state, log and weights go"
    )
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = build()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.05
    )
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    options.folder.mkdir(parents=True, exist_ok=True)
    saved = options.folder / "state.pt"
    step, pool = 0, 0
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, step, pool = state["average"], state["step"], state["pool"]

    began, losses = time.perf_counter(), []
    course = batches(pool)
    with (options.folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(
            json.dumps(
                {
                    "step": step,
                    "of": options.steps,
                    "rate": options.rate,
                    "torch": torch.__version__,
                }
            )
            + "\n"
        )
        while step < options.steps:
            pool, tokens = next(course)
            for group in optimiser.param_groups:
                group["lr"] = rate(step, options.steps, options.rate)
            labels = tokens.masked_fill(tokens == PADDING, -100)
            labels[:, :7] = -100  # the heading is asked for, not written
            loss = model(input_ids=tokens, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            keep = min(EMA, (step + 1) / (step + 10))
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - keep)
            losses.append(loss.item())
            step += 1
            if step % 25 == 0:
                report = {
                    "step": step,
                    "loss": round(sum(losses) / len(losses), 4),
                    "seconds": round(time.perf_counter() - began),
                }
                log.write(json.dumps(report) + "\n")
                log.flush()
                losses.clear()
            if step % options.every == 0 or step == options.steps:
                # A pool that was begun is left out on resuming: at most 96 pieces.
                torch.save(
                    {
                        "model": model.state_dict(),
                        "optimiser": optimiser.state_dict(),
                        "average": average,
                        "step": step,
                        "pool": pool,
                    },
                    saved,
                )
                log.write(
                    json.dumps({"step": step, "sha256": export(model, average, options.folder)})
                    + "\n"
                )
                log.flush()


if __name__ == "__main__":
    main()
