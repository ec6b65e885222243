"""The web studio, put together: its pages, its look, and what Gradio is told not to do."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import gradio as gr
from fastapi import FastAPI, Request
from markupsafe import Markup
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.client import Client
from studio.settings import Settings
from ui.door import Door
from ui.make import MakePage
from ui.markup import tag
from ui.page import Clients, panel
from ui.theme import theme
from ui.verify import VerifyPage
from ui.words import say

#: What a page may load: this server's own files and nothing else, whatever Gradio's page names.
#: Its scripts and its HTML component are inline and compile templates, hence both `unsafe`s.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'; object-src 'none'"
)

#: The pages, by address.
PAGES: Mapping[str, str] = MappingProxyType({"/": say("make.page"), "/verify": say("verify.page")})


def build(clients: Clients) -> gr.Blocks:
    """The pages, each under its own address."""
    with gr.Blocks(title=say("studio.name"), analytics_enabled=False) as pages:
        _head("/")
        MakePage(clients).build(pages)
    with pages.route(PAGES["/verify"], "/verify", show_in_navbar=False):
        _head("/verify")
        VerifyPage(clients).build(pages)
    return pages


def mount(
    app: FastAPI,
    client_for: Callable[[str], Client],
    settings: Settings,
    authenticate: Callable[[Request], str | None],
) -> None:
    """Mount the pages at `/` of `app`, after its own routes.

    `authenticate` says who sent a request, or None; `client_for` gives that person's client.
    """
    style = Markup((Path(__file__).parent / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    uploads = settings.home / "uploads"
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Gradio's own place is shared by all users of the machine.
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    # No route of Gradio's answers to anyone whom `authenticate` does not know.
    pages = build(lambda request: client_for(request.username or ""))
    pages.queue(api_open=False, default_concurrency_limit=None)
    # It warns that several pages rule out a mode which is off anyway.
    warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
    gr.mount_gradio_app(
        app,
        pages,
        path="/",
        app_kwargs={
            "middleware": [
                Middleware(_OwnFilesOnly),
                Middleware(Door, authenticate=authenticate),
            ]
        },
        auth_dependency=authenticate,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        show_error=False,
        allowed_paths=[],
        blocked_paths=[str(settings.home)],
        max_file_size=settings.max_upload_bytes,
        i18n=None,
        theme=theme(),
        # Not as `css`: Gradio would rewrite every selector, and breaks those with a comma inside.
        head=tag("style", style) + tag("meta", name="referrer", content="no-referrer"),
    )


def _head(here: str) -> None:
    """The masthead of the page at `here`: whose pages these are, and the way to the others."""
    links = (
        tag("a", name, href=address, aria_current="page" if address == here else None)
        for address, name in PAGES.items()
    )
    name, line = tag("h1", say("studio.name")), tag("p", say("studio.line"))
    panel("masthead", tag("header", name, line, tag("nav", *links, aria_label=say("studio.pages"))))


class _OwnFilesOnly:
    """ASGI middleware: tell the browser that the pages need nothing from anywhere else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_with_policy)
