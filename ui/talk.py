"""The page to talk with a model: one's conversations, what was said, and saying more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.client import Client
from studio.errors import NotFound, StudioError
from studio.job import TextDelta
from studio.talk import Conversation
from studio.words import ENGLISH, say
from ui import talk_draw
from ui.explain import as_studio_error
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import language_of, later

#: Seconds that a look at an answer takes while it is written, and between looks otherwise.
_LOOK, _REST = 0.3, 1.0
#: How many conversations are listed.
_LISTED = 50


@dataclass
class Desk:
    """What one open page shows."""

    language: str = ENGLISH
    #: The id of the conversation that is open; empty before the first words of a new one.
    conversation: str = ""
    search: str = ""
    problem: StudioError | None = None


class TalkPage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        desk = gr.State(Desk())
        panel("talk-title", tag("h1", later("talk.page")) + tag("p", later("talk.how")))
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=2, min_width=300, elem_id="form"):
                search = gr.Textbox(label=later("talk.search"), elem_id="talk-search")
                listed = panel("talk-list", script="page.js")
            with gr.Column(scale=3, min_width=300, elem_id="work"):
                shown = panel("talk-shown", script="page.js")
                text = gr.Textbox(
                    label=later("talk.message"), lines=3, max_lines=12, elem_id="talk-text"
                )
                send = gr.Button(later("talk.send"), variant="primary", elem_id="make")
                with gr.Accordion(later("make.advanced"), open=False):
                    model = gr.Dropdown([], label=later("talk.model"), elem_id="talk-model")
                    system = gr.Textbox(label=later("talk.system"), lines=3, elem_id="talk-system")
                    image = gr.File(
                        label=later("talk.picture"), type="filepath", elem_id="talk-picture"
                    )
        pages.load(self.begin, [desk], [model, system], **QUIET)
        pages.load(self.keep_true, [desk], [listed, shown], **QUIET)
        search.change(self.look, [desk, search], None, **QUIET)
        send.click(self.send, [desk, text, model, system, image], [text, image], **QUIET)
        for part in (listed, shown):
            part.click(self.act, [desk], [model, system], trigger_mode="multiple", **QUIET)

    async def begin(self, request: gr.Request, desk: Desk) -> tuple[Any, Any]:
        """Open the conversation that was used last: a closed tab has lost nothing."""
        desk.language = language_of(request)
        client = self._clients(request)
        latest = await client.conversations(limit=1)
        desk.conversation = latest[0].id if latest else ""
        return await self._settings(client, desk)

    async def keep_true(self, request: gr.Request, desk: Desk) -> AsyncIterator[tuple[Any, Any]]:
        """Draw whenever there is news, for as long as the page is open."""
        client = self._clients(request)
        before: tuple[Markup | None, Markup | None] = (None, None)
        while True:
            desk.language = language_of(request)
            listed = await client.conversations(desk.search, limit=_LISTED)
            found, written = await _open(client, desk)
            drawn = (
                talk_draw.listed(listed, desk.conversation, desk.language),
                talk_draw.conversation(found, written, desk.problem, desk.language),
            )
            # A yield is how Gradio tells that the tab was closed.
            yield tuple(  # type: ignore[misc]
                gr.skip() if new == old else new for new, old in zip(drawn, before, strict=True)
            )
            before = drawn
            if not written:
                await asyncio.sleep(_REST)

    def look(self, desk: Desk, search: str) -> None:
        """List what holds the words."""
        desk.search = search[:1000]

    async def send(
        self,
        request: gr.Request,
        desk: Desk,
        text: str,
        model: str | None,
        system: str,
        image: str | None,
    ) -> tuple[Any, Any]:
        """Say it, in the open conversation or in a new one; what was refused stays typed."""
        client = self._clients(request)
        try:
            shown = None if image is None else (await client.upload(Path(image))).id
            if desk.conversation:
                await client.change_conversation(
                    desk.conversation, model=model or "", system=system
                )
                await client.talk(desk.conversation, text, image=shown)
            else:
                begun = await client.start_conversation(model=model or None, system=system)
                try:
                    await client.talk(begun.id, text, image=shown)
                except StudioError:
                    await client.delete_conversation(begun.id)
                    raise
                desk.conversation = begun.id
        except Exception as error:
            desk.problem = as_studio_error(error)
            return gr.skip(), gr.skip()
        desk.problem = None
        return "", None

    async def act(self, request: gr.Request, event: gr.EventData, desk: Desk) -> tuple[Any, Any]:
        """Do what a button says."""
        client = self._clients(request)
        desk.problem = None
        try:
            match event.action:
                case "open":
                    desk.conversation = event.id
                case "new":
                    desk.conversation = ""
                case "stop":
                    await client.cancel(event.id)
                case "again":
                    await client.regenerate(event.id)
                case "on":
                    await client.go_on(event.id)
                case "rename":
                    await client.change_conversation(event.id, title=event.value)
                case "delete":
                    await client.delete_conversation(event.id)
                    desk.conversation = ""
        except Exception as error:
            desk.problem = as_studio_error(error)
        return await self._settings(client, desk)

    async def _settings(self, client: Client, desk: Desk) -> tuple[Any, Any]:
        """The open conversation's model and system prompt, and the models there are."""
        found = None
        with suppress(NotFound):
            found = await client.conversation(desk.conversation) if desk.conversation else None
        models = [
            (one.card.studio.title, one.card.name)
            for one in await client.cards()
            if one.installed and "text-generation" in one.card.studio.tasks
        ]
        chosen = (found and found.model) or ""
        gone = [(chosen, chosen)] if chosen and chosen not in dict(models).values() else []
        choices = [(say("talk.best", desk.language), ""), *models, *gone]
        return gr.update(choices=choices, value=chosen), found.system if found else ""


async def _open(client: Client, desk: Desk) -> tuple[Conversation | None, str]:
    """The open conversation, and what is written so far of an answer that is on its way."""
    if not desk.conversation:
        return None, ""
    try:
        found = await client.conversation(desk.conversation)
    except NotFound:
        # It was deleted in another tab.
        desk.conversation = ""
        return None, ""
    if not found.turns or (reply := found.turns[-1].replies[-1]).state.final:
        return found, ""
    written = ""
    # Whoever begins to watch is told first how far it is; so nothing has to be kept in between.
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK), aclosing(client.events(reply.job)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, TextDelta):
                    written += event.text
    return found, written
