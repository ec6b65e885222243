"""The page that asks for the token, on a studio that wants one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.markup import tag
from ui.words import say


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
                await HTMLResponse(_page(), status_code=401)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _page() -> str:
    here = Path(__file__).parent
    style, script = (
        Markup((here / name).read_text(encoding="utf-8"))  # noqa: S704 - our own files
        for name in ("door.css", "door.js")
    )
    form = tag(
        "form",
        tag("h1", say("studio.name")),
        tag("label", say("door.token"), for_="token"),
        tag("input", id="token", type="password", autocomplete="current-password", required=True),
        tag("p", id="wrong", role="alert", hidden=True, data_text=say("door.wrong")),
        tag("button", say("door.press")),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", say("studio.name")),
        tag("style", style),
    )
    body = tag("body", form, tag("script", script))
    return Markup("<!doctype html>") + tag("html", head, body, lang="en")
