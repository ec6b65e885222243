"""Gradio's own scripts and styles, served so that a browser asks for each of them once."""

from __future__ import annotations

import gzip
import mimetypes
from pathlib import Path

import gradio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: A year, which is as good as for ever: each file's name has its content's digest in it.
_KEEP = "public, max-age=31536000, immutable"


class Assets:
    """ASGI application: the files, to be kept by the browser.

    Gradio itself has the browser ask for some eighty of them again whenever a page is opened, and
    opens and compresses each anew for every visitor.
    """

    def __init__(self) -> None:
        self._folder = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
        self._names = frozenset(file.name for file in self._folder.iterdir())
        #: What somebody has asked for before, as it is and compressed.
        self._files: dict[str, tuple[bytes, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].rpartition("/")[2]
        if scope["method"] not in ("GET", "HEAD") or name not in self._names:
            await Response(status_code=404)(scope, receive, send)
            return
        if name not in self._files:
            content = (self._folder / name).read_bytes()
            self._files[name] = content, gzip.compress(content)
        plain, compressed = self._files[name]
        headers = {"Cache-Control": _KEEP, "Vary": "Accept-Encoding"}
        if "gzip" in Request(scope).headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            plain = compressed
        kind = mimetypes.guess_type(name)[0]
        await Response(plain, headers=headers, media_type=kind)(scope, receive, send)
