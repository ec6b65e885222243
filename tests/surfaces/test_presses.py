"""What a page says when a press did nothing, or when it cannot hear how its jobs are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from markupsafe import Markup
from starlette.requests import Request

from studio.client import Client
from studio.errors import Unavailable
from studio.job import Event, Job, JobState
from tests.hosts import SMALL, fake_host, run
from ui import draw, line, view
from ui.blank import first_form
from ui.make import MakePage
from ui.queue import QueuePage
from ui.view import View, watch

VISITOR = Request({"type": "http", "headers": []})


def press(action: str, job: str) -> gr.EventData:
    return gr.EventData(None, {"action": action, "id": job})


class Deaf:
    """A client that cannot hear of jobs, or cannot list them, as long as it is told so."""

    def __init__(self, client: Client) -> None:
        """Be it in front of `client`."""
        self._client = client
        self.deaf = self.blind = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def jobs(self, *, limit: int) -> list[Job]:
        """The client's own."""
        if self.blind:
            raise Unavailable("nothing to be seen")
        return await self._client.jobs(limit=limit)

    async def events(self, job: str) -> AsyncIterator[Event]:
        """The client's own."""
        if self.deaf:
            raise Unavailable("nothing to be heard")
        async for event in self._client.events(job):
            yield event


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages look often, so that some looks pass in little time."""
    monkeypatch.setattr(view, "REST", 0.1)
    monkeypatch.setattr(view, "FRAME", 0.01)


@pytest.mark.parametrize("drawn", [draw.unfinished, line.line])
def test_why_a_press_did_nothing_is_told_until_the_next_one(
    tmp_path: Path, drawn: Callable[[View], Markup]
) -> None:
    async def test() -> None:
        host, lane = fake_host(tmp_path)
        lane.go.clear()
        async with host:
            client, seen = host.client("ann"), View()
            make = MakePage(lambda _: client, await first_form(client))
            page: Any = QueuePage(lambda _: client) if drawn is line.line else make
            job = await client.submit("text-to-image", SMALL)
            async with aclosing(watch(client, seen)) as news:
                await anext(news)
                assert 'role="alert"' not in drawn(seen)
                await page.act(VISITOR, press("again", "0" * 32), seen)
                for _ in range(5):
                    await anext(news)
                    assert 'role="alert"' in drawn(seen)
                await page.act(VISITOR, press("again", job.id), seen)
                for _ in range(5):
                    await anext(news)
                    assert "failed or was stopped" in drawn(seen)
                await page.act(VISITOR, press("stop", job.id), seen)
                lane.go.set()
                while seen.jobs[0].state is not JobState.CANCELLED:
                    await anext(news)
                    assert 'role="alert"' not in drawn(seen)
                # An order is a press as well.
                await page.act(VISITOR, press("stop", "0" * 32), seen)
                assert seen.problem is not None
                form = await first_form(client)
                assert await make.order(VISITOR, seen, form, *(None for _ in form.specs))
                assert seen.problem is None

    run(test)


def test_what_cannot_be_heard_or_seen_is_told_until_it_can(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(tmp_path)
        lane.go.clear()
        async with host:
            client: Any = Deaf(host.client("ann"))
            seen = View()
            await client.submit("text-to-image", SMALL)
            async with aclosing(watch(client, seen)) as news:

                async def told(words: str) -> None:
                    while words not in draw.unfinished(seen):
                        await anext(news)
                    for _ in range(5):
                        await anext(news)
                        assert words in draw.unfinished(seen)

                async def well() -> None:
                    while 'role="alert"' in draw.unfinished(seen):
                        await anext(news)

                client.deaf = True
                await told("nothing to be heard")
                client.deaf = False
                await well()
                client.blind = True
                await told("nothing to be seen")
                client.blind = False
                await well()
                lane.go.set()
                while not seen.jobs[0].state.final:
                    await anext(news)
                await well()

    run(test)
