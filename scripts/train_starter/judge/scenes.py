"""The judge of whole scenes: a small convolutional network that finds every thing and names it.

It is trained on renders alone, from random weights, and shares nothing with the model that it
judges. For each cell of a 32 × 32 grid it says whether a thing covers it, of which kind and colour,
how large, and which way its centre lies; for the whole picture it says the style, the setting (a
paper's colour or a place), the time of day and the weather.

All the cells of a thing vote for its centre, and weigh one together, however large it is: where
about one vote falls, a thing is. (Centres by votes: Leibe, Leonardis and Schiele, 2004.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from world import sites
from world.colours import COLOURS
from world.objects import KINDS
from world.scene import PLACES, STYLES, TIMES, WEATHERS, Group, Scene

SIZE = 128
GRID = 32
KIND_NAMES = tuple(KINDS)
COLOUR_NAMES = tuple(COLOURS)
SETTINGS = (*COLOUR_NAMES, *PLACES)
TIME_NAMES = ("", *TIMES)
GLOBAL_HEADS = {
    "style": STYLES,
    "setting": SETTINGS,
    "time": TIME_NAMES,
    "weather": WEATHERS,
}


_CELL = (1, len(KIND_NAMES), len(COLOUR_NAMES), 3)
"""What is said of a cell: covered, its kind, its colour, the way from the centre and the size."""

_SPREAD = 1.2  # cells around a centre in which its votes still count, at least
_BLUR = 0.35  # the same, in radii
_ENOUGH = 0.3  # of a vote


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that the judge sees."""

    kind: str
    colour: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the judge sees in one picture."""

    things: tuple[Found, ...]
    style: str
    setting: str
    time: str
    weather: str


def _block(inward: int, outward: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, 3, stride, 1, bias=False), nn.BatchNorm2d(outward), nn.ReLU()
    )


class SceneJudge(nn.Module):
    """A few convolutions down to the grid, a wider look, and one head per question."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _block(3, width // 2, 2), _block(width // 2, width, 2), _block(width, width)
        )
        self.wide = nn.Sequential(
            _block(width, 2 * width, 2), _block(2 * width, 2 * width), _block(2 * width, 2 * width)
        )
        self.deep = nn.Sequential(
            _block(2 * width, 2 * width, 2),
            _block(2 * width, 2 * width),
            _block(2 * width, 2 * width),
        )
        self.join = nn.Sequential(_block(5 * width, 2 * width), _block(2 * width, 2 * width))
        self.cells = nn.Conv2d(2 * width, sum(_CELL), 1)
        self.whole = nn.Linear(5 * width, sum(map(len, GLOBAL_HEADS.values())))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Cell logits (batch, sum of `_CELL`, GRID, GRID) and those for the whole pictures (batch,
        answers of all `GLOBAL_HEADS`), of float (batch, 3, SIZE, SIZE) in [-1, 1].
        """
        near = self.stem(pictures)
        middle = self.wide(near)
        far = self.deep(middle)
        spread = [
            functional.interpolate(each, size=near.shape[-2:], mode="nearest")
            for each in (middle, far)
        ]
        everything = torch.cat([near, *spread], dim=1)
        return self.cells(self.join(everything)), self.whole(everything.mean(dim=(2, 3)))


def load(path: Path, device: str = "cpu") -> SceneJudge:
    """The trained judge; its width is read from its weights."""
    weights = load_file(path, device=device)
    network = SceneJudge(len(weights["stem.1.0.weight"])).to(device)
    network.load_state_dict(weights)  # half precision is for storage
    return network.eval()


def as_input(pictures: Tensor) -> Tensor:
    """(batch, height, width, 3) bytes → what the network takes."""
    values = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    if values.shape[-1] != SIZE:
        values = functional.interpolate(values, size=(SIZE, SIZE), mode="area")
    return values


def setting_of(scene: Scene) -> str:
    """The paper's colour, or the place."""
    return scene.background or scene.place


def answers(scenes: Sequence[Scene]) -> Tensor:
    """(scenes, heads): the right answers for the whole pictures; -100 is not asked."""
    whole = []
    for scene in scenes:
        right = {
            "style": scene.style,
            "setting": setting_of(scene),
            "time": scene.time,
            "weather": scene.weather,
        }
        # Ink on white paper does not show the hour: not asked.
        unasked = {"time"} if scene.style in ("outline", "neon") else set()
        whole.append(
            [
                -100 if name in unasked else names.index(right[name])
                for name, names in GLOBAL_HEADS.items()
            ]
        )
    return torch.tensor(whole)


def loss(cells: Tensor, whole: Tensor, things: Tensor, wanted: Tensor) -> Tensor:
    """How far the network is from the truth: what is where (`world.sites.table`), and the answers
    for the whole pictures.
    """
    covers, kinds, colours, ways = cells.float().split(_CELL, dim=1)
    covered, kind, colour, way = sites.truth(things, GRID)
    total = 4 * functional.binary_cross_entropy_with_logits(covers[:, 0], covered.float())
    total = total + functional.cross_entropy(kinds.movedim(1, -1)[covered], kind[covered])
    total = total + functional.cross_entropy(colours.movedim(1, -1)[covered], colour[covered])
    total = total + 4 * functional.smooth_l1_loss(
        ways.movedim(1, -1)[covered], way.movedim(1, -1)[covered], beta=0.1
    )
    for index, part in enumerate(
        whole.float().split([len(names) for names in GLOBAL_HEADS.values()], dim=1)
    ):
        total = total + 0.5 * functional.cross_entropy(part, wanted[:, index])
    return total


def _votes(cells: Tensor) -> Tensor:
    """(batch, 1 + kinds + colours, GRID, GRID): the votes that fall around every cell, and what
    those who cast them say the thing is.
    """
    covers, kinds, colours, ways = cells.float().split(_CELL, dim=1)
    radius = ways[:, 2].exp() * sites.TYPICAL * GRID
    weight = torch.sigmoid(covers[:, 0]) / (torch.pi * radius**2).clamp_min(1)
    said = torch.cat([torch.ones_like(covers), kinds.softmax(dim=1), colours.softmax(dim=1)], dim=1)
    own = torch.arange(GRID, device=cells.device, dtype=torch.float32)
    # Who is in a large thing knows its centre less exactly.
    reach = (_BLUR * radius).clamp_min(_SPREAD).flatten(1)[:, None]
    across = (own[None, None, :] - ways[:, 0] * radius).flatten(1)[:, None]
    down = (own[None, :, None] - ways[:, 1] * radius).flatten(1)[:, None]
    near_column = torch.exp(-((own[:, None] - across) ** 2) / (2 * reach**2))
    near_row = torch.exp(-((own[:, None] - down) ** 2) / (2 * reach**2))
    cast = (said * weight[:, None]).flatten(2)
    return torch.einsum("nqc,nyc,nxc->nqyx", cast, near_row, near_column)


@torch.no_grad()
def read(judge: SceneJudge, pictures: Tensor) -> list[Reading]:
    """The judge's reading of (batch, height, width, 3) bytes."""
    cells, whole = judge(as_input(pictures))
    votes, kinds, colours = _votes(cells).split([1, len(KIND_NAMES), len(COLOUR_NAMES)], dim=1)
    # A centre between two cells is one thing: no two cells are quite alike.
    votes = votes + 1e-5 * torch.arange(GRID * GRID, device=votes.device).view(1, 1, GRID, GRID)
    best = functional.max_pool2d(votes, 5, 1, 2)
    peaks = ((votes == best) & (votes > _ENOUGH))[:, 0]
    answered = [
        part.argmax(dim=1).tolist()
        for part in whole.split([len(names) for names in GLOBAL_HEADS.values()], dim=1)
    ]
    readings = []
    for number in range(len(pictures)):
        found = tuple(
            Found(
                KIND_NAMES[int(kinds[number, :, row, column].argmax())],
                COLOUR_NAMES[int(colours[number, :, row, column].argmax())],
                (column + 0.5) / GRID,
                (row + 0.5) / GRID,
            )
            for row, column in peaks[number].nonzero().tolist()
        )
        named = {
            name: names[answered[index][number]]
            for index, (name, names) in enumerate(GLOBAL_HEADS.items())
        }
        readings.append(Reading(found, **named))
    return readings


def _members(group: Group, scene: Scene, reading: Reading) -> list[Found]:
    """The things that the group can claim: of its kind, and of its colour too where a kind appears
    twice.
    """
    twice = sum(other.kind == group.kind for other in scene.groups) > 1
    return [
        found
        for found in reading.things
        if found.kind == group.kind and (not twice or found.colour == group.colour)
    ]


def _standing_for(
    scene: Scene, reading: Reading, members: Sequence[list[Found]]
) -> list[list[Found]]:
    """For every group its members; where there are none, the things that are nobody's, those of its
    colour before others: so a badly drawn cat still has a colour and a place.
    """
    nobodys = [found for found in reading.things if not any(found in own for own in members)]
    standing = []
    for group, own in zip(scene.groups, members, strict=True):
        alike = [found for found in nobodys if found.colour == group.colour]
        others = [other.colour for other in scene.groups if other is not group]
        rest = [found for found in nobodys if found.colour not in others]
        standing.append(own or alike or rest)
    return standing


def score(scene: Scene, reading: Reading) -> dict[str, list[bool]]:
    """Each measure with its verdicts; a colour and a place are asked where the caption says them.

    `count` is the number of things, whatever they are; for every group `object` is whether its kind
    is there, and `each` whether there are as many of it as asked. A colour and a relation are asked
    of what stands for a group, whatever it looks like.
    """
    members = [_members(group, scene, reading) for group in scene.groups]
    standing = _standing_for(scene, reading, members)
    verdict: dict[str, list[bool]] = {
        "background": [reading.setting == setting_of(scene)] if scene.place_said else [],
        "count": [len(reading.things) == sum(group.count for group in scene.groups)],
        "object": [len(found) >= 1 for found in members],
        "each": [
            len(found) == group.count for group, found in zip(scene.groups, members, strict=True)
        ],
        "colour": [
            2 * sum(thing.colour == group.colour for thing in found) > len(found)
            for group, found in zip(scene.groups, standing, strict=True)
            if group.colour_said
        ],
        "style": [reading.style == scene.style],
    }
    if scene.weather:
        verdict["weather"] = [reading.weather == scene.weather]
    if scene.time and scene.style not in ("outline", "neon"):
        verdict["time"] = [reading.time == scene.time]
    if scene.relation:
        verdict["relation"] = [_related(scene.relation, *standing)]
    verdict["all"] = [all(all(values) for values in verdict.values())]
    return verdict


def _related(relation: str, first: list[Found], second: list[Found]) -> bool:
    if not first or not second:
        return False
    across = sum(found.x for found in first) / len(first) - sum(found.x for found in second) / len(
        second
    )
    down = sum(found.y for found in first) / len(first) - sum(found.y for found in second) / len(
        second
    )
    return {"above": down < 0, "below": down > 0, "left of": across < 0, "right of": across > 0}[
        relation
    ]
