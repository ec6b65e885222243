"""What the studio adds to a model's own time, marks and signatures left out.

    python -m scripts.bench_overhead [--json scripts/results/overhead.json]

The same orders of the starter model, at one thread: called bare in this process, and through the
device child as the dispatcher calls it, from the order to the draft in the spool. Both take turns,
so that whatever else the machine does falls on both; each figure is the best of several. Sealing is
`bench_marks.py`'s matter.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["STUDIO_THREADS"] = "1"
os.environ["DIFFUSERS_VERBOSITY"] = "error"

import asyncio
import tempfile
import time
from pathlib import Path

import click

from scripts.results import Row, publish
from studio.catalog import Catalog
from studio.families import Order, Spec, find_family
from studio.fields import build
from studio.job import Event
from studio.settings import Settings
from studio.tasks import TASKS
from studio.testing import Recorder
from studio.worker.supervisor import Lane

RUNS = 7
#: Enough for more than a second on one core.
STEPS = 50


async def measure(home: Path) -> tuple[float, float]:
    """Seconds of a job, bare and in the studio."""
    settings = Settings(home=home)
    catalog = Catalog.open(settings)
    card = catalog["starter-pictures"]
    task = TASKS["text-to-image"]
    request = card.narrow(task, build(task.request, {"prompt": "a star", "steps": STEPS}))
    orders = [Order("0" * 32, n, task.id, request.model_dump(), n) for n in range(2)]
    block, folder = card.studio, catalog.folder(card)
    spec = Spec(card.name, folder, block.dtype, None, block.options)
    model = find_family(block.family).load(spec, "cpu", "full")
    home.mkdir(exist_ok=True)
    lane = Lane(settings, "cpu")
    await lane.start()

    def bare() -> None:
        for _ in model.generate(orders, Recorder()):
            pass

    async def begun() -> None:
        pass

    def tell(job: str, event: Event) -> None:
        pass

    async def through() -> None:
        made = lane.generate(card, folder, "embedded", orders, tell=tell, begun=begun)
        async for draft in made:
            lane.discard(draft.place)

    try:
        bare()
        await through()
        alone, ours = [], []
        for _ in range(RUNS):
            begin = time.perf_counter()
            bare()
            middle = time.perf_counter()
            await through()
            alone.append(middle - begin)
            ours.append(time.perf_counter() - middle)
    finally:
        await lane.close()
    return min(alone), min(ours)


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        bare, ours = asyncio.run(measure(Path(folder) / "home"))
    print(f"bare {bare:.3f} s, in the studio {ours:.3f} s")
    publish(
        [
            Row(
                "pictures made in the studio / by the bare library, time", ours / bare, "≤1.02", "×"
            ),
            Row("the studio's own time per job", 1000 * (ours - bare), "≤5", "ms"),
        ],
        path,
    )


if __name__ == "__main__":
    main()
