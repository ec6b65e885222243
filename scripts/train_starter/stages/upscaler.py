"""Stage 7: the upscaler, 128 → 512 pixels.

Another `AutoencoderTiny`, built lopsided: its encoder keeps the size and its decoder doubles it
twice. So it is loaded like any diffusers model and needs no code of its own:
`upscaler.decode(upscaler.encode(picture).latents).sample`. It learns from what it will be given:
pictures that have been through the autoencoder. At first what is true, and so what is softest; then
its own pictures with hard edges, which therefore cost nothing when it is used.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from loop import Loop
from recipe import SIZE, Run
from supply import Order, Supply, SupplyOf
from torch import Tensor
from torch.nn import functional

from stages import autoencoder, edges

SCALE = 4
_CROP = 48
_CROPS = 4  # of each picture


def build(width: int) -> Any:
    """The untrained network."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(
        encoder_block_out_channels=(width,),
        decoder_block_out_channels=(width,) * 3,
        num_encoder_blocks=(4,),
        num_decoder_blocks=(1, 1, 0),
        latent_channels=width,
        scaling_factor=1.0,
    )


def upscale(upscaler: Any, values: Tensor) -> Tensor:
    """Values (n, 3, h, w) from -1 to 1, `SCALE` times as large; a little beyond is possible."""
    larger: Tensor = upscaler.decode(upscaler.encode(values).latents).sample
    return larger


def crop(small: Tensor, large: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The same random square of (…, h, w) and of (…, `SCALE` h, `SCALE` w): (…, side, side), and
    with sides `SCALE` times as long.
    """
    top, left = (int(torch.randint(0, size - side + 1, ())) for size in small.shape[-2:])
    row, column, longer = top * SCALE, left * SCALE, side * SCALE
    return (
        small[..., top : top + side, left : left + side],
        large[..., row : row + longer, column : column + longer],
    )


@dataclass(frozen=True, slots=True)
class Pairs:
    """Crops of pictures as the autoencoder gives them, and of the same four times as large."""

    run: Run
    vae: Any
    data: Supply
    #: How many of each a step learns from; `_CROPS` or more.
    batch: int

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """Float in −1 … 1: (n, 3, `_CROP`, `_CROP`), and with sides `SCALE` times as long."""
        drawn = self.data.draw(max(1, self.batch // _CROPS), number)[2]
        large = autoencoder.as_values(torch.from_numpy(drawn).to(self.run.device))
        with torch.no_grad():
            small = functional.interpolate(large, size=(SIZE, SIZE), mode="area")
            latents = self.vae.encode(small).latents
            latents = latents + 0.05 * torch.randn_like(latents)
            small = self.vae.decode(latents).sample.clamp(-1, 1)
        pairs = [crop(small, large, _CROP) for _ in range(_CROPS)]
        given, wanted = (torch.cat(each) for each in zip(*pairs, strict=True))
        return given.contiguous(memory_format=torch.channels_last), wanted


def train(run: Run, supply: SupplyOf) -> float:
    """Train on crops; returns the gain over plain bicubic enlargement in decibels."""
    torch.manual_seed(run.seed)
    upscaler = (
        build(run.recipe.shape.upscaler_width)
        .to(run.device, memory_format=torch.channels_last)
        .train()
    )
    with supply(Order(SIZE * SCALE, run.seed + 700)) as data:
        pairs = Pairs(run, autoencoder.load(run), data, run.recipe.upscaler.batch)
        enlarge(run, upscaler, pairs)
        harden(run, upscaler, pairs)
        gain = gained(upscaler, pairs)
    upscaler.to(dtype=torch.float16).save_pretrained(run.pipeline / "upscaler")
    return gain


def enlarge(run: Run, upscaler: Any, pairs: Pairs) -> None:
    """Learn what the larger picture is."""

    def step(number: int) -> Tensor:
        small, wanted = pairs.draw(number)
        return autoencoder.reconstruction_loss(_made(run, upscaler, small), wanted)

    place = run.folder / "upscaler"
    Loop("upscaler", place, run.recipe.upscaler, [upscaler], run.seed, weight_decay=0.0).run(step)


def harden(run: Run, upscaler: Any, pairs: Pairs) -> None:
    """Learn to draw what it draws with hard edges."""
    soft, seen = deepcopy(upscaler).eval(), run.recipe.upscaler.steps

    def step(number: int) -> Tensor:
        small, _ = pairs.draw(seen + number)
        with torch.no_grad():
            wanted = edges.hardened(_made(run, soft, small).clamp(-1, 1))
        return autoencoder.reconstruction_loss(_made(run, upscaler, small), wanted)

    place = run.folder / "upscaler" / "edges"
    Loop("edges", place, run.recipe.edges, [upscaler], run.seed, weight_decay=0.0).run(step)


@torch.no_grad()
def gained(upscaler: Any, pairs: Pairs) -> float:
    """How much nearer to the true picture than a bicubic one it is, in decibels."""
    recipe = pairs.run.recipe
    torch.manual_seed(pairs.run.seed)
    small, wanted = pairs.draw(recipe.upscaler.steps + recipe.edges.steps)
    plain = functional.interpolate(small, scale_factor=SCALE, mode="bicubic").clamp(-1, 1)
    ours = upscale(upscaler.eval(), small).clamp(-1, 1)
    return float(10 * torch.log10((plain - wanted).pow(2).mean() / (ours - wanted).pow(2).mean()))


def _made(run: Run, upscaler: Any, small: Tensor) -> Tensor:
    with torch.autocast(run.device.type, torch.bfloat16, enabled=run.recipe.bfloat16):
        return upscale(upscaler, small).float()
