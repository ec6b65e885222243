"""What tests of the host share: settings for quick, small hosts, and waiting with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from studio.client import Client
from studio.host import Host
from studio.job import Event, Job
from studio.settings import Settings
from tests.fake_lane import FakeLane

#: A request that is quickly made and sealed.
SMALL = {"model": "noise", "prompt": "a yellow star", "width": 64, "height": 64}

_CARD = """---
license: mit
studio:
  title: {name}
  family: none
  tasks: [text-to-image]
  source: {{path: starter/pictures}}
  memory: {{weights: 1, working: 1}}
  options: {{batch: {batch}}}
---
What the lane without a device makes.
"""


def settings_for(home: Path, **values: Any) -> Settings:
    """Settings for a host at `home`; the machine's own disk may be as full as it likes.

    Nobody looks at what was made unless somebody asks: tests count batches.
    """
    return Settings(home=home, **{"spare_bytes": 0, "look_seconds": 3600, **values})


def fake_host(home: Path, **values: Any) -> tuple[Host, FakeLane]:
    """A host on a lane without a device; `values` go to the lane.

    Its cards are `noise` and `twins`, which is made by threes.
    """
    settings = settings_for(home)
    write_cards(home)
    lane = FakeLane(settings, **values)
    return Host(settings, lanes=[lane]), lane


def write_cards(home: Path) -> None:
    """Cards for the lane without a device: `noise`, and `twins`, which is made by threes."""
    folder = home / "model_cards"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, batch in (("noise", 1), ("twins", 3)):
        (folder / f"{name}.md").write_text(_CARD.format(name=name, batch=batch))


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine, for a minute at most."""

    async def limited() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(limited())


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait until `true`, for so long at most."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def finished(client: Client, job: str) -> Job:
    """The job, once it is final."""
    await heard(client, job)
    return await client.job(job)


async def heard(client: Client, job: str) -> list[Event]:
    """All the job's events, to the last."""
    return [event async for event in client.events(job)]
