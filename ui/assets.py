"""Gradio's own scripts and styles, served so that a browser asks for each of them once."""

from __future__ import annotations

from pathlib import Path

import gradio
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

#: A year, which is as good as for ever: each file's name has its content's digest in it.
_KEEP = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """The files, to be kept by the browser.

    Gradio itself has the browser ask for some eighty of them again whenever a page is opened, and
    compresses each anew for every visitor.
    """

    def __init__(self) -> None:
        super().__init__(
            directory=Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
        )

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file.

        Raises:
            HTTPException: 404, if there is none.
        """
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _KEEP
        return response
