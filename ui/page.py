"""What every page is built with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

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
