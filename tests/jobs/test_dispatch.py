"""The host's working day: real DBOS, real sealing, and a lane without a device."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from studio.artifacts import Artifact, artifact_id
from studio.draft import Draft
from studio.errors import (
    Broken,
    InvalidRequest,
    NotFound,
    OutOfMemory,
    Refused,
    Unavailable,
)
from studio.host import Host
from studio.job import Done, Event, Failed, JobState, Paused, Sealed, Step
from studio.provenance.seal import Sealer
from studio.tasks.request import MAX_SEED
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, fake_host, finished, heard, run, settings_for, until, write_cards


def test_an_order_becomes_signed_files(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", {**SMALL, "count": 3, "seed": 41})
            events = await heard(client, job.id)
            assert [type(event) for event in events].count(Sealed) == 3
            job = await client.job(job.id)
            assert events[-1] == Done(job.artifacts)
            assert job.state is JobState.DONE
            assert [order.seed for batch in lane.batches for order in batch] == [41, 42, 43]
            for index, artifact in enumerate(job.artifacts):
                found = await client.artifact(artifact)
                assert (found.note.index, found.note.seed) == (index, 41 + index)
                path = await client.fetch(artifact)
                assert (await client.verify(path)).outcome == "signed"
            assert {a.id for a in await client.artifacts()} == set(job.artifacts)

    run(test)


def test_a_seed_is_drawn_once_and_kept(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            client = host.client("ann")
            seeds = [(await client.submit("imagine", SMALL)).request["seed"] for _ in range(3)]
            assert len(set(seeds)) == 3
            assert all(0 <= seed <= MAX_SEED for seed in seeds)
            with pytest.raises(InvalidRequest, match="seed"):
                await client.submit("imagine", {**SMALL, "seed": MAX_SEED, "count": 2})

    run(test)


WRONG: list[dict[str, Any]] = [
    {},
    {"prompt": "   "},
    {"prompt": "x" * 10_000},
    {"prompt": "a\0b"},
    {"prompt": "\u202eabc"},
    {"prompt": "x", "count": 10**9},
    {"prompt": "x", "width": 100},
    {"prompt": "x", "guidance": float("nan")},
    {"prompt": "x", "steps": True},
    {"prompt": "x", "colour": "red"},
]


def test_what_is_wrong_is_refused_before_anything_is_stored(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        async with host:
            client = host.client("ann")
            for values in WRONG:
                with pytest.raises(InvalidRequest):
                    await client.submit("imagine", values)
            with pytest.raises(NotFound, match="no model called"):
                await client.submit("imagine", {"prompt": "x", "model": "none"})
            with pytest.raises(NotFound, match="no task called"):
                await client.submit("sing", {"prompt": "x"})
            with pytest.raises(Refused):
                await client.submit("imagine", {"prompt": "a nude child"})
            assert await client.jobs() == []
            assert lane.batches == []

    run(test)


def test_the_same_key_is_the_same_job(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            jobs = await asyncio.gather(*(ann.submit("imagine", SMALL, key="k") for _ in range(5)))
            assert len({(job.id, job.request["seed"]) for job in jobs}) == 1
            await finished(ann, jobs[0].id)
            assert (await ann.submit("imagine", SMALL, key="k")).state is JobState.DONE
            assert (await bob.submit("imagine", SMALL, key="k")).id != jobs[0].id
            assert (await ann.submit("imagine", SMALL, key="l")).id != jobs[0].id
            with pytest.raises(InvalidRequest, match="key"):
                await ann.submit("imagine", {**SMALL, "prompt": "other"}, key="k")
        host, _ = fake_host(home)
        async with host:
            again = await host.client("ann").submit("imagine", SMALL, key="k")
            assert again.id == jobs[0].id

    run(test)


def test_nobody_sees_what_is_somebody_elses(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            done = await finished(ann, (await ann.submit("imagine", SMALL)).id)
            artifact = done.artifacts[0]
            lane.go.clear()
            waiting = await ann.submit("imagine", SMALL)
            await until(lambda: host.dispatcher.holds(waiting.id))
            for attempt in (
                lambda: bob.job(done.id),
                lambda: bob.cancel(waiting.id),
                lambda: heard(bob, done.id),
                lambda: bob.jobs(before=done.id),
                lambda: bob.artifact(artifact),
                lambda: bob.fetch(artifact),
                lambda: bob.artifacts(before=artifact),
            ):
                with pytest.raises(NotFound):
                    await attempt()
            assert await bob.jobs() == await bob.artifacts() == []
            places = await bob.queue()
            assert [(place.job, place.task) for place in places] == [(None, "text-to-image")]
            assert [place.job and place.job.id for place in await ann.queue()] == [waiting.id]
            lane.go.set()
            assert (await finished(ann, waiting.id)).state is JobState.DONE

    run(test)


def test_what_is_no_id_is_not_found(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            client = host.client("ann")
            for attempt in (client.job, client.cancel, client.artifact, client.fetch):
                for unknown in ("0" * 32, "", "../x", "a\0", "'; DROP TABLE", "\ud800"):
                    with pytest.raises(NotFound):
                        await attempt(unknown)

    run(test)


def test_an_error_that_may_pass_is_tried_once_more(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[Broken("died"), None])
        async with host:
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            assert job.state is JobState.DONE
            assert len(lane.batches) == 2

    run(test)


def test_an_error_that_stays_fails_the_job_and_says_why(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[Broken("died"), Broken("died again"), None])
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            last = (await heard(client, job.id))[-1]
            job = await client.job(job.id)
            assert isinstance(last, Failed)
            assert (job.state, job.attempts, job.error) == (JobState.FAILED, 2, last.error)
            assert last.error["message"] == "died again"
            assert (await finished(client, (await client.submit("imagine", SMALL)).id)).artifacts
            assert len(lane.batches) == 3

    run(test)


def test_an_error_that_cannot_pass_is_not_tried_again(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[OutOfMemory()])
        async with host:
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            assert job.error is not None
            assert job.error["error"] == "OutOfMemory"
            assert len(lane.batches) == 1

    run(test)


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


def test_owners_take_turns_and_priority_goes_first(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        lane.go.clear()
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            jobs = [await ann.submit("imagine", SMALL)]
            await until(lambda: lane.batches)
            jobs += [await ann.submit("imagine", SMALL) for _ in range(2)]
            jobs.append(await bob.submit("imagine", SMALL))
            jobs.append(await ann.submit("imagine", SMALL, priority=1))
            await until(lambda: len(host.dispatcher.queue()) == 5)
            lane.go.set()
            for job in jobs:
                await finished(ann if job.owner == "ann" else bob, job.id)
            ran = [order.job for batch in lane.batches for order in batch]
            a1, a2, a3, b1, urgent = (job.id for job in jobs)
            assert ran == [a1, urgent, b1, a2, a3]

    run(test)


def test_jobs_alike_share_a_batch_if_their_card_says_so(home: Path) -> None:
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


def test_closing_and_opening_again_loses_nothing_and_repeats_nothing(home: Path) -> None:
    async def before() -> list[str]:
        host, _ = fake_host(home, steps=5, seconds=0.02)
        async with host:
            client = host.client("ann")
            jobs = [await client.submit("imagine", {**SMALL, "count": 3}) for _ in range(3)]
            async for event in client.events(jobs[0].id):
                if isinstance(event, Step) and event.index == 1:
                    break
        return [job.id for job in jobs]

    async def after(ids: list[str]) -> None:
        host, lane = fake_host(home)
        async with host:
            client = host.client("ann")
            jobs = [await finished(client, job) for job in ids]
            assert [job.state for job in jobs] == [JobState.DONE] * 3
            assert len({artifact for job in jobs for artifact in job.artifacts}) == 9
            made = [(order.job, order.index) for batch in lane.batches for order in batch]
            assert (ids[0], 0) not in made, "it was finished before"
            assert len(made) == len(set(made)) == 8
            assert jobs[0].attempts == 1, "closing the studio was not the job's fault"

    ids = asyncio.run(before())
    run(lambda: after(ids))


def test_a_job_that_was_begun_too_often_is_given_up(home: Path) -> None:
    async def before() -> str:
        host, _ = fake_host(home, steps=1000, seconds=0.05)
        async with host:
            job = await host.client("ann").submit("imagine", SMALL)
            await until(lambda: [one.attempts for one, _ in host.dispatcher.queue()] == [1])
            # As if the host had died this often: its own end is not counted.
            await host.jobs.count(job.id, 5)
            host.dispatcher._line[job.id].begun = False
        return job.id

    async def after(job_id: str) -> None:
        host, lane = fake_host(home)
        async with host:
            job = await finished(host.client("ann"), job_id)
            assert job.state is JobState.FAILED
            assert job.error is not None
            assert "begun 5 times" in job.error["message"]
            assert lane.batches == []

    job_id = asyncio.run(before())
    run(lambda: after(job_id))


def test_a_full_disk_pauses_jobs_and_loses_none(home: Path) -> None:
    async def before() -> str:
        settings = settings_for(home, spare_bytes=10**18)
        write_cards(home)
        lane = FakeLane(settings)
        async with Host(settings, lane=lane) as host:
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            async for event in client.events(job.id):
                if isinstance(event, Paused):
                    assert str(home) in event.hint
                    break
            assert (await client.job(job.id)).state is JobState.WAITING
            assert lane.batches == []
        return job.id

    async def after(job: str) -> None:
        host, _ = fake_host(home)
        async with host:
            assert (await finished(host.client("ann"), job)).state is JobState.DONE

    job = asyncio.run(before())
    run(lambda: after(job))


def test_what_cannot_be_sealed_fails_the_job_and_is_not_published(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home, seconds=0.1)
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            # A folder where the output's file has to be.
            name = artifact_id(job.id, 0)
            (home / "artifacts" / name[:2] / f"{name}.png" / "in the way").mkdir(parents=True)
            job = await finished(client, job.id)
            assert job.state is JobState.FAILED
            assert job.error is not None
            assert job.error["error"] == "SealFailed"
            assert await client.artifacts() == []
            assert not list((home / "spool").rglob("*.npy"))
            assert (await finished(client, (await client.submit("imagine", SMALL)).id)).artifacts

    run(test)


def test_what_could_not_be_sealed_for_now_is_made_again(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        async with host:
            host.dispatcher._sealer = FullOnce(host.provenance.sealer)  # type: ignore[assignment]
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", {**SMALL, "count": 2})).id)
            assert job.state is JobState.DONE
            assert len(job.artifacts) == 2
            made = [order.index for batch in lane.batches for order in batch]
            assert sorted(made) == [0, 0, 1]

    run(test)


class FullOnce:
    """A sealer that meets a full disk at its first output."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._full = True

    def seal(self, draft: Draft, **how: Any) -> Artifact:
        if self._full:
            self._full = False
            raise Unavailable("The disk is full.", retry=True)
        return self._sealer.seal(draft, **how)


def test_nobody_may_have_too_many_waiting(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home, max_waiting=2)
        write_cards(home)
        lane = FakeLane(settings)
        lane.go.clear()
        async with Host(settings, lane=lane) as host:
            ann, bob = host.client("ann"), host.client("bob")
            await ann.submit("imagine", SMALL)
            await ann.submit("imagine", SMALL, key="k")
            await until(lambda: host.dispatcher.unfinished("ann") == 2)
            with pytest.raises(Unavailable) as refused:
                await ann.submit("imagine", SMALL)
            assert refused.value.retry
            await ann.submit("imagine", SMALL, key="k")
            await bob.submit("imagine", SMALL)

    run(test)


def test_a_home_has_one_host(home: Path) -> None:
    async def test() -> None:
        first, _ = fake_host(home)
        async with first:
            with pytest.raises(Unavailable, match="in use by process"):
                await fake_host(home)[0].__aenter__()
        async with fake_host(home)[0]:
            pass

    run(test)


def test_the_hosts_loop_is_never_blocked(home: Path) -> None:
    from blockbuster import blockbuster_ctx

    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            client = host.client("ann")
            with blockbuster_ctx("studio"):
                job = await client.submit("imagine", {**SMALL, "count": 2}, key="k")
                await client.cancel((await client.submit("imagine", SMALL)).id)
                job = await finished(client, job.id)
                await client.verify(await client.fetch(job.artifacts[0]))
                await client.jobs()
                await client.artifacts()
                await client.queue()
                await client.cards()
                await client.fields("imagine", "noise")

    run(test)
