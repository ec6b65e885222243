"""In which language a visitor reads.

Gradio builds its pages once, for everybody. So what is fixed on a page is built as a placeholder,
and `Tongue` puts each visitor's own words in its place on the way out. What is drawn while the
page is open asks `language_of` and says it at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import gradio as gr
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.words import ENGLISH, LANGUAGES, preferred, said

#: The cookie in which a visitor's own choice is kept. The page writes it; it is no secret.
COOKIE = "studio_language"
#: Stands for the name of whichever page is opened.
TITLE = "%%page.title|%%"
#: Stands for the code of the language that the page is served in.
LANGUAGE = "%%page.language|%%"
#: In place of a language's code, for what is laid out for whoever will open the page.
LATER = "later"
_PLACEHOLDER = re.compile(r"%%([a-z0-9._-]+?)\|([^%]*)%%")


def later(key: str, otherwise: str = "") -> str:
    """The sentence called `key` in the language of whoever will open the page."""
    return f"%%{key}|{otherwise}%%"


def fixed(key: str, language: str, otherwise: str = "") -> str:
    """The sentence called `key`, which takes no values, in one of the `LANGUAGES` or in `LATER`."""
    if language == LATER:
        return later(key, otherwise)
    return said(key, otherwise or key, language)


def language_of(request: Request | gr.Request) -> str:
    """The language that the visitor chose, or else the one that the browser asks for."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language", ""))


def translate(page: str, language: str) -> str:
    """`page` with every placeholder filled in.

    Placeholders stand in HTML and in JSON alike: hence no sentence that is fixed on a page may
    hold a character that HTML would read as markup.
    """
    filled = _PLACEHOLDER.sub(
        lambda found: json.dumps(
            said(found[1], found[2] or found[1], language), ensure_ascii=False
        )[1:-1],
        page.replace(LANGUAGE, language),
    )
    return filled.replace(f'lang="{ENGLISH}"', f'lang="{language}"', 1)


class Tongue:
    """ASGI middleware: every page and Gradio's description of it in the visitor's language."""

    def __init__(
        self, app: ASGIApp, titles: Mapping[str, str], head: str, beginnings: Mapping[str, str]
    ) -> None:
        """`titles` are the sentences that name the pages, by address.

        `head` goes into every page's, and `beginnings`, by address, above what Gradio draws: the
        `head` that Gradio takes is put there by a script, long after the page came.
        """
        self._app = app
        self._titles = titles
        self._head = head
        self._beginnings = beginnings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or (path not in self._titles and path != "/config"):
            await self._app(scope, receive, send)
            return
        language = language_of(Request(scope))
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            page = body.decode()
            if path in self._titles:
                page = page.replace(TITLE, later(self._titles[path]))
                page = page.replace("</head>", f"{self._head}</head>", 1)
                page = page.replace("<gradio-app", f"{self._beginnings[path]}<gradio-app", 1)
            filled = translate(page, language).encode()
            headers = MutableHeaders(scope=start)
            headers["Content-Length"] = str(len(filled))
            headers["Content-Language"] = language
            headers["Vary"] = "Accept-Language, Cookie"
            headers["Cache-Control"] = "no-store"
            await send(start)
            await send({"type": "http.response.body", "body": filled})

        await self._app(scope, receive, collect)
