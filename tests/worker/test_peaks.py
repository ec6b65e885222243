"""What a run takes in the child is measured there, and remembered by the host."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.worker.lanes import card, open_lane, orders

pytestmark = pytest.mark.anyio


def learned(home: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(home / "paces.sqlite")) as file:
        return file.execute("SELECT working, fallen FROM peak ORDER BY run").fetchall()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's highest use")
async def test_the_highest_use_of_a_run_is_what_is_learned_until_that_is_enough(home: Path) -> None:
    async with open_lane(home) as watcher:
        await watcher.lane.warm(card(), Path("/nowhere"), "1")
        for size in (200, 20, 200, 50):
            await watcher.make(orders(f"take {size}"))
    peaks = [working / 1e6 for working, _ in learned(home)]
    assert peaks == pytest.approx([200, 20, 200, 0], abs=6)
