"""Kills the host again and again, at every stage of a job, and checks that nothing was lost.

    python -m scripts.soak_kills [--rounds 20] [--minutes 30]

Every round orders three jobs of two outputs each, kills the host with SIGKILL up to a fifth of a
second after it reports the stage, opens the home again and waits. Then every acknowledged job must
be done, and every output there once, whole and signed. What fails is named, with the round's seed.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.faults.test_kills import all_is_well, killed_at
from tests.hosts import fake_host

STAGES = ("ack", "Queued", "Loading", "Step", "Sealed", "Done")
JOBS = 3


async def recovered(home: Path, acknowledged: list[str]) -> None:
    """Open the home again; raises `AssertionError` for whatever is not well."""
    host, _ = fake_host(home)
    async with host, asyncio.timeout(60):
        known = {job.id for job in await host.client("ann").jobs()}
        assert known >= set(acknowledged), "an acknowledged job is gone"
        await all_is_well(host, sorted(known))


@click.command()
@click.option("--rounds", default=20, show_default=True, help="Kills at each stage.")
@click.option("--minutes", default=30.0, show_default=True, help="No round begins after that.")
def main(rounds: int, minutes: float) -> None:
    """Kill, check, count."""
    end = time.monotonic() + 60 * minutes
    failures = 0
    for stage in STAGES:
        done = 0
        for seed in range(rounds):
            if time.monotonic() > end:
                break
            delay = random.Random(f"{stage} {seed}").uniform(0, 0.2)
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder) / "home"
                try:
                    acknowledged = killed_at(stage, home, "fake", JOBS, delay)
                    asyncio.run(recovered(home, acknowledged))
                except (AssertionError, TimeoutError) as error:
                    failures += 1
                    print(f"{stage}, round {seed}: {error}", flush=True)
            done += 1
        print(f"{stage}: {done} kills", flush=True)
    print(f"{failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
