"""Stage 1: the judge. It must read fresh renders before anything is measured with it."""

from __future__ import annotations

import torch
from judge import scenes as judge
from loop import Loop
from measures import summarise
from recipe import SIZE, Run
from safetensors.torch import save_file
from supply import Order, Supply, make
from torch import Tensor
from world import sites
from world.scene import Scene

Measures = dict[str, dict[str, float]]


def fresh(count: int, seed: int) -> tuple[list[Scene], Tensor]:
    """Scenes and their renders that no training has seen."""
    scenes, _, pictures = make(Order(SIZE, seed), count)
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


def train(run: Run, data: Supply) -> Measures:
    """Train the judge and measure it on fresh renders (the gate asks for 99 % of every measure)."""
    budget = run.recipe.judge
    torch.manual_seed(run.seed)
    network = judge.SceneJudge(run.recipe.shape.judge_width).to(run.device).train()
    loop = Loop("judge", run.folder / "judge", budget, [network])

    def step(_: int) -> Tensor:
        scenes, _, pictures = data.draw(budget.batch)
        things, wanted = sites.table(scenes).to(run.device), judge.answers(scenes).to(run.device)
        values = judge.as_input(torch.from_numpy(pictures).to(run.device))
        # Noise and blur teach it to read decoded pictures too, not only clean ones.
        values = values + 0.12 * torch.rand(
            len(values), 1, 1, 1, device=run.device
        ) * torch.randn_like(values)
        with torch.autocast(run.device.type, torch.bfloat16, enabled=run.recipe.bfloat16):
            cells, whole = network(values)
        return judge.loss(cells, whole, things, wanted)

    loop.run(step)
    save_file(network.state_dict(), run.folder / "judge" / "judge.safetensors")
    return verdicts(network.eval(), *fresh(run.recipe.gate_pictures, run.seed + 900))
