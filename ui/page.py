"""What every page is built with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import gradio as gr
from gradio.components import Component
from gradio.context import LocalContext
from markupsafe import Markup

from studio.client import Client

#: Said to every event: none is offered as an API, none shows Gradio's own spinner, and any number
#: of people may use it at once. What has to wait, waits in the studio's own line.
QUIET: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "concurrency_limit": None,
}

#: Whose page it is: the client of the person who sent a request.
Clients = Callable[[gr.Request], Client]


class Room(Protocol):
    """A page: its handlers, and how it is laid out."""

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""


def draw_now(pages: gr.Blocks, *shown: Any) -> dict[str, Component]:
    """Draw what was just given to `gr.render`, with `shown` for its inputs, into `pages`.

    So it comes with the page. Gradio itself draws it for each visitor anew, when the page has come
    and asked for it. Returns what was drawn, by `elem_id`.
    """
    rendered = pages.default_config.renderables[-1]
    LocalContext.blocks_config.set(pages.default_config)
    try:
        rendered.apply(*shown)
    finally:
        LocalContext.blocks_config.set(None)
    blocks = pages.default_config.blocks
    # It drew into a copy of the place that the page has for it.
    rendered.container.children = cast(gr.Column, blocks[rendered.container_id]).children
    blocks[rendered.container_id] = rendered.container
    return {
        block.elem_id: block
        for block in blocks.values()
        if isinstance(block, Component) and block.elem_id and block.rendered_in is rendered
    }


def panel(name: str, content: Markup | None = None, script: str | None = None) -> gr.HTML:
    """A part of a page that is drawn by us, in our own style.

    `script` names the file of ours that runs in it once, and has `drawing.js` draw it.
    """
    if script is None:
        # Never None, which Gradio leaves out: the browser would keep what another form had there.
        return gr.HTML(content or "", elem_id=name, apply_default_css=False, js_on_load=None)
    code = (Path(__file__).parent / script).read_text("utf-8")
    return gr.HTML(
        content, elem_id=name, apply_default_css=False, html_template="", js_on_load=code
    )
