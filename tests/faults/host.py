"""A host to be killed: `python -m tests.faults.host HOME LANE JOBS`. It says what happens."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from studio.client import Client
from studio.host import Host
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, settings_for, write_cards


async def main(home: Path, lane: str, jobs: int) -> None:
    settings = settings_for(home)
    write_cards(home)
    fake = FakeLane(settings, steps=3, seconds=0.05) if lane == "fake" else None
    order = SMALL if fake else {"prompt": "a red circle above a blue square"}
    async with Host(settings, lanes=[fake] if fake else ()) as host:
        client = host.client("ann")
        ids = []
        for number in range(jobs):
            job = await client.submit("imagine", {**order, "count": 2}, key=str(number))
            ids.append(job.id)
            print("ack", job.id, flush=True)
        await asyncio.gather(*(watch(client, job) for job in ids))


async def watch(client: Client, job: str) -> None:
    async for event in client.events(job):
        print(type(event).__name__, job, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
