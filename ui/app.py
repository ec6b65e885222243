"""The web studio, put together: its pages, its look, and what Gradio is told not to do."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import gradio as gr
from fastapi import FastAPI, Request
from markupsafe import Markup
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.client import LOCAL, Client
from studio.settings import Settings
from ui.assets import Assets
from ui.blank import Form, first_form
from ui.door import Door
from ui.entered import Pages
from ui.frame import PLACES, masthead, script
from ui.gallery import GalleryPage
from ui.help import HelpPage
from ui.lean import building
from ui.make import MakePage
from ui.markup import tag
from ui.models import ModelsPage
from ui.page import Clients, Room
from ui.queue import QueuePage
from ui.runs import RunsPage
from ui.settings import SettingsPage
from ui.talk import TalkPage
from ui.theme import theme
from ui.tongue import TITLE, Tongue, later
from ui.verify import VerifyPage

#: What a page may load: this server's own files and nothing else, whatever Gradio's page names.
#: Its scripts and its HTML component are inline and compile templates, hence both `unsafe`s.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'; object-src 'none'"
)


#: How often, and after how many seconds, files are deleted that were put into a form. What a job
#: needs of them, the studio has a copy of.
_FORGET = (3600, 24 * 3600)


#: What of the home no page may read as a file.
_PRIVATE = ("artifacts", "inputs", "keys", "logs", "models", "run", "spool", "uploads")


#: Where Gradio would fetch for anybody what lies elsewhere, or run FFmpeg here on what is sent.
_ELSEWHERE = re.compile(r"/gradio_api/(file[=/]\w[\w+.-]+:|proxy=|process_recording)")


def build(clients: Clients, first: Form) -> gr.Blocks:
    """The pages, each under its own address; `first` is the form that comes with the first one."""
    rooms: dict[str, Room] = {
        "/": MakePage(clients, first),
        "/talk": TalkPage(clients),
        "/queue": QueuePage(clients),
        "/runs": RunsPage(clients),
        "/gallery": GalleryPage(clients),
        "/models": ModelsPage(clients),
        "/verify": VerifyPage(clients),
        "/settings": SettingsPage(clients),
        "/help": HelpPage(clients),
    }
    with building():
        with Pages(title=TITLE, analytics_enabled=False, delete_cache=_FORGET) as pages:
            rooms["/"].build(pages)
        for place in PLACES[1:]:
            with pages.route(place.route, place.path, show_in_navbar=False):
                rooms[place.path].build(pages)
        pages.queue(api_open=False, default_concurrency_limit=None)
    # Only `launch` sets it, and without it Gradio shows any file that a handler names.
    pages.has_launched = True
    return pages


async def mount(
    app: FastAPI,
    client_for: Callable[[str], Client],
    settings: Settings,
    authenticate: Callable[[Request], str | None],
) -> None:
    """Mount the pages at `/` of `app`, after its own routes.

    `authenticate` says who sent a request, or None; `client_for` gives that person's client.
    """
    here = Path(__file__).parent
    sheets = ((here / name).read_text(encoding="utf-8") for name in ("style.css", "gallery.css"))
    style = Markup("\n".join(sheets))  # noqa: S704 - our own files
    entered = settings.home / "page"
    entered.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Gradio's own place is shared by all users of the machine.
    os.environ["GRADIO_TEMP_DIR"] = str(entered)
    # No route of Gradio's answers to anyone whom `authenticate` does not know.
    first = await first_form(client_for(LOCAL))
    pages = build(lambda request: client_for(request.username or ""), first)
    # The style not as `css`: Gradio would rewrite every selector, and breaks those with a comma.
    head = (
        tag("link", rel="stylesheet", href="/theme.css")
        + tag("style", style)
        + tag("meta", name="referrer", content="no-referrer")
        + tag("meta", name="largest-file", content=settings.max_upload_bytes)
        + tag("meta", name="description", content=later("studio.line"))
        + script()
    )
    # It warns that several pages rule out a mode which is off anyway.
    warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)

    @app.get("/artifact/{artifact}", include_in_schema=False)
    def show(artifact: str) -> RedirectResponse:
        """An artifact's own address; whose it is, the gallery finds out."""
        return RedirectResponse(f"/gallery?{urlencode({'show': artifact})}")

    app.mount("/assets", Assets())
    app.mount("/vendor", StaticFiles(directory=here / "vendor"))
    gr.mount_gradio_app(
        app,
        pages,
        path="/",
        app_kwargs={
            "middleware": [
                Middleware(_OwnFilesOnly),
                Middleware(Door, authenticate=authenticate),
                Middleware(
                    Tongue,
                    titles={place.path: place.key for place in PLACES},
                    head=head,
                    beginnings={place.path: masthead(place.path) for place in PLACES},
                ),
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
        # Of the home, Gradio may show what was put into a form, under a name nobody can guess.
        blocked_paths=[str(settings.home / name) for name in _PRIVATE],
        max_file_size=settings.max_upload_bytes,
        i18n=None,
        theme=theme(),
        favicon_path=str(Path(__file__).parent / "icon.svg"),
    )


class _OwnFilesOnly:
    """ASGI middleware: the pages need nothing from anywhere else, and fetch nothing from there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        app = Response(status_code=404) if _ELSEWHERE.search(scope.get("path", "")) else self._app
        await app(scope, receive, send_with_policy)
