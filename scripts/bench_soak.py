"""Mixed work for minutes, while the worker is killed again and again: what leaks, what is lost.

    python -m scripts.bench_soak [--minutes 2] [--kills 2] [--json scripts/results/soak.json]

A real host with a real worker and the embedded models makes pictures and music for three people.
`--kills` times a minute the worker is ended by SIGKILL in the middle of whatever it does. Nothing
that was accepted may stay unfinished, whoever is killed twice in a row hears why, and the host may
neither grow nor keep files open or drafts in its spool. Memory is that of the host's process, after
the last job and after every kind of order was made twice, before anybody is killed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import psutil

from scripts.results import Row, publish
from studio.host import Host
from studio.job import Job, JobState
from studio.protocol import Client
from studio.settings import Settings

PEOPLE = ("ann", "bob", "eve")
ORDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("text-to-image", {"prompt": "a yellow star", "model": "starter-pictures", "steps": 4}),
    ("text-to-image", {"prompt": "a red circle", "model": "starter-pictures", "count": 2}),
    ("text-to-music", {"prompt": "calm piano", "model": "starter-music", "duration": 5.0}),
)


class Soak:
    """One run: who orders, who kills, and what was counted."""

    def __init__(self, host: Host, seconds: float, kills: float) -> None:
        self._host = host
        self._seconds = seconds
        self._pause = 60 / kills
        self._end = 0.0
        self._chance = random.Random(7)
        self.accepted: list[tuple[Client, str]] = []
        self.kills = 0
        #: Of the host's process, once it is warm and at the end.
        self.memory: list[int] = []
        self.files: list[int] = []

    async def run(self) -> None:
        """Work and kill; whoever ordered has heard the last of every job."""
        for task, values in ORDERS * 2:
            await self._made(self._host.client(PEOPLE[0]), task, values)
        self._note()
        self._end = time.monotonic() + self._seconds
        killing = asyncio.create_task(self._kill())
        await asyncio.gather(*(self._order(self._host.client(name)) for name in PEOPLE))
        killing.cancel()
        self._note()

    async def jobs(self) -> list[Job]:
        """Every accepted job as it is now."""
        return [await client.job(job) for client, job in self.accepted]

    async def _order(self, client: Client) -> None:
        while time.monotonic() < self._end:
            await self._made(client, *self._chance.choice(ORDERS))

    async def _made(self, client: Client, task: str, values: dict[str, Any]) -> None:
        job = await client.submit(task, values)
        self.accepted.append((client, job.id))
        async for _ in client.events(job.id):
            pass

    async def _kill(self) -> None:
        while True:
            await asyncio.sleep(self._pause * self._chance.uniform(0.5, 1.5))
            for lane in self._host.lanes:
                if pid := lane.state.pid:
                    # It may be gone already.
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        self.kills += 1

    def _note(self) -> None:
        process = psutil.Process()
        self.memory.append(process.memory_info().rss)
        self.files.append(process.num_fds())


async def soak(home: Path, minutes: float, kills: float) -> list[Row]:
    """The rows of one run below `home`."""
    settings = Settings(home=home, devices=("cpu",), threads=1, spare_bytes=0)
    async with Host(settings) as host:
        run = Soak(host, 60 * minutes, kills)
        await run.run()
        jobs = await run.jobs()
        left = sum(1 for _ in (home / "spool").rglob("*.npy"))
    states = Counter(job.state.value for job in jobs)
    print(f"{len(jobs)} jobs, {run.kills} kills: {dict(states)}")
    unexplained = [j for j in jobs if j.state is JobState.FAILED and j.error is None]
    short = [
        job
        for job in jobs
        if job.state is JobState.DONE and len(job.artifacts) != job.request["count"]
    ]
    lost = sum(not job.state.final for job in jobs) + len(unexplained) + len(short)
    grown = run.memory[-1] / run.memory[0]
    opened = run.files[-1] - run.files[0]
    return [
        Row("soak: accepted jobs that are lost, short or failed without a word", lost, "≤0", ""),
        Row("soak: the host's memory at the end / once warm", grown, "≤1.05", ""),
        Row("soak: files open at the end beside those once warm", opened, "≤2", ""),
        Row("soak: drafts left in the spool", left, "≤0", ""),
    ]


@click.command()
@click.option("--minutes", default=2.0, show_default=True, help="How long people order.")
@click.option("--kills", default=2.0, show_default=True, help="How many a minute.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the rows there.")
def main(minutes: float, kills: float, path: Path | None) -> None:
    """Soak this machine."""
    with tempfile.TemporaryDirectory() as place:
        publish(asyncio.run(soak(Path(place) / "home", minutes, kills)), path)


if __name__ == "__main__":
    main()
