"""The batch that the studio chooses against the best fixed one, on real models and on curves.

    python -m scripts.bench_batch [--json scripts/results/batch.json]

The starter model draws the same orders in every fixed batch size and, in turns with them, in the
sizes that the studio chooses while it learns. The curves are those of larger models, as they were
measured elsewhere: milliseconds per picture by size of batch.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["DIFFUSERS_VERBOSITY"] = "error"

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from scripts.results import Row, publish
from studio.catalog import Catalog
from studio.families import Order, find_family
from studio.families import Spec as FamilySpec
from studio.fields import build
from studio.job import Job
from studio.pace import Paces, kind_of
from studio.settings import Settings
from studio.tasks import TASKS
from studio.testing import Recorder

LIMIT = 8
#: How many outputs a run of the starter and of a curve makes.
OUTPUTS = 48
SIMULATED = 2000
CURVES = {
    "simulated small pictures": {1: 73.0, 2: 45.0, 4: 38.0, 8: 30.0},
    "simulated large pictures": {1: 527.0, 2: 507.0, 4: 484.0, 8: 632.0},
    "simulated model that no batch helps": {1: 100.0, 2: 103.0, 4: 109.0, 8: 130.0},
}


def run(job: Job, paces: Paces, outputs: int, make: Callable[[int], float]) -> float:
    """Seconds for so many outputs, in the batches that are chosen while they are learned."""
    total, left = 0.0, outputs
    while left:
        size = paces.batch(kind_of(job), "cpu", LIMIT, left)
        seconds = make(size)
        paces.learn(job, "cpu", size, seconds)
        total, left = total + seconds, left - size
    return total


def starter(home: Path, job: Job) -> tuple[float, float]:
    """The chosen batches' speed against the best fixed size, and against one at a time."""
    catalog = Catalog.open(Settings(home=home))
    card = catalog[job.card]
    block = card.studio
    options = {**block.options, "batch": LIMIT}
    spec = FamilySpec(card.name, catalog.folder(card), block.dtype, None, options)
    model = find_family(block.family).load(spec, "cpu", "full")

    def make(size: int) -> float:
        orders = [Order(job.id, n, job.task, job.request, n) for n in range(size)]
        begun = time.process_time()
        for _ in model.generate(orders, Recorder()):
            pass
        return time.process_time() - begun

    make(1)
    fixed = dict.fromkeys((1, 2, 4, LIMIT), 1000000000.0)
    for _ in range(2):
        for size in fixed:
            fixed[size] = min(fixed[size], make(size) / size)
    paces = Paces(home / "paces.sqlite")
    run(job, paces, OUTPUTS, make)
    chosen = run(job, paces, OUTPUTS, make) / OUTPUTS
    print({size: round(1000 * seconds) for size, seconds in fixed.items()}, "ms by fixed size")
    return min(fixed.values()) / chosen, fixed[1] / chosen


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Measure and print."""
    task = TASKS["text-to-image"]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        card = Catalog.open(Settings(home=home))["starter-pictures"]
        request = card.narrow(task, build(task.request, {"prompt": "a star"})).model_dump()
        job = Job("0" * 32, "ann", task.id, card.name, request | {"seed": 1}, 0, 0.0)
        best, alone = starter(home, job)
        rows = [
            Row(
                "starter pictures: speed in chosen batches / in the best fixed size",
                best,
                "≥0.95",
                "×",
            ),
            Row("starter pictures: speed in chosen batches / one at a time", alone, "≥0.95", "×"),
        ]
        for number, (name, curve) in enumerate(CURVES.items()):
            paces = Paces(home / f"{number}.sqlite")
            seconds = run(job, paces, SIMULATED, lambda size, curve=curve: size * _at(curve, size))
            rows.append(
                Row(
                    f"{name}: speed in chosen batches / in the best fixed size",
                    min(curve.values()) * SIMULATED / seconds,
                    "≥0.95",
                    "×",
                )
            )
    publish(rows, path)


def _at(curve: dict[int, float], size: int) -> float:
    return curve[max(known for known in curve if known <= size)]


if __name__ == "__main__":
    main()
