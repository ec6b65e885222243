"""Watchers: late, slow, many."""

from __future__ import annotations

import asyncio

import pytest

from studio.errors import Unavailable
from studio.job import Done, Event, Loading, Preview, Queued, Sealed, Step, TextDelta
from studio.watch import Watchers
from tests.hosts import run

PREVIEW = Preview(1, 1, b"rgb")


async def all_of(watchers: Watchers, job: str = "j") -> list[Event]:
    with watchers.watch(job) as watcher:
        return [event async for event in watcher]


def test_everyone_hears_everything_to_the_last() -> None:
    async def test() -> None:
        watchers = Watchers()
        listening = [asyncio.create_task(all_of(watchers)) for _ in range(3)]
        told = [Queued(1), Queued(0), Loading("card"), Sealed(0, "a"), Done(("a",))]
        await asyncio.sleep(0)
        for event in told:
            watchers.tell("j", event)
            watchers.tell("other", event)
            await asyncio.sleep(0.01)
        assert await asyncio.gather(*listening) == [told] * 3

    run(test)


def test_who_comes_late_hears_how_far_it_is() -> None:
    async def test() -> None:
        watchers = Watchers()
        for event in (
            Queued(3),
            TextDelta("Once ", 0),
            TextDelta("there", 1),
            TextDelta("upon", 0),
            Step(1, 9, 0, PREVIEW),
            Step(2, 9, 0),
            Sealed(4, "a"),
        ):
            watchers.tell("j", event)
        with watchers.watch("j") as watcher:
            events = aiter(watcher)
            so_far = [await anext(events) for _ in range(4)]
        assert so_far == [
            Sealed(4, "a"),
            Step(2, 9, 0, PREVIEW),
            TextDelta("Once upon", 0),
            TextDelta("there", 1),
        ]

    run(test)


def test_who_reads_slowly_misses_steps_and_no_words() -> None:
    async def test() -> None:
        watchers = Watchers()
        with watchers.watch("j") as watcher:
            for ahead in range(1000, -1, -1):
                watchers.tell("j", Queued(ahead))
            for number in range(1000):
                watchers.tell("j", Step(number, 1000, 0, PREVIEW if number == 500 else None))
            for _ in range(1000):
                watchers.tell("j", TextDelta("la", 0))
            watchers.tell("j", Step(0, 1000, 1))
            watchers.tell("j", Done(()))
            heard = [event async for event in watcher]
        assert heard == [
            Queued(0),
            Step(999, 1000, 0, PREVIEW),
            TextDelta("la" * 1000, 0),
            Step(0, 1000, 1),
            Done(()),
        ]

    run(test)


def test_what_nobody_needs_is_forgotten() -> None:
    async def test() -> None:
        watchers = Watchers()
        with watchers.watch("unknown"):
            pass
        watchers.tell("j", Queued(0))
        watchers.tell("j", Done(()))
        assert not watchers._scenes

    run(test)


def test_an_owner_may_watch_so_many_and_others_as_many_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("studio.watch.MOST_STREAMS", 2)
    watchers = Watchers()
    with watchers.watch("a", "ann"), watchers.watch("b", "bob"):
        with watchers.watch("b", "ann"), pytest.raises(Unavailable) as refused:
            watchers.watch("c", "ann").__enter__()
        assert refused.value.retry
        with watchers.watch("c", "ann"):
            pass
    assert not watchers._scenes, "nothing is kept of what nobody watches"


def test_a_text_that_is_begun_again_is_told_once() -> None:
    async def test() -> None:
        watchers = Watchers()
        with watchers.watch("j") as slow:
            for event in (TextDelta("Hel"), Loading("card"), TextDelta("Hel"), TextDelta("lo")):
                watchers.tell("j", event)
            assert watchers.written("j") == "Hello"
            with watchers.watch("j") as late:
                watchers.tell("j", Done(()))
                for watcher in (slow, late):
                    heard = [event async for event in watcher]
                    assert heard == [Loading("card"), TextDelta("Hello"), Done(())]

    run(test)
