"""The page that explains the studio: a short tour, the keys, and what the marks carry."""

from __future__ import annotations

import gradio as gr

from ui.frame import shortcuts
from ui.markup import tag
from ui.page import Clients, panel
from ui.tongue import later

_TOUR = ("make", "watch", "keep", "verify", "models")
_MARKS = ("manifest", "mark", "fingerprint", "ledger")
_NOT = ("name", "proof", "survive", "private")


class HelpPage:
    """The page; it asks the studio for nothing."""

    def __init__(self, clients: Clients) -> None:
        pass

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        panel(
            "help-title",
            tag("h1", later("help.title")) + tag("p", later("help.english"), class_="quiet"),
        )
        panel(
            "tour-again",
            tag("h2", later("tour.title"))
            + tag("ol", *(tag("li", later(f"tour.{step}")) for step in _TOUR))
            + tag("p", tag("a", later("tour.start"), href="/?tour=1", class_="press")),
        )
        panel("help-keys", tag("h2", later("keys.title")) + shortcuts())
        panel(
            "about",
            tag("h2", later("about.title"))
            + tag("p", later("about.how"))
            + tag("h3", later("about.carry"))
            + tag("ul", *(tag("li", later(f"about.carry.{part}")) for part in _MARKS))
            + tag("h3", later("about.not"))
            + tag("ul", *(tag("li", later(f"about.not.{part}")) for part in _NOT)),
        )
