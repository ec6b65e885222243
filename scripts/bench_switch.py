"""Whether memory grows as models take turns: fifty switches among three in one worker.

    python -m scripts.bench_switch [--switches 50] [--json scripts/results/switch.json]

Three tiny pipelines with random weights are loaded, run and evicted in turn by the worker's own
`Residency`, on the processor, in room for one. Compared is the process's memory after the
last switch with that after the third.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import click
import psutil
import torch

from scripts.results import Row, publish
from studio.families import Order, Spec
from studio.families.diffusers import Diffusers, Pipeline
from studio.memory import Need, Part, Residency, Room, Stage
from studio.testing import Recorder
from studio.worker.device import open_device
from tests.families import tiny

REQUEST = {"prompt": "a", "width": 64, "height": 64, "steps": 2, "guidance": 2.0, "count": 1}
BYTES = 1_500_000_000


class Narrow:
    """The processor, with room for one model."""

    name = "cpu"

    def __init__(self) -> None:
        self._device = open_device("cpu")
        self.residency: Residency[Pipeline] = Residency(self)

    def room(self) -> Room:
        """Room for one, less what the models there are take."""
        free = 2 * BYTES - sum(resident.device for resident in self.residency.residents)
        return Room(2 * BYTES, free, free, shared=True)

    def release(self) -> None:
        """See `studio.memory.Device`."""
        self._device.release()


@click.command()
@click.option("--switches", default=50, help="How many.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the rows there.")
def main(switches: int, path: Path | None) -> None:
    """Measure switching on this machine."""
    torch.set_num_threads(1)
    device, memory = Narrow(), []
    with tempfile.TemporaryDirectory() as place:
        makers = {"sd": tiny.stable_diffusion, "sdxl": tiny.stable_diffusion_xl, "flux": tiny.flux}
        for name, make in makers.items():
            make(Path(place) / name)
        for number in range(switches):
            name = list(makers)[number % len(makers)]
            spec = Spec(name, Path(place) / name, "float32", None, {})
            need = Need(name, (Part(name, BYTES, 0, BYTES),), (Stage("denoise", (name,), 0),))
            with device.residency.lease(
                need, "1", lambda placement, spec=spec: Diffusers().load(spec, "cpu", placement)
            ) as model:
                order = Order("job", 0, "text-to-image", REQUEST | {"seed": number}, number)
                list(model.generate([order], Recorder()))
            memory.append(psutil.Process().memory_info().rss)
    assert len(device.residency.evictions) == min(20, switches - 1), "nothing was switched"
    publish(
        [
            Row(
                f"memory after {switches} changes of model / after 3",
                memory[-1] / memory[2],
                "≤1.05",
                "",
            )
        ],
        path,
    )


if __name__ == "__main__":
    main()
