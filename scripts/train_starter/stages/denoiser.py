"""Stage 6: the denoiser, a UNet that looks at the caption at every resolution but the finest. The
text tower is finished and stays as it is.

Beside the noise it is asked what is where (`sites`), and an error inside a thing counts more than
one in the sky. It learns on latents from a bank that is kept refreshed, with easy scenes (single
things on plain paper) at first, which the full mixture then pushes out: names of things and colours
are learned first, relations after.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loop import Loop, rank
from recipe import LATENT_SIDE, LATENTS, SIZE, TOKENS, Run
from supply import Order, Picked, Supply, SupplyOf
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from world import layout
from world import sites as where

from stages import autoencoder, sites, text
from stages import tokenizer as tokenizers

_DELIVERY = 64
_ASKED = 0.05  # weight of the answers to what is where
_THINGS = 4.0  # how much more an error inside a thing counts: shapes are learned last
_SETTLED = 900  # steps of noise below which it is decided what is where
_CHECKPOINT = 250
_UNCONDITIONAL = 0.1  # share of captions left out, for classifier-free guidance
_GRID = (
    "a red circle above a blue square",
    "a cat under a yellow moon at night, pixel art",
    "a white boat on a purple sea at dusk, watercolor",
    "three green trees on a hill in the rain",
    "a big pink heart on a black background",
    "two orange fish at sea",
    "a blue house to the left of a yellow tree in the hills at dawn",
    "a green rocket in outer space, neon",
    "a line drawing of a purple umbrella",
    "four brown mushrooms in the mountains in the snow",
    "a small red car in the city at night",
    "a turquoise butterfly above a white flower in a pink room",
)


def scheduler() -> Any:
    """Zero terminal SNR and velocity prediction: pure black and pure white are reachable, few steps
    suffice. Each step adds a little noise again (SDE-DPM-Solver++), which lets the next one mend
    what an unfinished denoiser drew badly.
    """
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
        algorithm_type="sde-dpmsolver++",
    )


def signal_left(scheduler: Any) -> Tensor:
    """How much of the squared signal is left at every level, (levels,); at the last one, nothing at
    all.
    """
    left: Tensor = scheduler.alphas_cumprod.float().clone()
    # Some schedulers keep a trace of it, so as not to divide by zero.
    left[-1] = 0.0
    return left


def build(run: Run) -> Any:
    """A UNet whose residual branches begin at zero. One that the run begins with gives its weights
    and all sizes but `layers`, of which the recipe may have more.

    Raises:
        ValueError: if the recipe has other `layers` than `continue_from` can add.
    """
    from diffusers import UNet2DConditionModel

    shape = run.recipe.shape
    levels = len(shape.channels)
    sizes = {
        "sample_size": LATENT_SIDE,
        "in_channels": LATENTS,
        "out_channels": LATENTS,
        # At the widest level attention costs as much time as all the rest of the network.
        "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * (levels - 1)),
        "up_block_types": (*("CrossAttnUpBlock2D",) * (levels - 1), "UpBlock2D"),
        "block_out_channels": shape.channels,
        "cross_attention_dim": shape.text_width,
        "attention_head_dim": shape.heads,
        "norm_num_groups": 16,
    }
    if run.begin is not None:
        sizes = UNet2DConditionModel.load_config(run.begin / "unet")
    # Most at the widest level: below it is decided what is where, there it is drawn.
    unet = UNet2DConditionModel.from_config({**sizes, "layers_per_block": shape.layers})
    for name, weight in unet.named_parameters():
        if name.startswith("conv_out") or ".conv2." in name or ".proj_out." in name:
            nn.init.zeros_(weight)
    if run.begin is not None:
        begun = UNet2DConditionModel.from_pretrained(run.begin / "unet", dtype=torch.float32)
        continue_from(unet, begun)
    return unet


@torch.no_grad()
def continue_from(unet: Any, begun: Any) -> None:
    """Give a UNet the weights of one that has as many layers, or fewer at its widest level: what is
    added there begins as the identity, so that it draws the same (Chen, Goodfellow and Shlens,
    "Net2Net", 2016).

    Raises:
        ValueError: if it has fewer layers elsewhere, more of anything, or another width.
    """
    up = f"up_blocks.{len(unet.up_blocks) - 1}.resnets."
    before = f"{up}{len(begun.up_blocks[-1].resnets) - 1}."
    after = f"{up}{len(unet.up_blocks[-1].resnets) - 1}."
    # The last layer of the way up stays the last: it joins what the picture was before any layer.
    weights = {name.replace(before, after): one for name, one in begun.state_dict().items()}
    own = unet.state_dict()
    unknown = [
        name for name, one in weights.items() if name not in own or one.shape != own[name].shape
    ]
    widest = ("down_blocks.0.resnets.", up)
    missing = [name for name in own.keys() - weights.keys() if not name.startswith(widest)]
    if unknown or missing:
        raise ValueError(f"not a shallower one of the same shape: {[*unknown, *missing][:3]}")
    for added in list(unet.up_blocks[-1].resnets)[1:-1]:
        passed = added.conv_shortcut.out_channels
        added.conv_shortcut.bias.zero_()
        added.conv_shortcut.weight.zero_()[:, :passed, 0, 0] = torch.eye(passed)
    unet.load_state_dict(weights, strict=False)


class Bank:
    """A ring of latents, token numbers and what is where, on the device."""

    def __init__(self, run: Run, vae: Any, tokenizer: Any) -> None:
        capacity = run.recipe.bank
        self._latents = torch.empty(
            capacity, LATENTS, LATENT_SIDE, LATENT_SIDE, dtype=torch.float16, device=run.device
        )
        self._things = torch.empty(capacity, where.MOST, 5, device=run.device)
        self._tokens = torch.empty(capacity, TOKENS, dtype=torch.long, device=run.device)
        self._encode = autoencoder.Encoder(vae, run.device)
        self._device, self._tokenizer = run.device, tokenizer
        self._end = 0
        self.filled = 0

    @torch.no_grad()
    def put(self, picked: Picked) -> None:
        """Encode a delivery over the oldest entries."""
        scenes, captions, pictures = picked
        values = autoencoder.as_values(torch.from_numpy(pictures).to(self._device))
        count, capacity = len(captions), len(self._tokens)
        places = (self._end + torch.arange(count, device=self._device)) % capacity
        self._latents[places] = self._encode(values).to(self._latents.dtype)
        self._things[places] = where.table(scenes).to(self._device)
        self._tokens[places] = text.identifiers(self._tokenizer, captions, self._device)
        self._end = (self._end + count) % capacity
        self.filled = min(capacity, self.filled + count)

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Random latents (count, LATENTS, side, side) with their tokens (count, TOKENS), and their
        things as `sites.table` has them.
        """
        chosen = torch.randint(0, self.filled, (count,), device=self._device)
        return self._latents[chosen].float(), self._tokens[chosen], self._things[chosen]


def noise_levels(count: int, device: torch.device) -> Tensor:
    """Steps (count,), int64 from 0 to 999, from a logit-normal that favours the middle (before it
    the layout is decided, which the text tower makes easy; there the shapes are), and some from
    everywhere.
    """
    favoured = torch.sigmoid(torch.randn(count, device=device) * 1.2) * 1000
    anywhere = torch.rand(count, device=device) * 1000
    return (
        torch.where(torch.rand(count, device=device) < 0.3, anywhere, favoured).long().clamp(0, 999)
    )


def noised(latents: Tensor, when: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
    """Latents (n, c, h, w) with the noise of the levels `when` (n,), and their velocity, which is
    what is to be guessed: each like the latents. `signal` is what `signal_left` says.
    """
    kept = signal[when].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    return noisy, kept.sqrt() * noise - (1 - kept).sqrt() * latents


def assemble(vae: Any, tower: Any, tokenizer: Any, unet: Any) -> Any:
    """The whole pipeline."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=tower,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def grid(run: Run, pipeline: Any, path: Path) -> None:
    """A contact sheet of fixed prompts, to be looked at."""
    from PIL import Image

    drawn = pipeline(
        prompt=list(_GRID),
        generator=[torch.Generator().manual_seed(number) for number in range(len(_GRID))],
        num_inference_steps=run.recipe.sample_steps,
        guidance_scale=run.recipe.guidance,
        output_type="np",
    ).images
    rows = [
        np.concatenate(list(drawn[start : start + 4]), axis=1) for start in range(0, len(_GRID), 4)
    ]
    sheet = (np.concatenate(rows, axis=0).clip(0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(sheet).save(path)


def _memory_format(device: torch.device) -> torch.memory_format:
    """Channels last where convolutions want it: on a processor, a training step of this UNet took
    1.3 to 1.5 times as long with it (batches of 64, bfloat16, torch 2.13).
    """
    return torch.contiguous_format if device.type == "cpu" else torch.channels_last


def _attention(device: torch.device) -> AbstractContextManager[None]:
    """On a processor, attention as plain matrix products: the backward pass of the fused kernel
    took three tenths of a step there.
    """
    if device.type == "cpu":
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()


def train(run: Run, data: Supply, supply: SupplyOf) -> None:
    """Train the UNet, then write the pipeline in half precision."""
    recipe, budget = run.recipe, run.recipe.denoiser
    torch.manual_seed(run.seed)
    vae, tokenizer, tower = autoencoder.load(run), tokenizers.load(run), text.load(run)
    memory_format = _memory_format(run.device)
    unet = build(run).to(run.device, memory_format=memory_format).train()
    asked = sites.Sites(unet).to(run.device)
    forward = torch.compile(unet) if run.device.type == "cuda" else unet
    bank = Bank(run, vae, tokenizer)
    signal = signal_left(scheduler()).to(run.device)
    empty = text.identifiers(tokenizer, [""], run.device)[0]
    folder = run.folder / "denoiser"

    def look(step: int) -> None:
        """A contact sheet of what the UNet draws after so many steps."""
        unet.eval()
        grid(run, assemble(vae, tower, tokenizer, unet), folder / f"grid-{step:06d}.png")
        asked.forget()
        unet.train()

    loop = Loop(
        "denoiser",
        folder,
        budget,
        [unet, asked],
        run.seed,
        checkpoint_every=_CHECKPOINT,
        at_checkpoint=look,
        together=True,
    )
    at_first = math.ceil(recipe.bank / 8 / _DELIVERY)

    def fill(number: int) -> None:
        """What the bank holds before the first step of this process, which is `number`."""
        mixture = layout.EASY if number == 0 and run.begin is None else layout.FULL
        with supply(Order(SIZE, run.seed + 500 + rank(), mixture)) as source:
            for delivery in range(number, number + at_first):
                bank.put(source.draw(_DELIVERY, delivery))

    def step(number: int) -> Tensor:
        if not bank.filled:
            fill(number)
        for delivery in range(
            number * recipe.fresh_per_step // _DELIVERY,
            (number + 1) * recipe.fresh_per_step // _DELIVERY,
        ):
            bank.put(data.draw(_DELIVERY, delivery))
        latents, tokens, things = bank.draw(budget.batch)
        tokens[torch.rand(len(tokens), device=run.device) < _UNCONDITIONAL] = empty
        when = noise_levels(len(latents), run.device)
        noisy, velocity = noised(latents, when, signal)
        with torch.no_grad():
            words = tower(tokens)[0]
            covered, *_ = where.truth(things, LATENT_SIDE)
            # Not while the layout is still open: there it would make things larger and more.
            weight = 1 + _THINGS * (covered & (when < _SETTLED)[:, None, None])[:, None]
        with (
            torch.autocast(run.device.type, torch.bfloat16, enabled=recipe.bfloat16),
            _attention(run.device),
        ):
            guessed = forward(noisy.contiguous(memory_format=memory_format), when, words).sample
        drawing = (weight * (guessed.float() - velocity).pow(2)).mean() / weight.mean()
        return drawing + _ASKED * asked.loss(things)

    loop.run(step)
    if rank() > 0:
        return
    unet.eval()
    pipeline = assemble(vae, tower, tokenizer, unet)
    grid(run, pipeline, folder / "grid.png")
    pipeline.to(dtype=torch.float16).save_pretrained(run.pipeline)
