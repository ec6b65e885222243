"""Stage 4: the text tower, taught together with an image tower which captions belong to which
pictures.

What this makes is a small CLIP of the world. Its text tower seeds the denoiser's; therefore this
CLIP never judges.
"""

from __future__ import annotations

from typing import Any

import torch
from loop import Loop
from recipe import SIZE, TOKENS, Run
from supply import Order, Supply, make
from torch import Tensor
from torch.nn import functional

from stages import tokenizer as tokenizers
from stages.autoencoder import as_values


def build(run: Run, tokens: int) -> Any:
    """An untrained CLIP."""
    from transformers import CLIPConfig, CLIPModel

    shape = run.recipe.shape
    tower = {
        "hidden_size": shape.text_width,
        "intermediate_size": 2 * shape.text_width,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": max(1, shape.text_width // 32),
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


def identifiers(tokenizer: Any, captions: list[str], device: torch.device) -> Tensor:
    """Token numbers, padded to one length."""
    encoded = tokenizer(
        captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    )
    numbers: Tensor = encoded.input_ids
    return numbers.to(device)


def load(run: Run) -> Any:
    """The trained CLIP of this run."""
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(run.folder / "clip", dtype=torch.float32).to(run.device).eval()


def train(run: Run, data: Supply) -> float:
    """Train the CLIP; returns how often it finds the caption of a picture among 100."""
    budget = run.recipe.text
    torch.manual_seed(run.seed)
    tokenizer = tokenizers.load(run)
    clip = build(run, len(tokenizer)).to(run.device).train()
    loop = Loop("text", run.folder / "text", budget, [clip], weight_decay=0.05)

    def step(_: int) -> Tensor:
        _, captions, pictures = data.draw(budget.batch)
        with torch.no_grad():
            clip.logit_scale.clamp_(0, 4.6)
        with torch.autocast(run.device.type, torch.bfloat16, enabled=run.recipe.bfloat16):
            seen = clip(
                input_ids=identifiers(tokenizer, captions, run.device),
                pixel_values=as_values(torch.from_numpy(pictures).to(run.device)),
            ).logits_per_image.float()
        truth = torch.arange(len(seen), device=run.device)
        return (functional.cross_entropy(seen, truth) + functional.cross_entropy(seen.T, truth)) / 2

    loop.run(step)
    clip.eval().save_pretrained(run.folder / "clip")
    return top_one(run, clip, tokenizer)


@torch.no_grad()
def top_one(run: Run, clip: Any, tokenizer: Any, rounds: int = 5) -> float:
    """The share of pictures whose own caption scores best among a hundred."""
    right = 0
    for number in range(rounds):
        _, captions, pictures = make(Order(SIZE, run.seed + 902), 100, number)
        scores = clip(
            input_ids=identifiers(tokenizer, captions, run.device),
            pixel_values=as_values(torch.from_numpy(pictures).to(run.device)),
        ).logits_per_image
        right += int((scores.argmax(dim=1).cpu() == torch.arange(100)).sum())
    return right / (100 * rounds)
