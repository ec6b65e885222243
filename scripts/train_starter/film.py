"""Train the starter film model: a motion module over the shipped picture model, on a processor.

    python scripts/train_starter/film.py --out training/film

The picture model's UNet stays as it is. What learns is an AnimateDiff motion adapter between its
layers, and a text tower of the film's own, which begins as the picture model's and learns the
verbs. The finished folder holds these two; the rest is the picture model's. Budgets are in steps:
an interrupted training goes on from its last checkpoint, one whose `--steps` are raised from its
end.
"""

from __future__ import annotations

import argparse
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import vocabulary
from continue_first import tokens
from evaluate import MODEL, load
from loop import Budget, Loop
from stages.autoencoder import as_values
from stages.denoiser import noise_levels
from torch import Tensor, nn
from world import motion

FRAMES = 16
SIZE = 128


def build() -> tuple[Any, Any]:
    """The shipped picture model's pipeline, and its UNet with an untrained motion adapter."""
    from diffusers import MotionAdapter, UNetMotionModel

    pipeline = load(MODEL)
    shape = pipeline.unet.config
    adapter = MotionAdapter(
        block_out_channels=tuple(shape.block_out_channels),
        motion_layers_per_block=shape.layers_per_block,
        motion_num_attention_heads=4,
        motion_norm_num_groups=shape.norm_num_groups,
        motion_max_seq_length=FRAMES,
        use_motion_mid_block=True,
    )
    unet = UNetMotionModel.from_unet2d(pipeline.unet, adapter)
    for name, weight in unet.named_parameters():
        weight.requires_grad_("motion_modules" in name)
        if "motion_modules" in name and name.endswith(("proj_out.weight", "proj_out.bias")):
            nn.init.zeros_(weight)  # an untrained adapter changes nothing
    return pipeline, unet


def motion_modules(unet: Any) -> nn.ModuleList:
    """The layers that learn."""
    return nn.ModuleList(
        module for name, module in unet.named_modules() if name.endswith("motion_modules")
    )


@torch.no_grad()
def latents_of(vae: Any, films: list[motion.Film]) -> Tensor:
    """The films as latents (n, channels, frames, side, side)."""
    pictures = np.concatenate([film.render(FRAMES, SIZE) for film in films])
    # A film at a time: larger batches leave the processor's cache.
    parts = as_values(torch.from_numpy(pictures)).split(FRAMES)
    encoded = torch.cat([vae.encode(part).latents for part in parts])
    return encoded.unflatten(0, (len(films), FRAMES)).transpose(1, 2).contiguous()


def train(folder: Path, budget: Budget, seed: int) -> None:
    """Train to the end of the budget, then write the model below `folder`."""
    torch.manual_seed(seed)
    pipeline, unet = build()
    tower, vae, rng = pipeline.text_encoder.train(), pipeline.vae.eval(), random.Random(seed)
    signal = pipeline.scheduler.alphas_cumprod.float().clone()
    signal[-1] = 0.0
    empty = tokens(pipeline, [""])[0]
    layers = motion_modules(unet.train())

    def step(number: int) -> Tensor:
        rng.seed(seed * 1_000_003 + number)  # a training that was interrupted sees the same films
        films = [motion.sample(rng) for _ in range(budget.batch)]
        latents = latents_of(vae, films)
        numbers = tokens(pipeline, [film.caption for film in films])
        numbers[torch.rand(len(numbers)) < 0.1] = empty
        when = noise_levels(len(latents), latents.device)
        kept = signal[when].view(-1, 1, 1, 1, 1)
        noise = torch.randn_like(latents)
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
        velocity = kept.sqrt() * noise - (1 - kept).sqrt() * latents
        words = tower(numbers)[0].repeat_interleave(FRAMES, dim=0)
        with torch.autocast("cpu", torch.bfloat16):  # twice as fast, also on a processor
            guessed: Tensor = unet(noisy, when, words).sample
        return (guessed.float() - velocity).pow(2).mean()

    def keep(_: int) -> None:
        unet.eval(), tower.eval()
        write(folder / "film", pipeline, unet)
        unet.train(), tower.train()

    Loop(
        "film",
        folder,
        budget,
        [layers],
        slow=[tower],
        checkpoint_every=100,
        log_every=20,
        at_checkpoint=keep,
    ).run(step)
    keep(budget.steps)


def write(folder: Path, pipeline: Any, unet: Any) -> None:
    """Adapter, text tower and vocabulary in half precision; the picture model has the rest."""
    from diffusers import MotionAdapter
    from transformers import CLIPTextModel

    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    # Copies: halving in place would halve what is still learning.
    unet.save_motion_modules(fresh)
    adapter = MotionAdapter.from_pretrained(fresh, use_safetensors=True)
    adapter.half().save_pretrained(fresh)
    tower = CLIPTextModel(pipeline.text_encoder.config)
    tower.load_state_dict(pipeline.text_encoder.state_dict())
    tower.half().save_pretrained(fresh / "text_encoder")
    known = vocabulary.document(motion.vocabulary())
    (fresh / "vocabulary.json").write_text(known, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    budget = Budget(options.steps, options.batch, options.rate, 50, decay_from=0.5, average=0.998)
    train(options.out, budget, options.seed)


if __name__ == "__main__":
    main()
