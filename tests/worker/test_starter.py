"""The embedded model in a real child: what a person gets a second after pressing the button."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.cards import Card
from studio.catalog import Catalog
from studio.draft import Draft
from studio.errors import Broken, Cancelled
from studio.families import Order
from studio.fields import build
from studio.job import Event, Step
from studio.settings import Settings
from studio.tasks import TASKS
from tests.worker.lanes import Watcher, open_lane

pytestmark = [pytest.mark.anyio, pytest.mark.starter]
TASK = TASKS["text-to-image"]


def starter(home: Path) -> tuple[Catalog, Card]:
    catalog = Catalog.open(Settings(home=home))
    return catalog, catalog["starter-pictures"]


async def make(watcher: Watcher, home: Path, *seeds: int, job: str = "job") -> list[Draft]:
    """Drafts of 'a yellow star', one per seed, in one batch, as the host orders them."""
    catalog, card = starter(home)
    request = card.narrow(TASK, build(TASK.request, {"prompt": "a yellow star"})).model_dump()
    orders = [Order(job, index, TASK.id, request, seed) for index, seed in enumerate(seeds)]
    drafts = []

    async def begun() -> None:
        watcher.begun += 1

    def tell(job: str, event: Event) -> None:
        watcher.events.append((job, event))
        watcher.then(job, event)

    async for made in watcher.lane.generate(
        card, catalog.folder(card), catalog.revision(card), orders, tell=tell, begun=begun
    ):
        drafts.append(Draft.unspool(made.place))
    return drafts


async def test_the_same_seed_gives_the_same_draft_in_every_child(home: Path) -> None:
    async with open_lane(home, threads=1) as watcher:
        first, again = [(await make(watcher, home, 7))[0] for _ in range(2)]
        assert first.arrays["pixels"].shape == (512, 512, 3)
        assert first.digest() == again.digest()
        together = await make(watcher, home, 6, 7, 8)
        distance = np.abs(together[1].arrays["pixels"].astype(int) - first.arrays["pixels"])
        assert distance.max() <= 2
        assert together[0].digest() != together[1].digest()
        steps = watcher.steps()
        assert (steps[-1].done, steps[-1].total) == (12, 12)
        assert watcher.lane.state.versions["diffusers"]
        watcher.lane._child.kill()  # type: ignore[union-attr]
    async with open_lane(home, threads=1) as watcher:
        assert (await make(watcher, home, 7))[0].digest() == first.digest()


async def test_stopping_and_failing_leave_no_trace_and_memory_stays_flat(home: Path) -> None:
    async with open_lane(home, threads=1) as watcher:
        (expected,) = await make(watcher, home, 7)
        pid, rss = watcher.lane.state.pid, watcher.lane.state.rss
        for round_ in range(6):
            watcher.then = lambda _, event: (
                watcher.lane.cancel("stopped")
                if isinstance(event, Step) and event.done == 4
                else None
            )
            with pytest.raises(Cancelled):
                await make(watcher, home, *range(8), job="stopped")
            # The step under way when it was stopped, and one that was on its way to be told.
            assert watcher.steps()[-1].done <= 6
            watcher.then = lambda _job, _event: None
            (draft,) = await make(watcher, home, 7)
            assert draft.digest() == expected.digest(), round_
        assert watcher.lane.state.pid == pid
        assert watcher.lane.state.rss < rss + 60_000_000


async def test_a_kill_in_the_middle_costs_one_attempt(home: Path) -> None:
    async with open_lane(home, threads=1) as watcher:
        (expected,) = await make(watcher, home, 7)
        watcher.then = lambda _, event: (
            watcher.lane._child.kill()  # type: ignore[union-attr]
            if isinstance(event, Step) and event.done == 4
            else None
        )
        with pytest.raises(Broken) as caught:
            await make(watcher, home, 7)
        assert caught.value.retry
        watcher.then = lambda _job, _event: None
        assert (await make(watcher, home, 7))[0].digest() == expected.digest()
