"""A lane makes batches, tells about them, cancels them, and keeps nothing."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from studio.draft import Draft
from studio.errors import Cancelled, OutOfMemory, Unavailable
from studio.families import Order
from studio.job import Event, Loading, Step
from studio.worker.supervisor import Lane
from tests.worker.lanes import card, open_lane, orders, until

pytestmark = pytest.mark.anyio


async def test_a_batch_comes_back_in_order_with_its_events(home: Path) -> None:
    async with open_lane(home) as watcher:
        assert watcher.lane.state.pid is None, "a child is spawned on demand only"
        made = await watcher.make(orders("steps 2", "steps 1"))
        assert [one.order.index for one in made] == [0, 1]
        assert [one.batch for one in made] == [2, 2]
        drafts = [Draft.unspool(one.place) for one in made]
        assert [int(draft.arrays["pixels"][0, 0, 0]) for draft in drafts] == [100, 101]
        assert watcher.begun == 1
        assert watcher.events[0] == ("job", Loading("trouble"))
        assert watcher.steps()[0].preview is not None
        assert {step.index for step in watcher.steps()} == {0, 1}
        assert made[0].versions.keys() >= {"studio", "torch", "device"}
        assert watcher.lane.state.resident == ("trouble",)
        assert watcher.lane.state.device == "cpu"
        assert watcher.lane.state.total > 0
        await watcher.make(orders("steps 1"))
        loads = [event for _, event in watcher.events if isinstance(event, Loading)]
        assert len(loads) == 1, "a resident model is not loaded again"


async def test_the_spool_is_private_and_leaves_nothing(home: Path) -> None:
    leftover = home / "spool" / "0" / "7" / "00000"
    leftover.mkdir(parents=True)
    async with open_lane(home) as watcher:
        assert not leftover.exists()
        spool = home / "spool" / "0"
        assert stat.S_IMODE(spool.stat().st_mode) == 0o700
        made = await watcher.make(orders("", ""))
        for path in made[0].place.rglob("*"):
            assert not path.stat().st_mode & 0o077, path
        for one in made:
            watcher.lane.discard(one.place)
        assert list(spool.iterdir()) == []


async def test_cancel_ends_within_a_step_and_the_child_lives_on(home: Path) -> None:
    async with open_lane(home) as watcher:
        loop = asyncio.get_running_loop()
        asked = 0.0

        def stop(job: str, event: Event) -> None:
            nonlocal asked
            if isinstance(event, Step) and event.done == 3 and not asked:
                asked = loop.time()
                watcher.lane.cancel("job")

        watcher.then = stop
        with pytest.raises(Cancelled):
            await watcher.make(orders("steps 600"))
        assert loop.time() - asked < 1
        pid = watcher.lane.state.pid
        assert pid is not None
        assert len(await watcher.make(orders("steps 1", job="next"))) == 1
        assert watcher.lane.state.pid == pid


async def test_cancelling_one_job_of_a_batch_leaves_the_others(home: Path) -> None:
    async with open_lane(home) as watcher:
        watcher.then = lambda job, event: (
            watcher.lane.cancel("unwanted") if isinstance(event, Step) else None
        )
        batch = [*orders("steps 5", job="unwanted"), *orders("steps 5", job="wanted")]
        made = await watcher.make(batch)
        assert [one.order.job for one in made] == ["wanted"]
        told = [job for job, event in watcher.events if isinstance(event, Step)]
        assert told.count("unwanted") < told.count("wanted")
        assert not list((home / "spool" / "0").rglob("00000/00000/draft.json"))


async def test_cancel_while_the_batch_waits_for_its_turn_or_for_the_child(home: Path) -> None:
    async with open_lane(home) as watcher:
        first = asyncio.create_task(watcher.make(orders("steps 8", job="first")))
        second = asyncio.create_task(watcher.make(orders("steps 8", job="second")))
        await asyncio.sleep(0.1)
        watcher.lane.cancel("second")
        watcher.lane.cancel("unknown")
        assert len(await first) == 1
        with pytest.raises(Cancelled):
            await second
        assert not [event for job, event in watcher.events if job == "second"]
    async with open_lane(home, idle_seconds=0.3) as watcher:
        starting = asyncio.create_task(watcher.make(orders("steps 8")))
        await asyncio.sleep(0.1)
        watcher.lane.cancel("job")
        with pytest.raises(Cancelled):
            await starting
        assert watcher.begun == 0
        await until(lambda: watcher.lane.state.pid is None)


async def test_cancel_during_the_load_stops_before_the_first_step(home: Path) -> None:
    async with open_lane(home) as watcher:
        watcher.then = lambda job, event: (
            watcher.lane.cancel("job") if isinstance(event, Loading) else None
        )
        with pytest.raises(Cancelled):
            await watcher.make(orders("steps 3"), card(load_seconds=0.5))
        assert watcher.steps() == []


async def test_what_does_not_fit_is_refused_before_it_is_loaded(home: Path) -> None:
    huge = card()
    memory = huge.studio.memory.model_copy(update={"weights": 1e9})
    huge = type(huge)("huge", huge.studio.model_copy(update={"memory": memory}), {}, "")
    async with open_lane(home) as watcher:
        with pytest.raises(OutOfMemory, match="1000000"):
            await watcher.make(orders("die"), huge)
        assert watcher.events == []


async def test_what_runs_out_of_memory_is_tried_again_without_the_other_models(home: Path) -> None:
    async with open_lane(home) as watcher:
        await watcher.make(orders("calm"), card("other"))
        made = await watcher.make(orders("calm", "starve", "calm"))
        assert [one.order.index for one in made] == [0, 1, 2], "each once, and in order"
        assert len({one.place for one in made}) == 3
        # What it wrote is written anew, as watchers hear by this, though it was not loaded anew.
        told = [event for _, event in watcher.events if isinstance(event, Loading)]
        assert told == [Loading("other"), Loading("trouble"), Loading("trouble")]
        state = watcher.lane.state
        assert state.resident == ("trouble",)
        (kept,) = state.kept
        assert (kept.name, kept.placement, kept.host_bytes) == ("trouble", "full", 0)
        assert kept.device_bytes == 1_000_000
        assert 0 <= kept.unused < 20
        assert [(gone.name, gone.why) for gone in state.evictions] == [
            ("other", "made room for trouble")
        ]


async def test_out_of_memory_with_nothing_to_evict_is_said_and_the_child_lives_on(
    home: Path,
) -> None:
    async with open_lane(home) as watcher:
        with pytest.raises(OutOfMemory, match="no memory left"):
            await watcher.make(orders("starve"))
        pid = watcher.lane.state.pid
        assert len(await watcher.make(orders("calm"))) == 1
        assert watcher.lane.state.pid == pid


async def test_warming_loads_and_makes_nothing(home: Path) -> None:
    async with open_lane(home) as watcher:
        await watcher.lane.warm(card(), Path("/nowhere"), "1")
        assert watcher.lane.state.resident == ("trouble",)
        assert list((home / "spool" / "0").iterdir()) == []
        await watcher.make(orders("steps 1"))
        assert Loading("trouble") not in [event for _, event in watcher.events]


async def test_an_idle_child_ends_and_the_next_batch_gets_another(home: Path) -> None:
    async with open_lane(home, idle_seconds=0.3) as watcher:
        await watcher.make(orders("steps 1"))
        pid = watcher.lane.state.pid
        assert pid is not None
        await until(lambda: watcher.lane.state.pid is None)
        await until(lambda: not Path(f"/proc/{pid}").exists())
        assert watcher.lane.state.resident == ()
        assert len(await watcher.make(orders("steps 1"))) == 1


async def test_leaving_the_iteration_ends_the_child(home: Path) -> None:
    async def nothing() -> None:
        pass

    async with open_lane(home) as watcher:
        batch: list[Order] = orders("", "steps 600")
        drafts = watcher.lane.generate(
            card(), Path("/nowhere"), "1", batch, tell=lambda *_: None, begun=nothing
        )
        await anext(drafts)
        pid = watcher.lane.state.pid
        await drafts.aclose()
        assert watcher.lane.state.pid is None
        await until(lambda: not Path(f"/proc/{pid}").exists())
        assert len(await watcher.make(orders("steps 1"))) == 1


async def test_a_device_that_is_not_there_is_named(home: Path) -> None:
    async with open_lane(home, device="cuda:9") as watcher:
        with pytest.raises(Unavailable, match="cuda:9"):
            await watcher.make(orders(""))


async def test_a_lane_can_be_closed_unused(home: Path) -> None:
    from studio.settings import Settings

    lane = Lane(Settings(home=home))
    await lane.start()
    await lane.close()
    assert list(home.iterdir()) == []
