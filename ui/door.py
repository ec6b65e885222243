"""The page that asks for the token, on a studio that wants one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.words import say
from ui.markup import tag
from ui.tongue import language_of


class Door:
    """ASGI middleware: whoever opens a page unknown to `authenticate` is asked for the token.

    Everything that is not a page, Gradio answers by itself: with 401.
    """

    def __init__(self, app: ASGIApp, authenticate: Callable[[Request], str | None]) -> None:
        self._app = app
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            wants_page = "text/html" in request.headers.get("accept", "")
            if request.method == "GET" and wants_page and self._authenticate(request) is None:
                await HTMLResponse(_page(language_of(request)), status_code=401)(
                    scope, receive, send
                )
                return
        await self._app(scope, receive, send)


def _page(language: str) -> str:
    here = Path(__file__).parent
    style, script = (
        Markup((here / name).read_text(encoding="utf-8"))  # noqa: S704 - our own files
        for name in ("door.css", "door.js")
    )
    form = tag(
        "form",
        tag("h1", say("studio.name", language)),
        tag("label", say("door.token", language), for_="token"),
        tag("input", id="token", type="password", autocomplete="current-password", required=True),
        tag(
            "p",
            id="wrong",
            role="alert",
            hidden=True,
            data_text=say("door.wrong", language),
            data_wait=say("door.wait", language),
        ),
        tag("button", say("door.press", language)),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", say("studio.name", language)),
        tag("style", style),
    )
    body = tag("body", form, tag("script", script))
    return Markup("<!doctype html>") + tag("html", head, body, lang=language)
