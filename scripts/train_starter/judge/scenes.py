"""The judge of whole scenes: a small convolutional network that finds every thing and names it.

It is trained on renders alone, from random weights, and shares nothing with the model that it
judges. For each cell of a 32 × 32 grid it says whether a thing has its centre there, of which kind
and colour; for the whole picture it says the style, the setting (a paper's colour or a place), the
time of day and the weather.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
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


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that the judge sees."""

    kind: str
    colour: str
    x: float
    y: float
    certainty: float


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
        self.cells = nn.Conv2d(2 * width, 1 + len(KIND_NAMES) + len(COLOUR_NAMES), 1)
        self.whole = nn.Linear(5 * width, sum(map(len, GLOBAL_HEADS.values())))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Cell logits (batch, 1 + kinds + colours, grid, grid) and whole-picture logits."""
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
    network.load_state_dict(weights)
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


def targets(scenes: Sequence[Scene]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Heat (with a soft neighbourhood), kind and colour per cell (-100: not asked), whole-picture
    labels.
    """
    kinds = torch.full((len(scenes), GRID, GRID), -100)
    colours = torch.full((len(scenes), GRID, GRID), -100)
    drawn = [
        (number, thing.x, thing.y, KIND_NAMES.index(group.kind), COLOUR_NAMES.index(group.colour))
        for number, scene in enumerate(scenes)
        for group in scene.groups
        for thing in group.things
    ]
    table = torch.tensor(drawn)
    owner, kind, colour = (table[:, column].long() for column in (0, 3, 4))
    cells = torch.arange(GRID) + 0.5
    across = (cells[None, None, :] - table[:, 1, None, None] * GRID) ** 2
    down = (cells[None, :, None] - table[:, 2, None, None] * GRID) ** 2
    bumps = torch.exp(-(across + down) / 1.6)
    heat = torch.zeros(len(scenes), GRID * GRID)
    places = owner[:, None].expand(-1, GRID * GRID)
    heat = heat.scatter_reduce(0, places, bumps.flatten(1), "amax").view(-1, GRID, GRID)
    thing_number, row, column = (bumps > 0.25).nonzero(as_tuple=True)
    kinds[owner[thing_number], row, column] = kind[thing_number]
    colours[owner[thing_number], row, column] = colour[thing_number]
    whole = []
    for scene in scenes:
        answers = {
            "style": scene.style,
            "setting": setting_of(scene),
            "time": scene.time,
            "weather": scene.weather,
        }
        # Ink on white paper shows neither a paper's colour nor the hour: not asked.
        unasked = {"time"} if scene.style in ("outline", "neon") else set()
        whole.append(
            [
                -100 if name in unasked else names.index(answers[name])
                for name, names in GLOBAL_HEADS.items()
            ]
        )
    return heat, kinds, colours, torch.tensor(whole)


def loss(cells: Tensor, whole: Tensor, wanted: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """How far the network is from the truth."""
    heat, kinds, colours, answers = wanted
    heat_logits, kind_logits, colour_logits = cells.float().split(
        [1, len(KIND_NAMES), len(COLOUR_NAMES)], dim=1
    )
    chance = functional.binary_cross_entropy_with_logits(heat_logits[:, 0], heat, reduction="none")
    weight = 1 + 12 * heat
    total = (chance * weight).mean() * 4
    total = (
        total
        + functional.cross_entropy(kind_logits, kinds)
        + functional.cross_entropy(colour_logits, colours)
    )
    for index, part in enumerate(
        whole.float().split([len(names) for names in GLOBAL_HEADS.values()], dim=1)
    ):
        total = total + 0.5 * functional.cross_entropy(part, answers[:, index])
    return total


@torch.no_grad()
def read(judge: SceneJudge, pictures: Tensor) -> list[Reading]:
    """The judge's reading of (batch, height, width, 3) bytes."""
    cells, whole = judge(as_input(pictures))
    heat = torch.sigmoid(cells[:, 0].float())
    peaks = (heat == functional.max_pool2d(heat[:, None], 3, 1, 1)[:, 0]) & (heat > 0.45)
    kinds = cells[:, 1 : 1 + len(KIND_NAMES)].argmax(dim=1)
    colours = cells[:, 1 + len(KIND_NAMES) :].argmax(dim=1)
    answers = [
        part.argmax(dim=1).tolist()
        for part in whole.split([len(names) for names in GLOBAL_HEADS.values()], dim=1)
    ]
    readings = []
    for number in range(len(pictures)):
        found = tuple(
            Found(
                KIND_NAMES[int(kinds[number, row, column])],
                COLOUR_NAMES[int(colours[number, row, column])],
                (column + 0.5) / GRID,
                (row + 0.5) / GRID,
                float(heat[number, row, column]),
            )
            for row, column in peaks[number].nonzero().tolist()
        )
        named = {
            name: names[answers[index][number]]
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


def score(scene: Scene, reading: Reading) -> dict[str, list[bool]]:
    """Each measure with one verdict per thing it is asked of; only what a caption says is asked."""
    members = [_members(group, scene, reading) for group in scene.groups]
    verdict: dict[str, list[bool]] = {
        "background": [reading.setting == setting_of(scene)],
        "count": [len(reading.things) == sum(group.count for group in scene.groups)],
        "object": [len(found) >= 1 for found in members],
        "colour": [
            2 * sum(thing.colour == group.colour for thing in found) > len(found)
            for group, found in zip(scene.groups, members, strict=True)
            if group.colour_said
        ],
        "style": [reading.style == scene.style],
    }
    if scene.weather:
        verdict["weather"] = [reading.weather == scene.weather]
    if scene.time and scene.style not in ("outline", "neon"):
        verdict["time"] = [reading.time == scene.time]
    if scene.relation:
        verdict["relation"] = [_related(scene.relation, *members)]
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
