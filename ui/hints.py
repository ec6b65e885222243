"""What to click instead of typing: example prompts, the words a model knows, earlier prompts.

The frame's script puts what is clicked into the prompt; nothing here asks the studio.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from studio.client import Model
from ui.markup import tag
from ui.tongue import fixed

#: How many of one's latest jobs are searched for earlier prompts, and how many are offered.
LOOKED_AT = 50
_EARLIER = 8


def hints(model: Model | None, earlier: Sequence[str], language: str) -> Markup:
    """Everything there is to click for this model and this person; nothing where there is none."""
    if model is None:
        return Markup("")
    examples = [str(one["text"]) for one in model.card.metadata.get("widget", ())]
    return (
        _fold("hints.examples", examples, "replace", language, shown=not earlier)
        + _fold("hints.earlier", list(earlier[:_EARLIER]), "replace", language, shown=False)
        + _words(model, language)
    )


def _words(model: Model, language: str) -> Markup:
    groups = [
        tag("h4", fixed(f"words.{group}", language, group)) + _presses(words, "append")
        for group, words in model.vocabulary.items()
    ]
    if not groups:
        return Markup("")
    note = tag("p", fixed("hints.words.how", language))
    return tag(
        "details", tag("summary", fixed("hints.words", language)), note, *groups, class_="hints"
    )


def _fold(key: str, texts: Sequence[str], action: str, language: str, *, shown: bool) -> Markup:
    if not texts:
        return Markup("")
    summary = tag("summary", fixed(key, language))
    return tag("details", summary, _presses(texts, action), class_="hints", open=shown)


def _presses(texts: Sequence[str], action: str) -> Markup:
    return tag(
        "p",
        *(
            tag("button", text, type="button", class_="chip", data_type=action, data_text=text)
            for text in texts
        ),
        class_="chips",
    )
