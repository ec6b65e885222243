"""Continue the shipped model of the first world from its own weights.

The first world is flat shapes and simple landscapes.

    python scripts/train_starter/continue_first.py --out training/first

Four stages, each with a budget in steps, each resumable:

1. denoiser: UNet and text tower learn on;
2. decoder: it learns on, from latents with a little noise;
3. corrector: the decoder learns from the denoiser's own mistakes. Real latents are disturbed and
   denoised again with their caption, which redraws each shape as clumsily as the model does, in
   the place where it was; the decoder is asked for the clean picture;
4. upscaler: what the decoder made of the same latents becomes four times as large, and is asked for
   the picture that the world's program draws at that size.

`--only upscaler` takes the other three as they are.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import torch
from chance import chance
from loop import Budget, Loop
from stages.autoencoder import as_values, decoding_loss, reconstruction_loss
from stages.denoiser import noise_levels, noised, signal_left
from stages.text import identifiers
from stages.upscaler import SCALE, build, crop, upscale
from torch import Tensor
from torch.nn import functional
from world import first

SIZE = 128
TOKENS = 32
#: Pixels of the upscaler's crops before they grow.
CROP = 64


@dataclass(frozen=True, slots=True)
class Budgets:
    """How long each stage learns."""

    denoiser: Budget
    decoder: Budget
    corrector: Budget
    upscaler: Budget
    corrections: int


DEFAULT = Budgets(
    denoiser=Budget(6_000, 64, 6e-4, 200, decay_from=0.7),
    decoder=Budget(6_000, 8, 2e-3, 100, decay_from=0.6, average=0.998),
    corrector=Budget(1_500, 8, 1.2e-3, 30, decay_from=0.0, average=0.995),
    upscaler=Budget(2_400, 8, 2e-3, 100, decay_from=0.4, average=0.995),
    corrections=2_000,
)


def draw(rng: random.Random, count: int, pairs: float = 0.5) -> list[first.Sample]:
    """Mostly shapes; of the pairs only a part, because single shapes are what is learned last."""
    chosen: list[first.Sample] = []
    while len(chosen) < count:
        sample = first.flat_sample(rng) if rng.random() < 0.87 else first.landscape_sample(rng)
        if sample.scene is None or not sample.scene.relation or rng.random() < pairs:
            chosen.append(sample)
    return chosen


def rendered(samples: list[first.Sample], size: int = SIZE) -> Tensor:
    """The pictures as values (samples, 3, size, size) from -1 to 1."""
    return as_values(torch.from_numpy(np.stack([sample.render(size) for sample in samples])))


def tokens(pipeline: Any, captions: list[str]) -> Tensor:
    """Token numbers (captions, TOKENS), padded."""
    return identifiers(pipeline.tokenizer, captions, torch.device("cpu"), TOKENS)


def train_denoiser(pipeline: Any, vae: Any, folder: Path, budget: Budget, seed: int) -> None:
    """UNet and text tower, on fresh pictures only."""
    signal = signal_left(pipeline.scheduler)
    unet, tower = pipeline.unet.train(), pipeline.text_encoder.train()
    unet.to(memory_format=torch.channels_last)
    empty = tokens(pipeline, [""])[0]

    def step(number: int) -> Tensor:
        samples = draw(chance(seed, number), budget.batch)
        with torch.no_grad():
            latents = vae.encode(rendered(samples)).latents
        numbers = tokens(pipeline, [sample.caption for sample in samples])
        numbers[torch.rand(len(numbers)) < 0.1] = empty
        when = noise_levels(len(latents), latents.device)
        noisy, velocity = noised(latents, when, signal)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        guessed: Tensor = unet(noisy, when, tower(numbers)[0]).sample
        return (guessed - velocity).pow(2).mean()

    Loop("denoiser", folder / "denoiser", budget, [unet], seed, slow=[tower]).run(step)
    unet.eval(), tower.eval()


def train_decoder(vae: Any, folder: Path, budget: Budget, seed: int) -> None:
    """The decoder, on real latents with a little noise."""

    def step(number: int) -> Tensor:
        wanted = rendered(draw(chance(seed, number), budget.batch, pairs=1.0))
        with torch.no_grad():
            latents = vae.encode(wanted).latents
        return decoding_loss(vae, latents, wanted, 0.12)

    Loop("decoder", folder / "decoder", budget, [vae.decoder], seed, weight_decay=0.0).run(step)


@torch.no_grad()
def redraw(
    unet: Any,
    signal: Tensor,
    latents: Tensor,
    states: Tensor,
    level: int,
    steps: int,
    guidance: float,
) -> Tensor:
    """Latents (n, c, h, w), disturbed up to a noise level and denoised again by DDIM; `states` are
    the text tower's for the n captions and then for n empty ones, `signal` the scheduler's
    `alphas_cumprod`.
    """
    kept = signal[level]
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * torch.randn_like(latents)
    times = torch.linspace(level, 0, steps + 1).round().long().tolist()
    clean = latents
    for now, after in pairwise(times):
        guessed, free = unet(torch.cat([noisy, noisy]), now, states).sample.chunk(2)
        velocity = free + guidance * (guessed - free)
        kept = signal[now]
        clean = kept.sqrt() * noisy - (1 - kept).sqrt() * velocity
        noise = (1 - kept).sqrt() * noisy + kept.sqrt() * velocity
        noisy = signal[after].sqrt() * clean + (1 - signal[after]).sqrt() * noise
    return clean


@torch.no_grad()
def redrawn(pipeline: Any, vae: Any, samples: list[first.Sample], level: int) -> Tensor:
    """The samples' latents, disturbed up to a noise level and denoised again in five steps."""
    signal = signal_left(pipeline.scheduler)
    numbers = tokens(pipeline, [sample.caption for sample in samples] + [""] * len(samples))
    states = pipeline.text_encoder(numbers)[0]
    latents = vae.encode(rendered(samples)).latents
    return redraw(pipeline.unet, signal, latents, states, level, steps=5, guidance=3.0)


def mistakes(pipeline: Any, vae: Any, seed: int, count: int) -> tuple[list[first.Sample], Tensor]:
    """At least `count` samples with the latents that the denoiser makes of them."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    samples: list[first.Sample] = []
    latents = []
    while len(samples) < count:
        group = draw(rng, 20, pairs=1.0)
        latents.append(redrawn(pipeline, vae, group, rng.choice((450, 550, 650, 720))))
        samples += group
    return samples, torch.cat(latents)


def train_corrector(
    pipeline: Any, vae: Any, folder: Path, budget: Budget, corrections: int, seed: int
) -> None:
    """The decoder again, three quarters of it on latents that the denoiser has redrawn."""
    samples, bank = mistakes(pipeline, vae, seed, corrections)

    def step(number: int) -> Tensor:
        rng = chance(seed, number)
        chosen = [rng.randrange(len(samples)) for _ in range(budget.batch * 3 // 4)]
        fresh = draw(rng, budget.batch - len(chosen), pairs=1.0)
        wanted = rendered([samples[one] for one in chosen] + fresh)
        with torch.no_grad():
            undisturbed = vae.encode(wanted[len(chosen) :]).latents
        return decoding_loss(vae, torch.cat([bank[chosen], undisturbed]), wanted, 0.1)

    Loop("corrector", folder / "corrector", budget, [vae.decoder], seed, weight_decay=0.0).run(step)


def train_upscaler(pipeline: Any, folder: Path, budget: Budget, corrections: int, seed: int) -> Any:
    """The network of `stages.upscaler`, half on pictures that the denoiser has redrawn."""
    torch.manual_seed(seed)
    vae = pipeline.vae
    upscaler = build(24).to(memory_format=torch.channels_last)
    samples, bank = mistakes(pipeline, vae, seed, corrections)

    def step(number: int) -> Tensor:
        rng = chance(seed, number)
        chosen = [rng.randrange(len(samples)) for _ in range(budget.batch // 2)]
        fresh = draw(rng, budget.batch - len(chosen), pairs=1.0)
        wanted = rendered([samples[one] for one in chosen] + fresh, SIZE * SCALE)
        with torch.no_grad():
            new = vae.encode(functional.avg_pool2d(wanted[len(chosen) :], SCALE)).latents
            latents = torch.cat([bank[chosen], new])
            small = vae.decode(latents + 0.05 * torch.randn_like(latents)).sample.clamp(-1, 1)
        pairs = [crop(*pair, CROP) for pair in zip(small, wanted, strict=True)]
        given, asked = (torch.stack(each) for each in zip(*pairs, strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            made = upscale(upscaler, given.contiguous(memory_format=torch.channels_last))
        return reconstruction_loss(made.float(), asked)

    Loop("upscaler", folder / "upscaler", budget, [upscaler], seed, weight_decay=0.0).run(step)
    return upscaler.eval()


@torch.no_grad()
def gain(pipeline: Any, upscaler: Any, count: int = 60, seed: int = 77) -> tuple[float, float]:
    """Decibels over a bicubic filter, on round trips, and on what the denoiser has redrawn."""
    samples, bank = mistakes(pipeline, pipeline.vae, seed, count)
    wanted = rendered(samples, SIZE * SCALE)
    gains = []
    for latents in (pipeline.vae.encode(functional.avg_pool2d(wanted, SCALE)).latents, bank):
        small = pipeline.vae.decode(latents).sample.clamp(-1, 1)
        plain = functional.interpolate(small, scale_factor=SCALE, mode="bicubic").clamp(-1, 1)
        ours = torch.cat([upscale(upscaler, part) for part in small.split(4)]).clamp(-1, 1)
        lost = [(each - wanted).pow(2).mean(dim=(1, 2, 3)) for each in (plain, ours)]
        gains.append(float((10 * torch.log10(lost[0] / lost[1])).mean()))
    return gains[0], gains[1]


def train(
    start: Path, folder: Path, budgets: Budgets = DEFAULT, seed: int = 1, only: str = ""
) -> Path:
    """All stages, or the `only` one; returns the folder of the finished pipeline."""
    torch.manual_seed(seed)
    pipeline = evaluate.load(start)
    if only != "upscaler":
        vae = pipeline.vae
        vae.to(memory_format=torch.channels_last).encoder.requires_grad_(False)
        train_denoiser(pipeline, vae, folder, budgets.denoiser, seed)
        train_decoder(vae, folder, budgets.decoder, seed + 1)
        train_corrector(pipeline, vae, folder, budgets.corrector, budgets.corrections, seed + 2)
    upscaler = train_upscaler(pipeline, folder, budgets.upscaler, budgets.corrections, seed + 3)
    count = min(60, budgets.corrections)
    print(
        "upscaler: {:.1f} dB over a plain filter, redrawn {:.1f} dB".format(
            *gain(pipeline, upscaler, count)
        )
    )
    pipeline.to(dtype=torch.float16).save_pretrained(folder / "pictures")
    upscaler.half().save_pretrained(folder / "pictures" / "upscaler")
    return folder / "pictures"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--start", type=Path, default=evaluate.MODEL)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=["upscaler"], default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(train(options.start, options.out, seed=options.seed, only=options.only))


if __name__ == "__main__":
    main()
