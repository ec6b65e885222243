"""Importing on the shelf's page: say where, see what is there, then take it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.client import Client
from studio.errors import Refused, StudioError
from studio.imports import Found, Survey
from studio.words import say
from ui.draw import button, size
from ui.explain import explain
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import language_of, later

#: Seconds between two looks at what is being imported.
_LOOK = 1.0


class ImportForm:
    """The handlers of the form, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the form out in `pages`, which are open."""
        panel("import-title", tag("h2", later("import.title")) + tag("p", later("import.how")))
        path = gr.Textbox(label=later("import.path"), max_lines=1, elem_id="import-path")
        base = gr.Textbox(label=later("import.base"), max_lines=1, elem_id="import-base")
        look = gr.Button(later("import.look"), elem_id="import-look")
        found = panel("import-found", script="page.js")
        coming = panel("import-coming", script="page.js")
        gr.on([look.click, path.submit], self.look, [path, base], [found], **QUIET)
        found.click(self.act, [base], [found], trigger_mode="multiple", **QUIET)
        coming.click(self.act, [base], [found], trigger_mode="multiple", **QUIET)
        pages.load(self.keep_true, None, [coming], **QUIET)

    async def look(self, path: str, base: str, request: gr.Request) -> Markup:
        """What lies at the path; nothing is changed."""
        client, language = self._clients(request), language_of(request)
        try:
            return _survey(await client.survey(Path(path.strip()), base=_given(base)), language)
        except Exception as error:
            return explain(say("error.import", language), error)

    async def act(self, base: str, request: gr.Request, event: gr.EventData) -> Markup:
        """Import what somebody pressed, or stop it."""
        client = self._clients(request)
        try:
            if event.action == "import":
                await client.import_model(Path(event.id), base=_given(base))
            else:
                await client.stop_model(event.id)
        except Exception as error:
            return explain(say("error.import", language_of(request)), error)
        return Markup("")

    async def keep_true(self, request: gr.Request) -> AsyncIterator[Any]:
        """Draw how far imports are whenever there is news, for as long as the page is open."""
        client, language = self._clients(request), language_of(request)
        before = None
        while True:
            drawn = await _coming(client, language)
            yield gr.skip() if drawn == before else drawn
            before = drawn
            await asyncio.sleep(_LOOK)


def _given(text: str) -> str | None:
    return text.strip() or None


def _survey(survey: Survey, language: str) -> Markup:
    heading = say("import.layout", language, layout=survey.layout) if survey.layout else None
    return tag(
        "div",
        tag("p", heading) if heading else None,
        *(_found(one, language) for one in survey.found),
        class_="feed",
    )


def _found(one: Found, language: str) -> Markup:
    facts = [one.title, size(one.size), *([one.base] if one.base else [])]
    return tag(
        "article",
        tag("h3", Path(one.path).name),
        tag("p", " · ".join(filter(None, facts)), class_="quiet"),
        tag(
            "div",
            button(
                "import",
                one.path,
                say("import.one", language),
                say("import.one.label", language, name=one.name),
            ),
            class_="row",
        )
        if one.error is None
        else explain(say("import.not", language), StudioError.from_record(one.error)),
        class_="card",
    )


async def _coming(client: Client, language: str) -> Markup:
    """Imports that are under way, or failed; nothing for whoever may not import."""
    try:
        coming = await client.imports()
    except Refused:
        return Markup("")
    except Exception as error:
        return explain(say("error.import", language), error)
    return tag(
        "div",
        *(
            tag(
                "div",
                tag("p", f"{name}: {size(one.done)} / {size(one.total)}", role="status")
                if one.error is None
                else explain(
                    say("import.failed", language, name=name), StudioError.from_record(one.error)
                ),
                button(
                    "stop",
                    name,
                    say("job.stop", language),
                    say("import.stop.label", language, name=name),
                ),
                class_="row",
            )
            for name, one in coming.items()
        ),
        class_="feed",
    )
