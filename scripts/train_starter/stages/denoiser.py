"""Stage 5: the denoiser, a UNet that looks at the caption at every resolution, trained together
with the text tower.

It learns on latents from a bank that workers keep refreshing. The bank begins with easy scenes
(single things on plain paper), which the full mixture then pushes out: names of things and colours
are learned first, relations after.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from loop import Loop, rank
from recipe import LATENT_SIDE, LATENTS, SIZE, TOKENS, Run
from supply import Order, Picked, Supply, SupplyOf
from torch import Tensor, nn
from world import layout

from stages import autoencoder, text
from stages import tokenizer as tokenizers

_DELIVERY = 64
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
    suffice.
    """
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def build(run: Run) -> Any:
    """An untrained UNet whose residual branches begin at zero."""
    from diffusers import UNet2DConditionModel

    shape = run.recipe.shape
    levels = len(shape.channels)
    unet = UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=LATENTS,
        out_channels=LATENTS,
        # At the widest level attention costs as much time as all the rest of the network.
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * (levels - 1)),
        up_block_types=(*("CrossAttnUpBlock2D",) * (levels - 1), "UpBlock2D"),
        block_out_channels=shape.channels,
        layers_per_block=shape.layers,
        cross_attention_dim=shape.text_width,
        attention_head_dim=shape.heads,
        norm_num_groups=16,
    )
    for name, weight in unet.named_parameters():
        if name.startswith("conv_out") or ".conv2." in name or ".proj_out." in name:
            nn.init.zeros_(weight)
    return unet


def build_text(run: Run) -> Any:
    """The denoiser's text tower, beginning as the CLIP's."""
    from transformers import CLIPTextModel

    clip = text.load(run)
    tower = CLIPTextModel(clip.config.text_config)
    state = clip.text_model.state_dict()
    if set(tower.state_dict()) != set(state):
        state = {f"text_model.{name}": value for name, value in state.items()}
    tower.load_state_dict(state)
    return tower


class Bank:
    """A ring of latents and token numbers on the device."""

    def __init__(self, run: Run, vae: Any, tokenizer: Any) -> None:
        capacity = run.recipe.bank
        kind = torch.float16 if run.device.type == "cuda" else torch.float32
        self._latents = torch.empty(
            capacity, LATENTS, LATENT_SIDE, LATENT_SIDE, dtype=kind, device=run.device
        )
        self._tokens = torch.empty(capacity, TOKENS, dtype=torch.long, device=run.device)
        self._device, self._vae, self._tokenizer = run.device, vae, tokenizer
        self._end = 0
        self.filled = 0

    @torch.no_grad()
    def put(self, picked: Picked) -> None:
        """Encode a delivery over the oldest entries."""
        _, captions, pictures = picked
        values = autoencoder.as_values(torch.from_numpy(pictures).to(self._device))
        count, capacity = len(captions), len(self._tokens)
        places = (self._end + torch.arange(count, device=self._device)) % capacity
        self._latents[places] = self._vae.encode(values).latents.to(self._latents.dtype)
        self._tokens[places] = text.identifiers(self._tokenizer, captions, self._device)
        self._end = (self._end + count) % capacity
        self.filled = min(capacity, self.filled + count)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Random latents with their tokens."""
        chosen = torch.randint(0, self.filled, (count,), device=self._device)
        return self._latents[chosen].float(), self._tokens[chosen]


def noise_levels(count: int, device: torch.device) -> Tensor:
    """Steps from a logit-normal that favours much noise (there the layout is decided), and some
    from everywhere.
    """
    favoured = torch.sigmoid(torch.randn(count, device=device) * 1.2 + 0.5) * 1000
    anywhere = torch.rand(count, device=device) * 1000
    return (
        torch.where(torch.rand(count, device=device) < 0.3, anywhere, favoured).long().clamp(0, 999)
    )


def assemble(run: Run, vae: Any, tower: Any, tokenizer: Any, unet: Any) -> Any:
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


def train(run: Run, data: Supply, supply: SupplyOf) -> None:
    """Train UNet and text tower, then write the pipeline in half precision."""
    recipe, budget = run.recipe, run.recipe.denoiser
    torch.manual_seed(run.seed)
    vae, tokenizer = autoencoder.load(run), tokenizers.load(run)
    unet = build(run).to(run.device, memory_format=torch.channels_last).train()
    tower = build_text(run).to(run.device).train()
    torch.manual_seed(run.seed + rank())  # the same weights, but other noise
    forward = torch.compile(unet) if run.device.type == "cuda" else unet
    bank = Bank(run, vae, tokenizer)
    signal = scheduler().alphas_cumprod.to(run.device).float()
    signal[-1] = 0.0
    empty = text.identifiers(tokenizer, [""], run.device)[0]
    folder = run.folder / "denoiser"

    def look(step: int) -> None:
        unet.eval(), tower.eval()
        grid(run, assemble(run, vae, tower, tokenizer, unet), folder / f"grid-{step:06d}.png")
        unet.train(), tower.train()

    loop = Loop(
        "denoiser",
        folder,
        budget,
        [unet],
        slow=[tower],
        checkpoint_every=1000,
        at_checkpoint=look,
        together=True,
    )
    with supply(Order(SIZE, run.seed + 500 + rank(), layout.EASY)) as easy:
        while bank.filled < recipe.bank // 8:
            bank.put(easy.draw(_DELIVERY))

    def step(number: int) -> Tensor:
        for _ in range(
            (number + 1) * recipe.fresh_per_step // _DELIVERY
            - number * recipe.fresh_per_step // _DELIVERY
        ):
            bank.put(data.draw(_DELIVERY))
        latents, tokens = bank.draw(budget.batch)
        tokens[torch.rand(len(tokens), device=run.device) < _UNCONDITIONAL] = empty
        when = noise_levels(len(latents), run.device)
        kept = signal[when].view(-1, 1, 1, 1)
        noise = torch.randn_like(latents)
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
        velocity = kept.sqrt() * noise - (1 - kept).sqrt() * latents
        with torch.autocast(run.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            guessed = forward(
                noisy.contiguous(memory_format=torch.channels_last), when, tower(tokens)[0]
            ).sample
        return (guessed.float() - velocity).pow(2).mean()

    loop.run(step)
    if rank() > 0:
        return
    unet.eval(), tower.eval()
    pipeline = assemble(run, vae, tower, tokenizer, unet)
    grid(run, pipeline, folder / "grid.png")
    pipeline.to(dtype=torch.float16).save_pretrained(run.pipeline)
