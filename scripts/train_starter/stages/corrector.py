"""Stage 6: the decoder again, half of it on what the finished denoiser makes of real latents.

A denoiser's latents are wrong in ways of its own, and always alike; noise does not stand for them.
Real latents, disturbed and denoised again with their caption, keep their picture and get these
mistakes, which the decoder then learns to draw over.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import torch
from loop import Loop, rank
from recipe import Run
from supply import Supply
from torch import Tensor

from stages import autoencoder, denoiser, text
from stages import tokenizer as tokenizers

_LEVELS = (300, 450, 600)
_STEPS = 3
_GROUP = 25


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


def _mistakes(run: Run, data: Supply, encode: autoencoder.Encoder) -> tuple[Tensor, Tensor]:
    """What the denoiser makes of some latents, and the pictures (n, h, w, 3) that they were of."""
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(run.pipeline / "unet", dtype=torch.float32)
    unet = unet.to(run.device).eval()
    tower, tokenizer = text.load(run), tokenizers.load(run)
    signal = denoiser.scheduler().alphas_cumprod.to(run.device).float()
    rng = random.Random(run.seed + rank())
    made, wanted = [], []
    for _ in range(max(1, run.recipe.corrections // _GROUP)):
        _, captions, pictures = data.draw(_GROUP)
        shown = torch.from_numpy(pictures)
        with torch.no_grad():
            said = captions + [""] * len(captions)
            states = tower(text.identifiers(tokenizer, said, run.device))[0]
        latents = encode(autoencoder.as_values(shown.to(run.device)))
        level = rng.choice(_LEVELS)
        redrawn = redraw(unet, signal, latents, states, level, _STEPS, run.recipe.guidance)
        made.append(redrawn.half().cpu())
        wanted.append(shown)
    return torch.cat(made), torch.cat(wanted)


def train(run: Run, data: Supply) -> None:
    """Train the decoder on, and write it over the former one."""
    budget = run.recipe.corrector
    torch.manual_seed(run.seed + rank())
    vae = autoencoder.load(run).to(memory_format=torch.channels_last).train()
    vae.encoder.requires_grad_(False)
    encode = autoencoder.Encoder(vae, run.device)
    bank, pictures = _mistakes(run, data, encode)
    loop = Loop(
        "corrector", run.folder / "corrector", budget, [vae], weight_decay=0.0, together=True
    )

    def step(_: int) -> Tensor:
        half = budget.batch // 2
        fresh = autoencoder.as_values(torch.from_numpy(data.draw(half)[2]).to(run.device))
        chosen = torch.randint(0, len(bank), (budget.batch - half,))
        latents = torch.cat([encode(fresh), bank[chosen].float().to(run.device)])
        wanted = torch.cat([fresh, autoencoder.as_values(pictures[chosen].to(run.device))])
        return autoencoder.decoding_loss(run, vae, latents, wanted)

    loop.run(step)
    if rank() == 0:
        vae.half().save_pretrained(run.pipeline / "vae")
