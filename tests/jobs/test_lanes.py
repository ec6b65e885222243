"""Several devices in one studio: each takes from the one line what it may run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from studio.host import Host
from studio.job import JobState, Step
from studio.worker.machine import devices_of
from studio.worker.report import LaneState
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, finished, heard, run, settings_for, until, write_cards


def test_two_lanes_work_at_once_on_one_line(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home)
        write_cards(home)
        lanes = [FakeLane(settings, number=number) for number in range(2)]
        for lane in lanes:
            lane.go.clear()
        async with Host(settings, lanes=lanes) as host:
            client = host.client("ann")
            jobs = [await client.submit("imagine", SMALL) for _ in range(4)]
            await until(lambda: len(host.dispatcher.queue()) == 4)
            await until(lambda: lanes[0].batches and lanes[1].batches)
            assert [turn.place for turn in host.dispatcher.queue()] == [0, 0, 1, 2]
            lanes[1].go.set()
            await until(lambda: len(lanes[1].batches) == 3)
            assert len(lanes[0].batches) == 1, "the other one waits for nobody"
            lanes[0].go.set()
            for job in jobs:
                assert (await finished(client, job.id)).state is JobState.DONE
            ran = [order.job for lane in lanes for batch in lane.batches for order in batch]
            assert sorted(ran) == sorted(job.id for job in jobs), "each once"

    run(test)


def test_a_lane_that_takes_several_batches_gets_them(home: Path) -> None:
    class Wide(FakeLane):
        at_once = 3

    async def test() -> None:
        settings = settings_for(home)
        write_cards(home)
        lane = Wide(settings)
        lane.go.clear()
        async with Host(settings, lanes=[lane]) as host:
            client = host.client("ann")
            jobs = [await client.submit("imagine", SMALL) for _ in range(4)]
            await until(lambda: len(lane.batches) == 3)
            lane.go.set()
            for job in jobs:
                assert (await finished(client, job.id)).state is JobState.DONE

    run(test)


class Device(FakeLane):
    """A lane that says it is some device."""

    device = "cuda:0"

    @property
    def state(self) -> LaneState:
        return LaneState(self.device, resident=self._resident)


class Processor(Device):
    device = "cpu"


def test_a_card_says_where_it_may_run(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home)
        write_cards(home)
        for name, devices in (("small", "[cpu]"), ("apple", "[mps]")):
            text = (home / "model_cards" / "noise.md").read_text()
            path = home / "model_cards" / f"{name}.md"
            path.write_text(text.replace("  memory", f"  devices: {devices}\n  memory"))
        lanes = [Device(settings), Processor(settings, number=1)]
        async with Host(settings, lanes=lanes) as host:
            client = host.client("ann")
            for model in ("noise", "small", "noise"):
                await finished(
                    client, (await client.submit("imagine", SMALL | {"model": model})).id
                )
            assert [len(lane.batches) for lane in lanes] == [2, 1]
            apple = await client.submit("imagine", SMALL | {"model": "apple"})
            error = (await finished(client, apple.id)).error
            assert error is not None
            assert error["error"] == "Unavailable"
        async with Host(settings, lanes=lanes[1:]) as host:
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            assert job.state is JobState.DONE, "where there is no accelerator, the processor does"

    run(test)


def test_what_turns_out_to_run_nowhere_is_refused(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home)
        write_cards(home)
        text = (home / "model_cards" / "noise.md").read_text()
        large = text.replace("  memory", "  devices: [cuda]\n  memory")
        (home / "model_cards" / "large.md").write_text(large)
        lane = Device(settings)
        lane.device = "auto"
        lane.go.clear()
        async with Host(settings, lanes=[lane]) as host:
            client = host.client("ann")
            first = await client.submit("imagine", SMALL)
            await until(lambda: lane.batches)
            second = await client.submit("imagine", SMALL | {"model": "large"})
            await until(lambda: len(host.dispatcher.queue()) == 2)
            lane.device = "cpu"
            lane.go.set()
            assert (await finished(client, first.id)).state is JobState.DONE
            error = (await finished(client, second.id)).error
            assert error is not None
            assert (error["error"], len(lane.batches)) == ("Unavailable", 1)

    run(test)


def test_a_running_batch_takes_as_long_as_its_own_device_does(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home)
        write_cards(home)
        path = home / "model_cards" / "noise.md"
        path.write_text(path.read_text().replace("  memory", "  devices: [cpu, cuda]\n  memory"))
        lanes = [Device(settings), Processor(settings, number=1)]
        async with Host(settings, lanes=lanes) as host:
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            for lane in lanes:
                lane.go.clear()
            for device, seconds in (("cuda:0", 10.0), ("cpu", 1000.0)):
                for _ in range(20):
                    host.paces.learn(job, device, 1, seconds)
            jobs = [(await client.submit("imagine", SMALL)).id for _ in range(2)]
            await until(lambda: sum(len(lane.batches) for lane in lanes) == 3)
            left = sorted(turn.seconds or 0.0 for turn in host.dispatcher.queue())
            assert left[0] <= 11
            assert left[1] > 500
            for lane in lanes:
                lane.go.set()
            for identity in jobs:
                await finished(client, identity)

    run(test)


def test_auto_is_every_card_and_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cards = tmp_path / "gpus"
    monkeypatch.setattr("studio.worker.machine._TRACES", [cards])
    monkeypatch.setattr("sys.platform", "linux")
    assert devices_of(["auto"], cards) == ["cpu"], "without a driver there is nothing to find out"
    cards.mkdir()
    assert devices_of(["auto"], cards) == ["auto"], "the child finds out"
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (cards / name).mkdir(parents=True)
    assert devices_of(["auto"], cards) == ["cuda:0", "cuda:1", "cpu"]
    assert devices_of(["cuda:1", "cpu"], cards) == ["cuda:1", "cpu"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert devices_of(["auto"], cards) == ["cuda:0", "cpu"]


@pytest.mark.starter
@pytest.mark.fault
def test_a_child_that_is_killed_leaves_the_other_undisturbed(home: Path) -> None:
    """Two real children with the starter model, side by side on the processor."""

    async def test() -> None:
        settings = settings_for(home, devices=("cpu", "cpu"))
        async with Host(settings) as host:
            client = host.client("ann")
            order = {"prompt": "a yellow star", "model": "starter-pictures", "steps": 50}
            jobs = [await client.submit("imagine", order) for _ in range(2)]
            for job in jobs:
                async for event in client.events(job.id):
                    if isinstance(event, Step):
                        break
            pids = [lane.state.pid for lane in host.lanes]
            assert None not in pids
            assert pids[0] != pids[1]
            os.kill(pids[0], signal.SIGKILL)  # type: ignore[arg-type]
            for job in jobs:
                await heard(client, job.id)
                assert (await client.job(job.id)).state is JobState.DONE
            assert host.lanes[1].state.pid == pids[1]
            assert host.lanes[0].state.pid != pids[0]

    run(test)
