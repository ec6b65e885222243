"""The studio's CLIP: which captions belong to which pictures, of both worlds; then measured.

    python scripts/train_starter/clip.py --tokenizer studio/starter/scenes/tokenizer \
        --steps 6000 --out training/clip --report training/clip.eval.json

With `--clip` a trained one is continued, with the tokenizer that lies in its folder; without it one
is begun. No steps only measure.

The figures are how often a picture finds its own caption among a hundred: of pairs of colour and
thing that are withheld from the full world and that the first world has not either, and of fresh
draws of the first world, whose captions a landscape may share.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evaluate import weights_hash
from measures import summarise
from recipe import SIZE, TOKENS
from stages.autoencoder import as_values
from stages.text import identifiers
from supply import Order, make
from torch.nn import functional
from world import captions, first, layout
from world.render import render
from world.scene import Scene
from world.shapes import SHAPES

Pairs = tuple[list[str], np.ndarray]
SEED = 70_000


def begin(tokens: int) -> Any:
    """An untrained CLIP of the size that the studio ships."""
    from transformers import CLIPConfig, CLIPModel

    tower = {
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "projection_dim": 128,
    }
    text = {
        **tower,
        "vocab_size": tokens,
        "max_position_embeddings": TOKENS,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    vision = {**tower, "image_size": SIZE, "patch_size": 16}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))


def first_world(rng: random.Random, count: int) -> Pairs:
    """Captions and pictures (count, side, side, 3) of the first world."""
    drawn = [first.sample(rng) for _ in range(count)]
    return [one.caption for one in drawn], np.stack([one.render(SIZE) for one in drawn])


def withheld(rng: random.Random, count: int) -> Pairs:
    """The same, of the full world's pairs that no training has seen: the first world shows all that
    it can paint.
    """
    drawn: list[Scene] = []
    while len(drawn) < count:
        scene = layout.sample_scene(rng, withheld=True)
        if not any(group.kind in SHAPES for group in scene.groups):
            drawn.append(scene)
    pictures = np.stack([render(scene, SIZE) for scene in drawn])
    return [captions.caption(scene, rng) for scene in drawn], pictures


def logits(clip: Any, tokenizer: Any, pairs: Pairs) -> torch.Tensor:
    """How well each picture suits each caption."""
    texts, pictures = pairs
    scores: torch.Tensor = clip(
        input_ids=identifiers(tokenizer, texts, torch.device("cpu")),
        pixel_values=as_values(torch.from_numpy(pictures)),
    ).logits_per_image
    return scores


@torch.no_grad()
def top_one(clip: Any, tokenizer: Any, world: Any, rounds: int) -> list[dict[str, list[bool]]]:
    """For every picture, whether its own caption scores best among a hundred; the first hundred are
    the same for any number of rounds.
    """
    rng = random.Random(SEED)
    verdicts = []
    for _ in range(rounds):
        texts, pictures = world(rng, 100)
        for place, best in enumerate(logits(clip, tokenizer, (texts, pictures)).argmax(dim=1)):
            verdicts.append({"top_one": [texts[int(best)] == texts[place]]})
    return verdicts


def load(folder: Path) -> Any:
    """A trained one, in single precision: half precision is for storage."""
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()


#: What is measured, by what the report calls it.
WORLDS = {"withheld pairs of the full world": withheld, "first world": first_world}


def measured(folder: Path, tokenizer: Any, rounds: int) -> dict[str, Any]:
    """The report on the one in `folder`, over so many rounds of a hundred pictures."""
    clip = load(folder)
    found = {name: top_one(clip, tokenizer, world, rounds) for name, world in WORLDS.items()}
    return {
        "measure": "a picture's own caption scores best among a hundred",
        "pictures": 100 * rounds,
        "seed": SEED,
        "interval": "95 % Wilson",
        "weights_sha256": weights_hash(folder),
        "torch": torch.__version__,
        "measures": {name: summarise(one)["top_one"] for name, one in found.items()},
        "first_hundred": {name: summarise(one[:100])["top_one"] for name, one in found.items()},
    }


def main() -> None:
    from transformers import (
        AutoTokenizer,
        CLIPImageProcessorPil,
        CLIPProcessor,
    )

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clip", type=Path, help="a trained one, to be continued")
    parser.add_argument("--tokenizer", type=Path, help="default: the one of --clip")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if not (options.tokenizer or options.clip):
        parser.error("one that is begun needs --tokenizer")

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer or options.clip)
    torch.manual_seed(1)
    if options.clip:
        clip, rate = load(options.clip), 4e-4
    else:
        clip, rate = begin(len(tokenizer)), 1e-3
    clip.train()
    optimiser = torch.optim.AdamW(clip.parameters(), lr=rate, weight_decay=0.05)
    rng = random.Random(1)
    began = time.monotonic()
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / options.steps))
        texts, pictures = first_world(rng, options.batch * 2 // 3)
        _, more, others = make(Order(SIZE, 5), options.batch // 3, step)
        scores = logits(clip, tokenizer, (texts + more, np.concatenate([pictures, others])))
        truth = torch.arange(len(scores))
        value = (
            functional.cross_entropy(scores, truth) + functional.cross_entropy(scores.T, truth)
        ) / 2
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, 4.6)
        if (step + 1) % 25 == 0:
            print(step + 1, round(value.item(), 4), round(time.monotonic() - began), flush=True)

    clip.half().save_pretrained(options.out)
    pictures = CLIPImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, do_center_crop=False,
        image_mean=[0.5] * 3, image_std=[0.5] * 3,
    )  # fmt: skip
    CLIPProcessor(pictures, tokenizer).save_pretrained(options.out)
    report = measured(options.out, tokenizer, options.rounds)
    options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
