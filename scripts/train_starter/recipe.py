"""How large the models are and how long each stage learns. Budgets are in steps, so that a slow
machine gets the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from loop import Budget

SIZE = 128
LATENTS = 16
LATENT_SIDE = 16
TOKENS = 36


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the networks."""

    text_width: int = 192
    text_layers: int = 4
    channels: tuple[int, ...] = (64, 128, 160)
    layers: tuple[int, ...] = (3, 1, 1)
    heads: int = 4
    decoder_width: int = 56
    decoder_blocks: tuple[int, ...] = (5, 4, 2, 1)
    upscaler_width: int = 24
    judge_width: int = 48


@dataclass(frozen=True, slots=True)
class Recipe:
    """One preset: shapes, budgets, and how the data is supplied."""

    shape: Shape
    judge: Budget
    autoencoder: Budget
    text: Budget
    wordings: Budget
    denoiser: Budget
    upscaler: Budget
    edges: Budget
    workers: int
    pool: int
    bank: int
    fresh_per_step: int
    bfloat16: bool
    gate_pictures: int = 1000
    sample_steps: int = 20
    guidance: float = 3.0

    def with_steps(self, **steps: int) -> Recipe:
        """The same with other budgets, by the names of theirs: `judge=6000`."""
        budgets = {name: replace(getattr(self, name), steps=count) for name, count in steps.items()}
        return replace(self, **budgets)


@dataclass(frozen=True, slots=True)
class Run:
    """Where a training writes, on what it computes, by which recipe."""

    folder: Path
    device: torch.device
    recipe: Recipe
    seed: int = 1
    #: A finished model whose denoiser is trained on, with its sizes instead of the recipe's, but
    #: for `layers`; None: everything is learned from nothing.
    begin: Path | None = None

    @property
    def pipeline(self) -> Path:
        """The finished model, in the layout of diffusers."""
        return self.folder / "pictures"


PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        # One accelerator of the H200's class and 16 processor cores: meant for ten minutes.
        "h200": Recipe(
            Shape(),
            judge=Budget(2_500, 256, 2e-3, 100, average=0.995),
            autoencoder=Budget(3_000, 64, 2e-3, 100, average=0.995),
            text=Budget(2_000, 512, 1e-3, 100, average=0.99),
            wordings=Budget(1_500, 512, 1e-3, 100, average=0.99),
            denoiser=Budget(6_000, 768, 1.2e-3, 200, decay_from=0.3),
            upscaler=Budget(1_500, 48, 2e-3, 100, average=0.99),
            edges=Budget(500, 48, 1e-3, 50, average=0.99),
            workers=15,
            pool=200_000,
            bank=400_000,
            fresh_per_step=192,
            bfloat16=True,
        ),
        # Any CUDA machine with time: the same, three times as long.
        "cuda": Recipe(
            Shape(),
            judge=Budget(4_000, 256, 2e-3),
            autoencoder=Budget(8_000, 64, 2e-3),
            text=Budget(5_000, 512, 1e-3),
            wordings=Budget(3_000, 512, 1e-3),
            denoiser=Budget(30_000, 768, 1.2e-3, 500, decay_from=0.3),
            upscaler=Budget(4_000, 48, 2e-3),
            edges=Budget(1_000, 48, 1e-3, 50, average=0.99),
            workers=7,
            pool=200_000,
            bank=400_000,
            fresh_per_step=64,
            bfloat16=True,
        ),
        # Two processor cores and a night.
        "cpu": Recipe(
            Shape(
                text_width=128,
                text_layers=3,
                channels=(64, 128, 160),
                decoder_width=40,
                decoder_blocks=(5, 3, 1, 0),
            ),
            judge=Budget(4_000, 32, 2e-3),
            autoencoder=Budget(7_000, 8, 2e-3),
            text=Budget(2_500, 128, 2e-3, average=0.995),
            wordings=Budget(3_000, 128, 1e-3, average=0.995),
            denoiser=Budget(30_000, 64, 1e-3, 500, decay_from=0.4),
            upscaler=Budget(4_000, 8, 2e-3),
            edges=Budget(1_000, 8, 1e-3, 50, average=0.99),
            workers=0,
            pool=0,
            bank=40_000,
            fresh_per_step=16,
            bfloat16=True,
        ),
        # Proves that every stage runs; learns nothing.
        "smoke": Recipe(
            Shape(
                text_width=32,
                text_layers=1,
                channels=(32, 32, 64),
                heads=2,
                decoder_width=8,
                decoder_blocks=(1, 1, 1, 0),
                upscaler_width=8,
                judge_width=16,
            ),
            judge=Budget(20, 4, 1e-3, 2),
            autoencoder=Budget(20, 2, 1e-3, 2),
            text=Budget(20, 4, 1e-3, 2),
            wordings=Budget(20, 4, 1e-3, 2),
            denoiser=Budget(20, 4, 1e-3, 2),
            upscaler=Budget(20, 4, 1e-3, 2),
            edges=Budget(4, 4, 1e-3, 2),
            workers=0,
            pool=0,
            bank=64,
            fresh_per_step=2,
            bfloat16=False,
            gate_pictures=16,
            sample_steps=2,
        ),
    }
)
