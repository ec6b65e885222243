"""What is where: the truth about every cell of a picture, for networks that have to say it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from world.colours import COLOURS
from world.objects import KINDS
from world.scene import Scene

MOST = 8
"""Things in one picture, at most."""

_KINDS, _COLOURS = tuple(KINDS), tuple(COLOURS)
TYPICAL = 0.2
"""A usual radius."""


def table(scenes: Sequence[Scene]) -> Tensor:
    """(scenes, MOST, 5): centre across and down, radius, number of the kind, number of the colour;
    the radius is 0 where nothing is.
    """
    rows = torch.zeros(len(scenes), MOST, 5)
    for number, scene in enumerate(scenes):
        things = [
            (thing.x, thing.y, thing.radius, _KINDS.index(group.kind), _COLOURS.index(group.colour))
            for group in scene.groups
            for thing in group.things
        ][:MOST]
        rows[number, : len(things)] = torch.tensor(things)
    return rows


def truth(things: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For every cell of a side × side grid: whether a thing covers it (n, side, side), its kind,
    its colour, and (n, 3, side, side) the way from its centre in radii and its size.
    """
    centres = (torch.arange(side, device=things.device) + 0.5) / side
    radius = things[..., 2].clamp_min(1e-3)[..., None, None]
    across = (centres[None, None, None, :] - things[..., 0, None, None]) / radius
    down = (centres[None, None, :, None] - things[..., 1, None, None]) / radius
    across, down = torch.broadcast_tensors(across, down)
    far = (across**2 + down**2).masked_fill(things[..., 2, None, None] == 0, 99.0)
    distance, nearest = far.min(dim=1, keepdim=True)
    size = (things[..., 2, None, None] / TYPICAL).clamp_min(0.05).log().expand_as(far)

    def of_nearest(values: Tensor) -> Tensor:
        return values.expand_as(far).gather(1, nearest)[:, 0]

    kind, colour = (of_nearest(things[..., column, None, None]).long() for column in (3, 4))
    where = torch.stack([of_nearest(each) for each in (across, down, size)], dim=1)
    return distance[:, 0] < 1, kind, colour, where
