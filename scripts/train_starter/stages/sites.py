"""What is where, asked of the denoiser while it learns.

The world knows where it put everything, so a network that learns to draw can also be taught to say,
for every cell of the picture, which kind of thing in which colour covers it and where in that thing
the cell lies. Linear answers on the denoiser's inner features are enough to ask; they are thrown
away afterwards. The features then hold a thing's name and a place within it, from which its shape
follows. (Aligning inner features of a denoiser with a meaning: Yu et al., "Representation Alignment
for Generation", 2024; there with another network's features, here with the truth.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from world.colours import COLOURS
from world.objects import KINDS
from world.sites import truth

_EXACT = 3.0  # weight of the way and the size: names are learned sooner
_ANSWERS = (1 + len(KINDS), len(COLOURS), 3)


class Sites(nn.Module):
    """Asks two levels of a UNet's way up."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self._seen: list[Tensor] = []
        asked = list(unet.up_blocks)[:-1][-2:]
        widths = [
            block.upsamplers[0].out_channels if block.upsamplers else block.resnets[-1].out_channels
            for block in asked
        ]
        self.heads = nn.ModuleList(nn.Conv2d(width, sum(_ANSWERS), 1) for width in widths)
        for block in asked:
            block.register_forward_hook(lambda _block, _given, made: self._seen.append(made))

    def loss(self, things: Tensor) -> Tensor:
        """How wrong the answers are, in nats and radii, after a forward pass of the UNet."""
        total = torch.zeros((), device=things.device)
        for head, features in zip(self.heads, self._seen, strict=True):
            kinds, colours, ways = head(features.float()).split(_ANSWERS, dim=1)
            covered, kind, colour, where = truth(things, features.shape[-1])
            total = total + functional.cross_entropy(kinds, (kind + 1) * covered)
            if covered.any():
                total = total + functional.cross_entropy(
                    colours.movedim(1, -1)[covered], colour[covered]
                )
                total = total + functional.cross_entropy(
                    kinds.movedim(1, -1)[covered], kind[covered] + 1
                )
                total = total + _EXACT * functional.smooth_l1_loss(
                    ways.movedim(1, -1)[covered], where.movedim(1, -1)[covered], beta=0.05
                )
        self._seen.clear()
        return total

    def forget(self) -> None:
        """Drop what a forward pass without a loss has left."""
        self._seen.clear()
