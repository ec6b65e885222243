"""A contact sheet of what a run has made, ordered from the page of runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gradio as gr
from starlette.requests import Request

from studio.client import Client
from studio.errors import OutOfMemory
from studio.job import Job, JobState
from studio.recipes.rows import Row
from studio.recipes.run import Run, RunState
from studio.runs import Plan
from tests.hosts import fake_host, finished, run
from ui.runs import RunsPage

VISITOR = Request({"type": "http", "headers": []})
STARS = Plan("stars", task="text-to-image", defaults={"model": "noise", "width": 64, "height": 64})


async def stars(client: Client, count: int) -> Run:
    """A run of so many pictures, once they are made."""
    rows = [Row(place + 2, {"prompt": f"star {place}"}) for place in range(count)]
    return await ended(client, (await client.begin(STARS, rows)).run)


async def ended(client: Client, found: Run | None) -> Run:
    assert found is not None
    async with asyncio.timeout(30):
        while (now := await client.run(found.id)).state is RunState.RUNNING:
            await asyncio.sleep(0.02)
    return now


async def sheets(client: Client, made: Run) -> list[Job]:
    """All sheets that were ordered, once the button was pressed again."""
    press = gr.EventData(None, {"action": "sheet", "id": made.id})
    told = await RunsPage(lambda _: client).act(VISITOR, press)
    assert 'role="alert"' not in told, told
    return [job for job in reversed(await client.jobs()) if job.task == "contact-sheet"]


def test_what_was_thrown_away_is_not_on_the_sheet(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("ann")
            made = await stars(client, 3)
            await sheets(client, made)
            (first,) = await sheets(client, made)
            assert first.request["captions"] == ["star 0", "star 1", "star 2"]
            (gone,) = (await client.lines(made.id))[1].artifacts
            await client.delete(gone)
            _, second = await sheets(client, made)
            assert second.request["captions"] == ["star 0", "star 2"]
            await client.restore(gone)
            assert len(await sheets(client, made)) == 2

    run(test)


def test_after_a_step_was_made_anew_there_is_another_sheet(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path)
        async with host:
            client = host.client("ann")
            made = await stars(client, 2)
            await sheets(client, made)
            line = (await client.lines(made.id))[0]
            await ended(client, await client.redo(made.id, 0, line.steps[0].step))
            before, after = (job.request["images"] for job in await sheets(client, made))
            assert before[1] == after[1]
            assert before[0] != after[0]

    run(test)


def test_a_sheet_that_failed_is_ordered_anew(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(tmp_path, errors=[None, OutOfMemory(), OutOfMemory()])
        async with host:
            client = host.client("ann")
            made = await stars(client, 1)
            for number in (1, 2):
                *_, last = ordered = await sheets(client, made)
                assert len(ordered) == number
                assert (await finished(client, last.id)).state is JobState.FAILED
            for _ in range(2):
                *_, last = ordered = await sheets(client, made)
                assert len(ordered) == 3
                assert last.state is not JobState.FAILED

    run(test)
