"""The line: whose turn it is, what shares a batch, changing places, and how long it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.draft import Draft
from studio.errors import Cancelled, InvalidRequest, NotFound, OutOfMemory, Refused
from studio.families import Order
from studio.host import Host
from studio.job import JobState
from studio.line import Line
from studio.pace import kind_of
from studio.sealers import SEALERS
from studio.settings import Settings
from studio.worker.report import Made
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, fake_host, finished, run, settings_for, until, write_cards


def test_owners_take_turns_and_priority_goes_first(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            ann, bob, operator = (host.client(owner) for owner in ("ann", "bob", "local"))
            jobs = [await ann.submit("imagine", SMALL)]
            await until(lambda: lane.batches)
            # Whoever does not run the studio cannot put themselves before others.
            jobs += [await ann.submit("imagine", SMALL, priority=5) for _ in range(2)]
            jobs.append(await bob.submit("imagine", SMALL))
            jobs.append(await operator.submit("imagine", SMALL, priority=1))
            await until(lambda: len(host.dispatcher.queue()) == 5)
            lane.go.set()
            for job in jobs:
                await finished(host.client(job.owner), job.id)
            ran = [order.job for batch in lane.batches for order in batch]
            a1, a2, a3, b1, urgent = (job.id for job in jobs)
            assert ran == [a1, urgent, b1, a2, a3]

    run(test)


def test_nobody_is_charged_for_the_time_in_which_an_output_waits_to_be_sealed(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        async with host:
            ann = host.client("ann")
            sealers = host.dispatcher._sealers._free
            for _ in range(SEALERS):
                await sealers.acquire()
            job = await ann.submit("imagine", SMALL | {"count": 2})
            await until(lambda: lane.batches)
            await asyncio.sleep(1.5)
            for _ in range(SEALERS):
                sealers.release()
            await until(lambda: len(lane.batches) == 2)
            assert host.dispatcher._line._served["ann"] < 1.5
            await finished(ann, job.id)

    run(test)


def test_jobs_alike_share_a_batch_once_it_has_proved_faster(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            client = host.client("ann")
            order = {**SMALL, "model": "twins"}
            jobs = [await client.submit("imagine", order)]
            await until(lambda: lane.batches)
            jobs += [
                await client.submit("imagine", {**order, "count": 2}),
                await client.submit("imagine", {**order, "width": 128}),
                await client.submit("imagine", {**order, "prompt": "other", "count": 2}),
            ]
            for size in (1, 1, 2, 2, 3, 3):
                host.paces.learn(jobs[0], "none", size, 1.0)
            await until(lambda: len(host.dispatcher.queue()) == 4)
            lane.go.set()
            for job in jobs:
                assert (await finished(client, job.id)).state is JobState.DONE
            batches = [[jobs.index(client_job(jobs, o.job)) for o in b] for b in lane.batches]
            assert batches == [[0], [1, 1, 3], [2], [3]]
            notes = [(await client.artifact(a.id)).note.batch for a in await client.artifacts()]
            assert sorted(notes) == [1, 1, 1, 3, 3, 3]

    def client_job(jobs: list, job: str) -> object:  # type: ignore[type-arg]
        return next(one for one in jobs if one.id == job)

    run(test)


def test_a_job_can_change_places_with_ones_own(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            first, *own = [(await ann.submit("imagine", SMALL)).id for _ in range(5)]
            his = (await bob.submit("imagine", SMALL)).id
            await until(lambda: len(host.dispatcher.queue()) == 6)
            before = [turn.job.id for turn in host.dispatcher.queue()].index(his)

            async def line() -> list[str]:
                turns = host.dispatcher.queue()
                assert [turn.job.id for turn in turns].index(his) == before, "nobody else moves"
                return [turn.job.id for turn in turns if turn.job.id in own]

            a, b, c, d = own
            await ann.move(d, a)
            assert await line() == [d, a, b, c]
            await ann.move(c, a)
            assert await line() == [d, c, a, b]
            await ann.move(b, a)
            assert await line() == [d, c, b, a]
            await ann.move(d)
            assert await line() == [c, b, a, d]
            for job, ahead in ((a, first), (first, a), (a, his)):
                with pytest.raises((InvalidRequest, NotFound)):
                    await ann.move(job, ahead)
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            await until(lambda: len(host.dispatcher.queue()) == 6)
            # The lane takes whichever it is handed first; all others stand as they did.
            waiting = [turn.job.id for turn in host.dispatcher.queue() if turn.place]
            order = [job for job in (c, b, a, d) if job in waiting]
            assert [job for job in waiting if job in own] == order, "it outlasts the host"
            lane.go.set()
            for job in own:
                await finished(host.client("ann"), job)

    run(test)


def test_what_failed_or_was_stopped_can_be_ordered_again(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[OutOfMemory()])
        async with host:
            ann = host.client("ann")
            failed = await finished(ann, (await ann.submit("imagine", SMALL)).id)
            assert failed.state is JobState.FAILED
            lane.go.clear()
            again = await ann.retry(failed.id)
            assert (again.request, again.task) == (failed.request, failed.task)
            assert (await ann.retry(failed.id)).id == again.id, "pressed twice"
            with pytest.raises(InvalidRequest):
                await ann.retry(again.id)
            with pytest.raises(NotFound):
                await host.client("bob").retry(failed.id)
            await ann.cancel(again.id)
            lane.go.set()
            await finished(ann, again.id)
            third = await finished(ann, (await ann.retry(failed.id)).id)
            assert third.state is JobState.DONE
            assert (await ann.artifact(third.artifacts[0])).note.seed == failed.request["seed"]

    run(test)


def test_whoever_waits_is_told_how_long(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            jobs = [await ann.submit("imagine", {**SMALL, "count": 2}) for _ in range(3)]
            await until(lambda: len(host.dispatcher.queue()) == 3)
            assert [place.starts_in for place in await bob.queue()] == [0.0, None, None]
            lane.go.set()
            for job in jobs:
                await finished(ann, job.id)
            lane.go.clear()
            host.paces.learn(jobs[0], "none", 1, 10.0)
            host.paces.learn(jobs[0], "none", 1, 10.0)
            seconds = host.paces.seconds(kind_of(jobs[0]), "none", 1)
            assert seconds is not None
            jobs = [await ann.submit("imagine", {**SMALL, "count": 2}) for _ in range(3)]
            await until(lambda: len(host.dispatcher.queue()) == 3)
            places = await bob.queue()
            assert [place.seconds for place in places[1:]] == [2 * seconds] * 2
            assert places[1].starts_in == pytest.approx(seconds, abs=1)
            assert places[2].starts_in == pytest.approx(3 * seconds, abs=1)
            lane.go.set()
            for job in jobs:
                await finished(ann, job.id)

    run(test)


def test_an_exact_job_is_made_alone(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            client = host.client("ann")
            order = {**SMALL, "model": "twins", "exact": True, "count": 2}
            jobs = [await client.submit("imagine", order) for _ in range(2)]
            for size in (1, 1, 3, 3):
                host.paces.learn(jobs[0], "none", size, 1.0)
            await until(lambda: len(host.dispatcher.queue()) == 2)
            lane.go.set()
            for job in jobs:
                await finished(client, job.id)
            assert [len(batch) for batch in lane.batches] == [1] * 4
            notes = [(await client.artifact(a.id)).note.batch for a in await client.artifacts()]
            assert notes == [1] * 4

    run(test)


def test_a_batch_that_does_not_fit_is_tried_one_by_one_and_not_again(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[None, None, None, OutOfMemory()])
        async with host:
            client = host.client("ann")
            order = {**SMALL, "model": "twins", "count": 1}
            jobs = [await client.submit("imagine", order) for _ in range(3)]
            for job in jobs:
                await finished(client, job.id)
            many = await finished(
                client, (await client.submit("imagine", {**order, "count": 6})).id
            )
            assert many.state is JobState.DONE
            assert [len(batch) for batch in lane.batches] == [1] * 3 + [2] + [1] * 6

    run(test)


def test_only_what_stands_in_line_changes_places() -> None:
    with pytest.raises(InvalidRequest, match="that wait"):
        Line().move("stored and not here yet", None)


def test_a_model_that_is_removed_ends_the_jobs_that_wait_for_it_and_no_other(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            runs = await ann.submit("imagine", SMALL)
            await until(lambda: lane.batches)
            waits = await ann.submit("imagine", SMALL | {"model": "twins"})
            other = await bob.submit("imagine", SMALL)
            await until(lambda: len(host.dispatcher.queue()) == 3)
            host.catalog.drop("twins")
            assert len(await bob.queue()) == 3
            lane.go.set()
            for client, job in ((ann, runs), (bob, other)):
                assert (await finished(client, job.id)).state is JobState.DONE
            error = (await finished(ann, waits.id)).error
            assert error is not None
            assert (error["error"], len(lane.batches)) == ("NotFound", 2)

    run(test)


def picky(order: Order) -> Draft:
    """What makes anything but what is bad."""
    if order.request["prompt"] == "bad":
        raise Refused("Not this one.", hint="Another.")
    pixels = np.random.default_rng(order.seed).integers(96, 160, (64, 64, 3), dtype=np.uint8)
    return Draft("image", order.index, order.seed, {"pixels": pixels})


def test_one_orders_error_is_nobody_elses_in_its_batch(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, draft=picky)
        lane.go.clear()
        async with host:
            first, *others = [host.client(owner) for owner in ("ann", "bob", "cleo", "dora")]
            order = {**SMALL, "model": "twins"}
            jobs = [await first.submit("imagine", order)]
            await until(lambda: lane.batches)
            for size in (1, 1, 2, 2, 3, 3):
                host.paces.learn(jobs[0], "none", size, 1.0)
            for client, prompt in zip(others, ("good", "bad", "fine"), strict=True):
                jobs.append(await client.submit("imagine", {**order, "prompt": prompt}))
                # One after the other, so that they stand in this order.
                await until(lambda: len(host.dispatcher.queue()) == len(jobs))
            lane.go.set()
            ended = [
                await finished(client, job.id)
                for client, job in zip((first, *others), jobs, strict=True)
            ]
            good, bad = JobState.DONE, JobState.FAILED
            assert [job.state for job in ended] == [good, good, bad, good]
            assert ended[2].error is not None
            assert ended[2].error["message"] == "Not this one."
            # What was made before the error stays made, and each of the rest is alone.
            assert [len(batch) for batch in lane.batches] == [1, 3, 1, 1]

    run(test)


class Halting(FakeLane):
    """A lane that can be stopped once it has made the first output of several."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.halfway = asyncio.Event()

    async def generate(self, *what: Any, **how: Any) -> AsyncGenerator[Made, None]:
        async for made in super().generate(*what, **how):
            yield made
            if made.batch > 1:
                self.halfway.set()
                await until(lambda: self._unwanted)
                raise Cancelled


def test_a_batch_that_was_stopped_halfway_teaches_no_pace(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home)
        write_cards(home)
        lane = Halting(settings)
        async with Host(settings, lanes=[lane]) as host:
            client = host.client("ann")
            order = {**SMALL, "model": "twins"}
            job = await finished(client, (await client.submit("imagine", order)).id)
            for size in (1, 1, 2, 2, 3, 3):
                host.paces.learn(job, "none", size, 1.0)
            many = await client.submit("imagine", {**order, "count": 3})
            await lane.halfway.wait()
            await client.cancel(many.id)
            assert (await finished(client, many.id)).state is JobState.CANCELLED
            await until(lambda: all(berth.seconds == 0.0 for berth in host.dispatcher._berths))
            assert [speed.runs for speed in host.paces.speeds("none")] == [2, 2, 2]

    run(test)
