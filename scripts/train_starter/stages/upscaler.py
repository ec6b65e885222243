"""Stage 6: the upscaler, 128 → 512 pixels.

Another `AutoencoderTiny`, built lopsided: its encoder keeps the size and its decoder doubles it
twice. So it is loaded like any diffusers model and needs no code of its own:
`upscaler.decode(upscaler.encode(picture).latents).sample`. It learns from what it will be given:
pictures that have been through the autoencoder.
"""

from __future__ import annotations

from typing import Any

import torch
from loop import Loop
from recipe import SIZE, Run
from supply import Order, SupplyOf
from torch import Tensor
from torch.nn import functional

from stages import autoencoder

SCALE = 4
_CROP = 48


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
    """Four times as large."""
    larger: Tensor = upscaler.decode(upscaler.encode(values).latents).sample
    return larger


def train(run: Run, supply: SupplyOf) -> float:
    """Train on crops; returns the gain over plain bicubic enlargement in decibels."""
    budget = run.recipe.upscaler
    torch.manual_seed(run.seed)
    vae = autoencoder.load(run)
    upscaler = (
        build(run.recipe.shape.upscaler_width)
        .to(run.device, memory_format=torch.channels_last)
        .train()
    )
    loop = Loop("upscaler", run.folder / "upscaler", budget, [upscaler], weight_decay=0.0)
    crops = 4
    order = Order(SIZE * SCALE, run.seed + 700)
    each = max(1, budget.batch // crops)
    with supply(order) as data:

        def pair() -> tuple[Tensor, Tensor]:
            large = autoencoder.as_values(torch.from_numpy(data.draw(each)[2]).to(run.device))
            with torch.no_grad():
                small = functional.interpolate(large, size=(SIZE, SIZE), mode="area")
                latents = vae.encode(small).latents
                small = vae.decode(latents + 0.05 * torch.randn_like(latents)).sample.clamp(-1, 1)
            inputs, outputs = [], []
            for _ in range(crops):
                top, left = (int(torch.randint(0, SIZE - _CROP + 1, ())) for _ in range(2))
                inputs.append(small[..., top : top + _CROP, left : left + _CROP])
                row, column, side = top * SCALE, left * SCALE, _CROP * SCALE
                outputs.append(large[..., row : row + side, column : column + side])
            return torch.cat(inputs).contiguous(memory_format=torch.channels_last), torch.cat(
                outputs
            )

        def step(_: int) -> Tensor:
            small, wanted = pair()
            with torch.autocast(run.device.type, torch.bfloat16, enabled=run.recipe.bfloat16):
                made = upscale(upscaler, small)
            return autoencoder.reconstruction_loss(made.float(), wanted)

        loop.run(step)
        upscaler.eval()
        with torch.no_grad():
            small, wanted = pair()
            plain = functional.interpolate(small, scale_factor=SCALE, mode="bicubic").clamp(-1, 1)
            ours = upscale(upscaler, small).clamp(-1, 1)
            gain = 10 * torch.log10((plain - wanted).pow(2).mean() / (ours - wanted).pow(2).mean())
    upscaler.to(dtype=torch.float16).save_pretrained(run.pipeline / "upscaler")
    return float(gain)
