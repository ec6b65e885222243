"""What to click instead of typing: example prompts, the words a model knows, earlier prompts.

The frame's script puts what is clicked into the prompt; nothing here asks the studio.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest

from markupsafe import Markup

from studio.client import Model
from ui.markup import tag
from ui.tongue import fixed

#: How many of one's latest jobs are searched for earlier prompts, and how many are offered.
LOOKED_AT = 50
_EARLIER = 8
_EXAMPLES = 6


def hints(models: Sequence[Model], earlier: Sequence[str], language: str) -> Markup:
    """Everything there is to click for these models, of which one will run, and this person; first
    what is the first model's.
    """
    theirs = [
        [str(one["text"]) for one in model.card.metadata.get("widget", ())] for model in models
    ]
    # In turns, so that each one shows what it can.
    examples = list(dict.fromkeys(filter(None, chain.from_iterable(zip_longest(*theirs)))))
    return (
        _fold("hints.examples", examples[:_EXAMPLES], "replace", language, shown=not earlier)
        + _fold("hints.earlier", list(earlier[:_EARLIER]), "replace", language, shown=False)
        + _words(models, language)
    )


def _words(models: Sequence[Model], language: str) -> Markup:
    known: dict[str, dict[str, None]] = {}
    for model in models:
        for group, words in model.vocabulary.items():
            known.setdefault(group, {}).update(dict.fromkeys(words))
    groups = [
        tag("h4", fixed(f"words.{group}", language, group)) + _presses(list(words), "append")
        for group, words in known.items()
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
