"""The queue: picks a second, durable jobs a second, time to start, and what waiting costs.

    python -m scripts.bench_queue [--json scripts/results/queue.json]

Jobs are real DBOS workflows in a real SQLite file; what they carry out is nothing, so that only the
queue is timed. Where the time of a job goes is printed: nearly all of it is SQLite waiting for the
disk, once when the job is stored and once when its outcome is.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import tempfile
import time
from pathlib import Path

import click

from scripts.results import Row, publish
from studio.host import Host
from studio.job import Job, Outcome
from studio.jobs import JobStore
from studio.scheduler import Waiting, pick
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, settings_for, write_cards

JOBS = 300
AT_ONCE = 32
WAITING = 1000
IDLE_SECONDS = 10.0
#: How many orders one person sends, how many at once, and of how many the time is compared.
INTAKE, TOGETHER, SHARE = 4000, 20, 1000


def picks_per_second() -> float:
    """How many choices among 1,000 waiting jobs a core makes in a second of its time."""
    line = [
        Waiting(f"{n:032x}", f"o{n % 20}", f"card{n % 3}", f"shape{n % 5}", 0, float(n), 1)
        for n in range(WAITING)
    ]
    served = {f"o{n}": float(n) for n in range(20)}
    rates = []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(100):
            pick(line, {"card1"}, 2000.0, served=served, most=lambda _leader, alike: min(4, alike))
        rates.append(100 / (time.process_time() - begun))
    return max(rates)


class Nothing:
    """Carries jobs out at once, and notes when each began."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.over: dict[str, asyncio.Event] = {}

    async def run(self, job: Job) -> Outcome:
        """See `JobStore`."""
        self.begun[job.id] = time.perf_counter()
        return Outcome(())

    def settled(self, job: str, _outcome: Outcome) -> None:
        """See `JobStore`."""
        self.over[job].set()


async def durable(home: Path) -> tuple[float, float, float, float]:
    """Jobs a second, median ms to start, ms to store one, and share of a core when idle."""
    nothing = Nothing()
    async with JobStore(f"sqlite:///{home}/jobs.sqlite", nothing.run, nothing.settled) as store:

        async def one() -> tuple[float, float]:
            request = {"prompt": "a star", "seed": 1, "count": 1}
            job = Job(
                secrets.token_hex(16), "ann", "text-to-image", "none", request, 0, time.time()
            )
            nothing.over[job.id] = asyncio.Event()
            begun = time.perf_counter()
            await store.put(job, drawn=True)
            stored = time.perf_counter()
            await nothing.over[job.id].wait()
            return nothing.begun[job.id] - begun, stored - begun

        alone = [await one() for _ in range(50)]
        begun = time.perf_counter()
        for _ in range(JOBS // AT_ONCE):
            await asyncio.gather(*(one() for _ in range(AT_ONCE)))
        rate = JOBS // AT_ONCE * AT_ONCE / (time.perf_counter() - begun)
        before = time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (time.process_time() - before) / IDLE_SECONDS
    starts, puts = zip(*alone, strict=True)
    return rate, 1000 * statistics.median(starts), 1000 * statistics.median(puts), idle


async def intake(home: Path) -> float:
    """Processor time for the last thousand of one person's 4,000 orders / for the first thousand.

    None of them runs meanwhile. Where every order looks at those before it, this is far above 1.
    """
    settings = settings_for(home, max_waiting=INTAKE)
    write_cards(home)
    lane = FakeLane(settings)
    lane.go.clear()
    spent = []
    async with Host(settings, lanes=[lane]) as host:
        client = host.client("ann")
        for _ in range(INTAKE // SHARE):
            begun = time.process_time()
            for _ in range(SHARE // TOGETHER):
                await asyncio.gather(*(client.submit("imagine", SMALL) for _ in range(TOGETHER)))
            spent.append(time.process_time() - begun)
    print(f"an order costs {1000 * sum(spent) / INTAKE:.2f} ms of a core until it is accepted")
    return spent[-1] / spent[0]


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        rate, start, put, idle = asyncio.run(durable(Path(home)))
    with tempfile.TemporaryDirectory() as home:
        slowed = asyncio.run(intake(Path(home)))
    print(f"a job alone: begun after {start:.1f} ms, accepted after {put:.1f} ms")
    publish(
        [
            Row(
                "choices of the next job a second, 1,000 waiting",
                picks_per_second(),
                "≥2000",
                "1/s",
            ),
            Row("durable jobs a second, end to end, on SQLite", rate, "≥50", "1/s"),
            Row("from an order to its start, median", start, "≤30", "ms"),
            Row("the idle job store's share of a core", 100 * idle, "≤1", "%"),
            Row("time of the last of one person's 4,000 orders / of the first", slowed, "≤1.2", ""),
        ],
        path,
    )


if __name__ == "__main__":
    main()
