"""A lane over a real child process, and a family whose prompts say what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.cards import Card
from studio.families import Order
from studio.job import Event, Step
from studio.settings import Settings
from studio.worker.report import Made
from studio.worker.supervisor import Lane


def card(name: str = "trouble", **options: object) -> Card:
    """A card of the family `trouble`."""
    return Card.parse(
        name,
        f"""---
license: apache-2.0
studio:
  title: Trouble
  family: trouble
  tasks: [text-to-image]
  source: {{path: starter/pictures}}
  memory: {{weights: 1, working: 1}}
  options: {options!r}
---
""",
    )


def orders(*prompts: str, job: str = "job") -> list[Order]:
    """One order per prompt, all of one job."""
    return [
        Order(job, index, "text-to-image", {"prompt": prompt}, 100 + index)
        for index, prompt in enumerate(prompts)
    ]


@dataclass
class Watcher:
    """Makes batches and remembers what it was told."""

    lane: Lane
    events: list[tuple[str, Event]] = field(default_factory=list)
    begun: int = 0
    #: Called with every event, the first time it comes.
    then: Callable[[str, Event], None] = lambda _job, _event: None

    async def make(self, batch: list[Order], card_: Card | None = None) -> list[Made]:
        """Everything that the batch makes."""

        def tell(job: str, event: Event) -> None:
            self.events.append((job, event))
            self.then(job, event)

        async def begun() -> None:
            self.begun += 1

        return [
            made
            async for made in self.lane.generate(
                card_ or card(), Path("/nowhere"), "1", batch, tell=tell, begun=begun
            )
        ]

    def steps(self) -> list[Step]:
        """The steps that were told."""
        return [event for _, event in self.events if isinstance(event, Step)]


@asynccontextmanager
async def open_lane(home: Path, device: str = "cpu", **settings: Any) -> AsyncIterator[Watcher]:
    """A lane that is closed again, and whose child then is gone."""
    home.mkdir(exist_ok=True)
    given = {"idle_seconds": 60, "hang_seconds": 30} | settings
    lane = Lane(Settings(home=home, **given), device)
    await lane.start()
    try:
        yield Watcher(lane)
    finally:
        await lane.close()
        assert lane.state.pid is None
        assert not (home / "spool").exists()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for `condition`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
