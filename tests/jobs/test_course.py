"""A job on its way: watching it and stopping it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from studio.inputs import Inputs, Opened
from studio.job import Event, Failed, Job, JobState, Sealed, Step
from tests.hosts import SMALL, fake_host, finished, heard, run, until


def test_a_waiting_job_that_is_cancelled_never_starts(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            client = host.client("ann")
            first = await client.submit("imagine", SMALL)
            await until(lambda: lane.batches)
            second = await client.submit("imagine", SMALL)
            assert (await client.cancel(second.id)).state is JobState.CANCELLED
            last = (await heard(client, second.id))[-1]
            assert isinstance(last, Failed)
            assert last.error["error"] == "Cancelled"
            lane.go.set()
            await finished(client, first.id)
            assert [order.job for batch in lane.batches for order in batch] == [first.id]
            assert (await client.cancel(first.id)).state is JobState.DONE, "done stays done"

    run(test)


def test_a_running_job_stops_within_a_step_and_keeps_what_is_finished(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, steps=200, seconds=0.01)
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", {**SMALL, "count": 3})
            async for event in client.events(job.id):
                if isinstance(event, Step) and event.index == 1:
                    await client.cancel(job.id)
                    break
            async with asyncio.timeout(1.5):
                job = await finished(client, job.id)
            assert job.state is JobState.CANCELLED
            assert len(job.artifacts) == 1
            path = await client.fetch(job.artifacts[0])
            assert (await client.verify(path)).outcome == "signed"
            assert len(lane.batches) == 2

    run(test)


def test_a_watcher_can_come_late_or_again(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home, steps=10, seconds=0.03)
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", {**SMALL, "count": 2})

            async def first(kind: type[Event]) -> Event:
                async for event in client.events(job.id):
                    if isinstance(event, kind):
                        return event
                raise AssertionError(f"no {kind.__name__}")

            assert isinstance(await first(Step), Step)
            late = await heard(client, job.id)
            assert isinstance(late[0], Step), "it begins with how far the job is"
            assert [type(event) for event in late].count(Sealed) == 2
            assert await heard(client, job.id) == late[-1:]

    run(test)


def test_what_is_cancelled_just_before_its_batch_begins_never_begins(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        async with host:
            gap = Gap(host.inputs)
            host.dispatcher._inputs = gap  # type: ignore[assignment]
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            await until(gap.reached.is_set)
            assert (await client.job(job.id)).state is JobState.RUNNING, "a lane has it already"
            await client.cancel(job.id)
            gap.passable.set()
            assert (await finished(client, job.id)).state is JobState.CANCELLED
            assert lane.batches == []

    run(test)


class Gap:
    """The inputs of a host, which open when they are allowed to."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.reached = threading.Event()
        self.passable = threading.Event()

    def open(self, job: Job) -> Opened:
        self.reached.set()
        assert self.passable.wait(10)
        return self._inputs.open(job)

    def close(self, job: str) -> None:
        self._inputs.close(job)
