"""Stage 1: the judge. It must read fresh renders before anything is measured with it."""

from __future__ import annotations

import torch
from judge import scenes as judge
from loop import Loop
from measures import summarise
from recipe import SIZE, Run
from safetensors.torch import save_file
from supply import Order, SupplyOf, make
from torch import Tensor
from torch.nn import functional
from world import sites
from world.scene import Scene

Measures = dict[str, dict[str, float]]


def fresh(count: int, seed: int) -> tuple[list[Scene], Tensor]:
    """Scenes of every pair of colour and thing, and their renders that no training has seen."""
    scenes, _, pictures = make(Order(SIZE, seed, every_pair=True), count)
    return scenes, torch.from_numpy(pictures)


def verdicts(network: judge.SceneJudge, scenes: list[Scene], pictures: Tensor) -> Measures:
    """The judge's measures of these pictures."""
    device = next(network.parameters()).device
    readings = [
        reading
        for start in range(0, len(scenes), 50)
        for reading in judge.read(network, pictures[start : start + 50].to(device))
    ]
    return summarise(
        judge.score(scene, reading) for scene, reading in zip(scenes, readings, strict=True)
    )


def load(run: Run) -> judge.SceneJudge:
    """The trained judge of this run."""
    return judge.load(run.folder / "judge" / "judge.safetensors", str(run.device))


def _disturbed(values: Tensor) -> Tensor:
    """With some noise and some blur: it has to read decoded pictures too, not only clean ones."""
    much = torch.rand(len(values), 1, 1, 1, device=values.device)
    soft = functional.avg_pool2d(values, 3, 1, 1, count_include_pad=False)
    noise = torch.rand(len(values), 1, 1, 1, device=values.device) * torch.randn_like(values)
    return torch.lerp(values, soft, much) + 0.12 * noise


def train(run: Run, supply: SupplyOf) -> None:
    """Train the judge, on every pair of colour and thing.

    A judge that had never seen the pairs withheld from the model would say of a doubtful purple
    apple that it is something else, because nothing it knows in purple is one.
    """
    budget = run.recipe.judge
    torch.manual_seed(run.seed)
    network = judge.SceneJudge(run.recipe.shape.judge_width).to(run.device).train()
    loop = Loop("judge", run.folder / "judge", budget, [network], run.seed)

    with supply(Order(SIZE, run.seed + 900_000, every_pair=True)) as data:

        def step(number: int) -> Tensor:
            scenes, _, pictures = data.draw(budget.batch, number)
            things = sites.table(scenes).to(run.device)
            wanted = judge.answers(scenes).to(run.device)
            values = _disturbed(judge.as_input(torch.from_numpy(pictures).to(run.device)))
            with torch.autocast(run.device.type, torch.bfloat16, enabled=run.recipe.bfloat16):
                cells, whole = network(values)
            return judge.loss(cells, whole, things, wanted)

        loop.run(step)
    save_file(network.state_dict(), run.folder / "judge" / "judge.safetensors")


def measure(run: Run) -> Measures:
    """What the judge of this run reads in fresh renders, of which its gate asks for a part."""
    return verdicts(load(run), *fresh(run.recipe.gate_pictures, run.seed + 900))
