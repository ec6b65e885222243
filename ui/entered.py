"""Which files a browser may name: those that were put into a form, and nothing else.

Gradio's own checks let pictures pass, and fetch whatever lies at an address; so these come before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.state_holder import SessionState
from gradio.utils import get_upload_folder, is_in_or_equal

from studio.errors import Refused


def put_in(path: object) -> Path:
    """The file that a browser means by `path`.

    Raises:
        Refused: if it is a file of the host's own, or an address to fetch it from.
    """
    entered = get_upload_folder()
    if isinstance(path, str) and Path(path).is_absolute() and is_in_or_equal(path, entered):
        return Path(path)
    raise Refused("This file was not put into a form.", hint="Put it into the form again.")


class Pages(gr.Blocks):  # type: ignore[misc]
    """Gradio's pages, which take nobody's word for where a file lies."""

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        state: SessionState | None,
        explicit_call: bool = False,
    ) -> list[Any]:
        """What a handler is called with, as Gradio makes it from what a browser sent."""
        _look(inputs)
        made: list[Any] = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        return made


def _look(sent: Any) -> None:
    """Pass what a browser sent, if every path in it leads to what was put into a form."""
    if isinstance(sent, dict):
        if sent.get("path") is not None:
            put_in(sent["path"])
        sent = list(sent.values())
    if isinstance(sent, list):
        for one in sent:
            _look(one)
