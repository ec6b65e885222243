"""A job on its way: watching it and stopping it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from studio.job import Event, Failed, JobState, Sealed, Step
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
