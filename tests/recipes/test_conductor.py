"""Runs end with every row made once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.client import Client
from studio.errors import InvalidRequest, NotFound, Refused
from studio.fields import Value
from studio.job import JobState
from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import Line, Made, Run, RunState, StepState
from studio.recipes.store import RunStore
from studio.runs import Begun, Plan
from tests.hosts import fake_host, run, until

ORDER: dict[str, Value] = {"model": "noise", "width": 64, "height": 64}
BATCH = Plan("icons", task="text-to-image", defaults=ORDER)

CHAIN = Recipe.read(
    """
name: chain
inputs: {subject: {default: a boat}, more: {type: boolean, default: true}}
steps:
  first: {task: imagine, with: {model: noise, prompt: "{subject}", width: 64, height: 64}}
  second:
    task: imagine
    when: "{more}"
    with: {model: noise, prompt: again, seed: "{first.seed}", width: 64, height: 64}
  third: {task: imagine, with: {model: noise, prompt: "{second}", width: 64, height: 64}}
"""
)


def rows(count: int) -> list[Row]:
    """So many orders."""
    return [Row(place + 2, {"prompt": f"star {place}"}) for place in range(count)]


async def ended(client: Client, begun: Begun | Run) -> Run:
    """The run, once it goes on no more."""
    identity = begun.run.id if isinstance(begun, Begun) else begun.id
    async with asyncio.timeout(30):
        while (found := await client.run(identity)).state is RunState.RUNNING:
            await asyncio.sleep(0.02)
    return found


def made(lines: list[Line]) -> list[str]:
    """All outputs of the lines."""
    return [artifact for line in lines for artifact in line.artifacts]


def test_a_batch_makes_every_row_once(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            found = await ended(client, await client.begin(BATCH, rows(20), key="k"))
            assert (found.total, found.done, found.failed) == (20, 20, 0)
            again = await client.begin(BATCH, rows(20), key="k")
            assert again.run == found
            lines = await client.lines(found.id)
            assert [line.line for line in lines] == list(range(2, 22))
            assert len(set(made(lines))) == len(await client.artifacts(limit=100)) == 20

    run(test)


def test_wrong_rows_are_named_with_their_lines_and_nothing_begins(tmp_path: Path) -> None:
    wrong = [
        *rows(1),
        Row(3, {"prompt": "x", "steps": "many"}),
        Row(4, {"prompt": "x", "colour": "red"}),
        Row(5, {"prompt": "x", "task": "paint"}),
        Row(6, {"prompt": " "}),
    ]

    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            with pytest.raises(InvalidRequest) as caught:
                await client.begin(BATCH, wrong)
            for line in ("line 3: steps", "line 4: ", "line 5: ", "line 6: prompt"):
                assert line in caught.value.message
            assert await client.runs() == []
            begun = await client.begin(replace(BATCH, skip_bad=True), wrong)
            assert (begun.run.total, len(begun.problems)) == (1, 4)
            dry = await client.begin(replace(BATCH, dry=True), rows(3))
            assert dry.run.total == 3
            assert len(await client.runs()) == 1
            with pytest.raises(InvalidRequest, match="nothing to make"):
                await client.begin(BATCH, [])

    run(test)


def test_a_recipe_passes_on_what_its_steps_have_made(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            begun = await client.begin(Plan("chain", recipe=CHAIN), [Row(1, {"subject": "a sun"})])
            await ended(client, begun)
            (line,) = await client.lines(begun.run.id)
            first, second, third = [await client.job(step.job or "") for step in line.steps]
            assert first.request["prompt"] == "a sun"
            assert second.request["seed"] == first.request["seed"]
            assert third.request["prompt"] == second.artifacts[0]
            assert await client.recipe(begun.run.id) == CHAIN

    run(test)


def test_a_condition_leaves_out_its_step_and_what_needs_it(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            begun = await client.begin(Plan("chain", recipe=CHAIN), [Row(1, {"more": False})])
            found = await ended(client, begun)
            (line,) = await client.lines(found.id)
            assert [step.state for step in line.steps] == ["done", "skipped", "skipped"]
            assert (found.done, found.failed) == (1, 0)

    run(test)


def test_a_failed_row_spares_the_others_and_can_be_ordered_anew(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path, errors=[None, Refused("Not this one.", hint="Another.")])
        async with host:
            client = host.client("local")
            found = await ended(client, await client.begin(BATCH, rows(4)))
            assert (found.done, found.failed) == (3, 1)
            (bad,) = await client.lines(found.id, state=StepState.FAILED)
            assert bad.error is not None
            before = made(await client.lines(found.id))
            found = await ended(client, await client.resume_run(found.id))
            assert (found.done, found.failed) == (4, 0)
            assert set(before) < set(made(await client.lines(found.id)))

    run(test)


def test_a_step_is_ordered_anew_with_all_that_needs_it(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            found = await ended(client, await client.begin(Plan("chain", recipe=CHAIN), rows_of()))
            (before,) = await client.lines(found.id)
            found = await ended(client, await client.redo(found.id, 0, "second"))
            (after,) = await client.lines(found.id)
            same = [
                x.artifacts == y.artifacts for x, y in zip(before.steps, after.steps, strict=True)
            ]
            assert same == [True, False, False]
            assert (found.done, found.failed) == (1, 0)
            with pytest.raises(NotFound, match="no step 'fourth'"):
                await client.redo(found.id, 0, "fourth")

    def rows_of() -> list[Row]:
        return [Row(1, {})]

    run(test)


def test_a_stopped_run_stops_its_jobs_and_goes_on_later(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            lane.go.clear()
            begun = await client.begin(BATCH, rows(5))
            await until(lambda: lane.batches)
            stopped = await client.stop_run(begun.run.id)
            assert stopped.state is RunState.STOPPED
            lane.go.set()
            assert all(job.state.final for job in await client.jobs())
            found = await ended(client, await client.resume_run(begun.run.id))
            assert (found.done, found.failed) == (5, 0)

    run(test)


def test_a_host_that_closes_in_between_makes_nothing_twice(tmp_path: Path) -> None:
    async def test() -> None:
        identity = ""
        for _ in range(4):
            host, _ = fake_host(tmp_path)
            async with host:
                client = host.client("local")
                if not identity:
                    identity = (await client.begin(BATCH, rows(30))).run.id
                await asyncio.sleep(0.3)
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            found = await ended(client, await client.run(identity))
            assert (found.done, found.failed) == (30, 0)
            assert len(await client.artifacts(limit=100)) == 30

    run(test)


def test_nobody_sees_anothers_runs(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            mine, other = host.client("local"), host.client("anna")
            begun = await mine.begin(BATCH, rows(1), key="k")
            assert await other.runs() == []
            for verb in (other.run, other.stop_run, other.resume_run, other.lines, other.recipe):
                with pytest.raises(NotFound):
                    await verb(begun.run.id)
            with pytest.raises(NotFound):
                await mine.run("../../etc")
            theirs = await other.begin(BATCH, rows(1), key="k")
            assert theirs.run.id != begun.run.id
            await ended(mine, begun)
            await ended(other, theirs)

    run(test)


def test_values_of_a_table_are_read_as_their_fields(tmp_path: Path) -> None:
    cells: dict[str, Value] = {"prompt": "a {star", "steps": "3", "guidance": "2.5", "seed": ""}

    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            begun = await client.begin(BATCH, [Row(2, cells)])
            await ended(client, begun)
            (line,) = await client.lines(begun.run.id)
            request = (await client.job(line.steps[0].job or "")).request
            assert request["prompt"] == "a {star"
            assert (request["steps"], request["guidance"]) == (3, 2.5)

    run(test)


def test_a_store_closes_while_it_is_being_read(tmp_path: Path) -> None:
    """SQLite crashes the process if a connection is closed under a reader."""
    store = RunStore(tmp_path / "runs.sqlite")
    lines = (Line(n, n, "imagine", {"prompt": "x" * 200}, StepState.WAITING) for n in range(3000))
    store.add(Run("r", "ann", "many", 1.0, RunState.RUNNING, 0), None, lines)
    refused: list[Exception] = []

    def read() -> None:
        try:
            while True:
                store.lines("r", limit=3000)
        except sqlite3.ProgrammingError as error:
            refused.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    time.sleep(0.2)
    store.close()
    for reader in readers:
        reader.join(timeout=10)
    assert len(refused) == 4


def test_a_run_that_goes_on_is_taken_up_without_making_anything_twice(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(tmp_path, errors=[Refused("Not this one.", hint="Another.")])
        async with host:
            client = host.client("local")
            begun = await client.begin(BATCH, rows(4))
            async with asyncio.timeout(10):
                while not (await client.run(begun.run.id)).failed:
                    await asyncio.sleep(0.02)
                    # What failed has ended; the others are only to be begun.
                    lane.go.clear()
                    lane.go.set()
            lane.go.clear()
            await until(lambda: len(lane.batches) > 1)
            # Pressed twice.
            await asyncio.gather(*(client.resume_run(begun.run.id) for _ in range(2)))
            lane.go.set()
            found = await ended(client, begun)
            assert (found.done, found.failed) == (4, 0)
            assert len(await client.jobs()) == 5, "only what failed is ordered anew"

    run(test)


def test_a_step_that_is_ordered_anew_while_it_is_made_is_made_once(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            lane.go.clear()
            begun = await client.begin(BATCH, rows(1))
            await until(lambda: lane.batches)
            await client.redo(begun.run.id, 0, "make")
            lane.go.set()
            found = await ended(client, begun)
            assert (found.done, found.failed) == (1, 0)
            states = sorted(job.state for job in await client.jobs())
            assert states == [JobState.CANCELLED, JobState.DONE]

    run(test)


def test_a_step_that_ends_while_it_is_ordered_anew_is_ordered_anew(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            keep, reopen = host.runs.step, host.runs.reopen
            ending, reopened = threading.Event(), threading.Event()

            def slowly(run: str, place: int, made: Made) -> None:
                if (made.step, made.state) == ("first", StepState.DONE) and not ending.is_set():
                    ending.set()
                    reopened.wait(0.5)
                keep(run, place, made)

            def reopening(*what: Any) -> None:
                reopen(*what)
                reopened.set()
                time.sleep(0.5)

            host.runs.step = slowly  # type: ignore[method-assign]
            host.runs.reopen = reopening  # type: ignore[method-assign]
            begun = await client.begin(Plan("chain", recipe=CHAIN), [Row(1, {})])
            await until(ending.is_set)
            await client.redo(begun.run.id, 0, "first")
            await ended(client, begun)
            (line,) = await client.lines(begun.run.id)
            assert (line.steps[0].step, line.steps[0].attempt) == ("first", 1)
            assert len(await client.jobs()) == 4

    run(test)


def test_a_run_goes_on_while_its_owner_watches_as_many_jobs_as_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.watch.MOST_STREAMS", 1)
    monkeypatch.setattr("studio.conductor.PAUSE", 0.02)

    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            found = await ended(client, await client.begin(BATCH, rows(4)))
            assert (found.done, found.failed) == (4, 0)
            assert len(await client.jobs()) == 4

    run(test)


def test_two_that_begin_one_run_at_once_begin_it_once(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            both = threading.Barrier(2)

            def table() -> Iterator[Row]:
                both.wait(10)
                yield from rows(2)

            one, other = await asyncio.gather(
                *(client.begin(BATCH, table(), key="k") for _ in range(2))
            )
            assert one.run.id == other.run.id
            found = await ended(client, one)
            assert (found.total, found.done) == (2, 2)
            assert len(await client.jobs()) == 2

    run(test)


def test_a_run_whose_caller_hangs_up_is_carried_out_if_it_is_stored(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            read, gone = threading.Event(), threading.Event()

            def table() -> Iterator[Row]:
                read.set()
                gone.wait(10)
                yield from rows(2)

            beginning = asyncio.create_task(client.begin(BATCH, table(), key="k"))
            await until(read.is_set)
            beginning.cancel()
            await asyncio.sleep(0)
            gone.set()
            with suppress(asyncio.CancelledError):
                await beginning
            async with asyncio.timeout(10):
                while not (stored := await client.runs()):
                    await asyncio.sleep(0.02)
            found = await ended(client, stored[0])
            assert (found.state, found.done) == (RunState.DONE, 2)

    run(test)


def test_what_an_earlier_form_has_made_is_taken_over_with_the_run_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {**CHAIN.record()["steps"]}
    steps["second"] = {**steps["second"], "with": {**steps["second"]["with"], "prompt": "other"}}
    changed = Recipe.of({**CHAIN.record(), "steps": steps})

    def broken(*_: Any) -> Iterator[Made]:
        raise OSError("the disk is away")

    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            earlier = await ended(client, await client.begin(Plan("c", recipe=CHAIN), [Row(1, {})]))
            plan = Plan("c", recipe=changed, revises=earlier.id)
            with monkeypatch.context() as patch:
                patch.setattr("studio.conductor.unchanged", broken)
                with pytest.raises(OSError, match="away"):
                    await client.begin(plan, [Row(1, {})], key="k")
            assert len(await client.runs()) == 1
            found = await ended(client, await client.begin(plan, [Row(1, {})], key="k"))
            before, after = [(await client.lines(one.id))[0].steps for one in (earlier, found)]
            same = [x.artifacts == y.artifacts for x, y in zip(before, after, strict=True)]
            assert same == [True, False, False]
            assert len(await client.jobs()) == 5

    run(test)


def test_what_a_condition_leaves_out_is_not_judged(tmp_path: Path) -> None:
    recipe = Recipe.read(
        """
name: maybe
inputs: {more: {default: ""}}
steps:
  first: {task: imagine, with: {model: noise, prompt: a boat, width: 64, height: 64}}
  second:
    {task: imagine, when: "{more}", with: {model: noise, prompt: "{more}", width: 64, height: 64}}
"""
    )

    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("local")
            for cells, count in (({}, 1), ({"more": "a sun"}, 2)):
                dry = await client.begin(Plan("m", recipe=recipe, dry=True), [Row(1, cells)])
                assert dry.forecast is not None
                assert sum(dry.forecast.outputs.values()) == count
            found = await ended(client, await client.begin(Plan("m", recipe=recipe), [Row(1, {})]))
            assert (found.done, found.failed) == (1, 0)

    run(test)
