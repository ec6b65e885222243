"""The shelf: every model in the catalogue, what it takes, and how to get it or let it go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.client import Client
from studio.fitting import Fit
from studio.words import say
from ui import shelf
from ui.explain import explain
from ui.imports import ImportForm
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import language_of, later

#: Seconds between two looks at what is on its way.
_LOOK = 1.0


class ModelsPage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        panel("models-title", tag("h1", later("models.title")) + tag("p", later("models.how")))
        problem = panel("models-problem")
        shown = panel("models-shelf", script="page.js")
        ImportForm(self._clients).build(pages)
        pages.load(self.keep_true, None, [shown], **QUIET)
        shown.click(self.act, None, [problem], trigger_mode="multiple", **QUIET)

    async def keep_true(self, request: gr.Request) -> AsyncIterator[Any]:
        """Draw whenever there is news, for as long as the page is open."""
        client, language = self._clients(request), language_of(request)
        before = None
        while True:
            drawn = await _draw(client, language)
            # Gradio lets go of a closed page's handler at its next yield.
            yield gr.skip() if drawn == before else drawn
            before = drawn
            await asyncio.sleep(_LOOK)

    async def act(self, request: gr.Request, event: gr.EventData) -> Markup:
        """Do what a button on the shelf says; `keep_true` alone draws what comes of it."""
        client, language = self._clients(request), language_of(request)
        problem = Markup("")
        try:
            match event.action:
                case "get":
                    await client.get_model(event.id)
                case "stop":
                    await client.stop_model(event.id)
                case "remove":
                    await client.remove_model(event.id)
        except Exception as error:
            problem = explain(say("error.models", language), error)
        return problem


async def _draw(client: Client, language: str) -> Markup:
    try:
        # The best device a model could run on.
        fits = {one.card: one for one in sorted(await client.fit(), key=_rank)}
        return shelf.shelf(await client.cards(), fits, language)
    except Exception as error:
        return explain(say("error.models", language), error)


def _rank(fit: Fit) -> int:
    """Worst first: not at all, in parts, as a whole."""
    return 0 if fit.placement is None else 2 if fit.placement == "full" else 1
