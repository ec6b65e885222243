"""Orders: what is accepted, what is refused, and who may see what became of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from studio.errors import (
    InvalidRequest,
    NotFound,
    Refused,
    Unavailable,
)
from studio.host import Host
from studio.job import Done, JobState, Sealed
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


def test_nobody_may_have_too_many_waiting(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home, max_waiting=2)
        write_cards(home)
        lane = FakeLane(settings)
        lane.go.clear()
        async with Host(settings, lanes=[lane]) as host:
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


def test_a_key_means_its_job_whatever_became_of_the_card(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            first = await host.client("ann").submit("imagine", SMALL, key="k")
        folder = home / "model_cards"
        (folder / "noise.md").rename(folder / "other.md")
        async with Host(settings_for(home), lanes=[FakeLane(settings_for(home))]) as host:
            ann = host.client("ann")
            with pytest.raises(NotFound, match="no model called"):
                await ann.submit("imagine", SMALL, key="new")
            assert (await ann.submit("imagine", SMALL, key="k")).id == first.id

    run(test)


def test_a_key_means_the_values_as_they_were_sent(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            ann = host.client("ann")
            job = await ann.submit("imagine", SMALL, key="k")
            # The very request that it came to, and yet not what was asked: the seed was drawn.
            with pytest.raises(InvalidRequest, match="key"):
                await ann.submit("imagine", job.request, key="k")
            shuffled = dict(reversed(SMALL.items()))
            assert (await ann.submit("text-to-image", shuffled, key="k")).id == job.id

    run(test)


def test_many_orders_at_once_cannot_pass_the_limit_together(home: Path) -> None:
    async def test() -> None:
        settings = settings_for(home, max_waiting=3)
        write_cards(home)
        lane = FakeLane(settings)
        lane.go.clear()
        async with Host(settings, lanes=[lane]) as host:
            ann = host.client("ann")
            sent = [ann.submit("imagine", SMALL) for _ in range(12)]
            answers = await asyncio.gather(*sent, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, Unavailable)]
            assert len(refused) == 9
            assert len(await ann.jobs()) == 3

    run(test)
