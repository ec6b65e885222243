"""The page that shows everybody's line: what runs, what waits, and one's own with its progress."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import gradio as gr

from studio.client import Client
from studio.errors import NotFound
from studio.job import JobState
from ui import line
from ui.explain import as_studio_error
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import language_of, later
from ui.view import View, watch


class QueuePage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        view = gr.State(View())
        panel("queue-title", tag("h1", later("queue.title")) + tag("p", later("queue.how")))
        shown = panel("queue-line", script="page.js")
        pages.load(self.keep_true, [view], [shown], **QUIET)
        shown.click(self.act, [view], None, trigger_mode="multiple", **QUIET)

    async def keep_true(self, request: gr.Request, view: View) -> AsyncIterator[Any]:
        """Draw whenever there is news, for as long as the page is open."""
        view.language = language_of(request)
        before = None
        async with aclosing(watch(self._clients(request), view)) as news:
            async for _ in news:
                drawn = line.line(view)
                yield gr.skip() if drawn == before else drawn
                before = drawn

    async def act(self, request: gr.Request, event: gr.EventData, view: View) -> None:
        """Do what a button in the line says; `keep_true` alone draws what comes of it."""
        client = self._clients(request)
        view.problem = None
        try:
            match event.action:
                case "stop":
                    await client.cancel(event.id)
                case "again":
                    await client.retry(event.id)
                case "earlier":
                    await client.move(event.id, await _neighbour(client, event.id, -1))
                case "later":
                    await client.move(await _neighbour(client, event.id, 1), event.id)
        except Exception as error:
            view.problem = as_studio_error(error)
        view.ring(stale=True)


async def _neighbour(client: Client, job: str, step: int) -> str:
    """One's own waiting job before (-1) or after (1) this one in line.

    Raises:
        NotFound: if it does not wait any more, or there is none.
    """
    waiting = [
        place.job.id
        for place in await client.queue()
        if place.job is not None and place.state == JobState.WAITING
    ]
    place = waiting.index(job) + step if job in waiting else -1
    if not 0 <= place < len(waiting):
        raise NotFound("The line has changed since.", hint="Look at it again.")
    return waiting[place]
