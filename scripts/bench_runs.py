"""Batches: what a row costs beside generation and sealing, and what people notice of one.

    python -m scripts.bench_runs [--json scripts/results/runs.json]

The lane makes noise without a device, so that only the studio is timed; sealing is real, and timed
by itself in the same run. People who order by hand keep the lane three quarters busy, alone and
then beside a batch; a batch's jobs are as long as theirs.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from scripts.results import Row as Figure
from scripts.results import publish
from studio.draft import Draft
from studio.host import Host
from studio.protocol import Client
from studio.recipes.rows import Row
from studio.recipes.run import Run, RunState
from studio.runs import Plan
from tests.hosts import fake_host

ROWS = 1000
SIDE = 64
PEOPLE = 10
ORDERS = 80
#: Seconds that the lane takes for one job beside a batch.
SERVICE = 0.2

PLAN = Plan("noise", task="imagine", defaults={"model": "noise", "width": SIDE, "height": SIDE})


def rows(count: int) -> list[Row]:
    """So many orders."""
    return [Row(place + 1, {"prompt": f"star {place}", "seed": place}) for place in range(count)]


async def ended(client: Client, run: Run) -> Run:
    """The run, once every row has ended."""
    while run.state is RunState.RUNNING:
        await asyncio.sleep(0.05)
        run = await client.run(run.id)
    return run


async def cost_of_a_row(home: Path) -> tuple[float, float]:
    """Milliseconds of a row without its sealing, and of that."""
    host, _ = fake_host(home)
    async with host:
        client = host.client("ann")
        await ended(client, (await client.begin(PLAN, rows(20))).run)
        begun = time.perf_counter()
        run = await ended(client, (await client.begin(PLAN, rows(ROWS))).run)
        whole = 1000 * (time.perf_counter() - begun) / ROWS
        assert (run.done, run.failed) == (ROWS, 0)
        sealing = await asyncio.to_thread(sealed, host, (await client.jobs(limit=1))[0].id)
    return whole - sealing, sealing


def sealed(host: Host, known: str, times: int = 100) -> float:
    """Milliseconds that sealing alone takes for such a picture."""
    job = asyncio.run(host.jobs.get(known))
    card = host.catalog["noise"]
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    begun = time.perf_counter()
    for number in range(times):
        fresh = replace(job, id=f"{number:032x}")
        draft = Draft("image", 0, 1, {"pixels": pixels})
        host.provenance.sealer.seal(draft, job=fresh, card=card, revision="r", batch=1, versions={})
    return 1000 * (time.perf_counter() - begun) / times


async def waits(home: Path, beside_a_batch: bool) -> list[float]:
    """How long people wait for what they order by hand, in seconds; the same orders every time."""
    host, _ = fake_host(home, seconds=SERVICE / 2)
    chance = random.Random(7)
    async with host:
        client = host.client("robot")
        batch = (await client.begin(PLAN, rows(ROWS))).run if beside_a_batch else None
        await asyncio.sleep(1)

        async def one(number: int) -> float:
            begun = time.perf_counter()
            person = host.client(f"person {number % PEOPLE}")
            order = {**(PLAN.defaults or {}), "prompt": "a star"}
            job = await person.submit("imagine", order)
            async for _ in person.events(job.id):
                pass
            return time.perf_counter() - begun

        async with asyncio.TaskGroup() as people:
            orders = []
            for number in range(ORDERS):
                orders.append(people.create_task(one(number)))
                await asyncio.sleep(chance.expovariate(0.75 / (SERVICE + 0.02)))
        if batch is not None:
            assert (await client.run(batch.id)).state is RunState.RUNNING, "the batch was too short"
            await client.stop_run(batch.id)
    return sorted(order.result() for order in orders)


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        row, sealing = asyncio.run(cost_of_a_row(home / "rows"))
        alone, beside = (
            asyncio.run(waits(home / str(batch), batch))[int(0.95 * ORDERS)]
            for batch in (False, True)
        )
    print(f"sealing alone {sealing:.1f} ms; p95 {alone:.2f} s alone, {beside:.2f} s beside a batch")
    publish(
        [
            Figure("a row of a batch of 1,000, beside generation and sealing", row, "≤30", "ms"),
            Figure(
                "other people's wait during a batch / without (95th percentile)",
                beside / alone,
                "≤1.3",
                "×",
            ),
        ],
        path,
    )


if __name__ == "__main__":
    main()
