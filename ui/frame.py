"""What stands around every page: its masthead, the way to the others, and the keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from studio.fields import fields_of
from studio.tasks import TASKS
from ui.markup import tag
from ui.tongue import LANGUAGE, later


@dataclass(frozen=True)
class Place:
    """A page of the studio."""

    #: Its address.
    path: str
    #: Its name in the catalogue.
    key: str
    #: The key that goes there, after `g`.
    letter: str

    @property
    def route(self) -> str:
        """What Gradio calls the page."""
        return self.path.strip("/")


PLACES = (
    Place("/", "make.page", "m"),
    Place("/talk", "talk.page", "t"),
    Place("/gallery", "gallery.page", "g"),
    Place("/queue", "queue.page", "q"),
    Place("/runs", "runs.page", "r"),
    Place("/models", "models.page", "o"),
    Place("/verify", "verify.page", "v"),
    Place("/settings", "settings.page", "s"),
    Place("/help", "help.page", "h"),
)

#: Gradio says this too, but later.
_DARK = """if (matchMedia("(prefers-color-scheme: dark)").matches)
  document.body.classList.add("dark");"""

#: What was typed before the page came again. An address that asks for a form has its own words,
#: and is shown no other form before that has come.
_EARLY = """const early = document.currentScript.previousSibling;
early.hidden = location.search !== "";
document.body.classList.toggle("asking", early.hidden);
early.elements[0].value = sessionStorage.getItem(`typed ${location.pathname}`) ?? "";"""

#: What each shortcut does: the keys as they are shown, and the sentence.
SHORTCUTS = (
    ("/", "keys.prompt"),
    ("Ctrl Enter", "keys.make"),
    *((f"g {place.letter}", place.key) for place in PLACES),
    ("?", "keys.help"),
    ("Esc", "keys.close"),
)


def masthead(here: str) -> Markup:
    """The head of the page at `here`: whose pages these are, and the way to the others.

    It is there, and works, before Gradio has begun.
    """
    links = (
        tag(
            "a",
            later(place.key),
            href=place.path,
            aria_current="page" if place.path == here else None,
        )
        for place in PLACES
    )
    head = tag(
        "div",
        tag(
            "header",
            tag("p", tag("a", later("studio.name"), href="/"), class_="name"),
            tag("p", later("studio.line"), class_="line"),
            tag("nav", *links, aria_label=later("studio.pages")),
        ),
        tag("p", later("studio.lost"), id="lost", role="status", hidden=True),
        tag("p", later("studio.large"), id="large", role="alert", hidden=True),
        tag(
            "dialog",
            tag("h2", later("keys.title")),
            shortcuts(),
            tag(
                "form",
                tag("button", later("keys.close"), class_="press"),
                method="dialog",
            ),
            id="keys",
            aria_label=later("keys.title"),
        ),
        id="masthead",
    )
    early = _early() if here == "/" else None
    return tag("script", Markup(_DARK)) + tag("div", head, early, class_="frame")  # noqa: S704 - our own


def _early() -> Markup:
    """A first form, for whoever begins to write before Gradio's is there, which takes it over."""
    task = next(iter(TASKS.values()))
    spec = next(one for one in fields_of(task.request) if one.name == task.positional)
    title = tag("span", later(f"field.{spec.name}.title", spec.title))
    how = tag("small", later(f"field.{spec.name}.description", spec.description))
    form = tag(
        "form",
        tag("label", title, how, for_="early-prompt"),
        tag("textarea", id="early-prompt", rows=3),
        tag("button", later("make.press"), class_="press"),
        id="early",
        hidden=True,
    )
    return form + tag("script", Markup(_EARLY))  # noqa: S704 - our own


def shortcuts() -> Markup:
    """Every shortcut and what it does."""
    rows = (
        tag("dt", *(tag("kbd", key) for key in keys.split())) + tag("dd", later(sentence))
        for keys, sentence in SHORTCUTS
    )
    return tag("dl", *rows, class_="keys")


def script() -> Markup:
    """What runs on every page: how panels are drawn, the keys, coming back when the studio does."""
    here = Path(__file__).parent
    code = "\n".join((here / name).read_text("utf-8") for name in ("drawing.js", "frame.js"))
    ways = json.dumps({place.letter: place.path for place in PLACES})
    return tag("script", Markup(code.replace("__WAYS__", ways).replace("__LANGUAGE__", LANGUAGE)))  # noqa: S704 - our own files
