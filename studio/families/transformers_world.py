"""A model that knows one small world: what it goes on with, and what it does not try to answer.

Such a model only ever continues what it is given, and what it is given holds every word of the
order that it knows. Nothing that was asked can be lost, whatever the model does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A question, which no line of such a world answers.
_QUESTION = re.compile(r"\?|^\W*(?:who|what|when|where|why|which|how)\b", re.IGNORECASE)
_NOTHING_KNOWN = "nothing added, for this model knows none of these things"
#: There is one of each, and nobody has to be told.
_SKY = ("sun", "moon")
_CAPTION = re.compile(r"\b(?:captions?|describe)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Beginning:
    """How a text begins, and for what."""

    #: A control token: `improve`, `story` or `caption`; empty where the model is not to go on.
    purpose: str
    #: The words that the text begins with.
    text: str
    #: What the note should say of it.
    remark: str = ""


class SmallWorld:
    """The words that a small model knows, and what to make of an order in them."""

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        """`groups` are those of the model's `vocabulary.json`: colours, objects, sizes, other."""
        self._things = tuple(groups["objects"])
        self._qualities = (*groups["sizes"], *groups["colours"])

    def beginning(self, task: str, request: Mapping[str, Any]) -> Beginning:
        """How the text for an order begins."""
        if begun := request.get("beginning"):
            if self._named(begun):
                return Beginning("story", begun)
            return Beginning("", begun, _NOTHING_KNOWN)
        prompt = request["prompt"].strip().rstrip(".,;:!")
        things = self._named(prompt)
        if task == "prompt-expansion":
            if things:
                return Beginning("improve", prompt)
            return Beginning("", prompt, _NOTHING_KNOWN)
        if not things or _QUESTION.search(prompt):
            return Beginning("", self._answer(), "a fixed answer, outside this model's small world")
        caption = _CAPTION.search(prompt) is not None
        opening = "A picture of" if caption else "Once there was"
        told = " and ".join(map(_with_article, things))
        return Beginning("caption" if caption else "story", f"{opening} {told}")

    def sound(self, text: str) -> str:
        """The text up to the first sentence that speaks of a thing as known that was not there."""
        for known in re.finditer(r"\b[Tt]he (\w+)", text):
            thing, before = known[1], text[: known.start()]
            there = re.search(rf"\ban? (?:\w+ ){{0,3}}{thing}\b", before)
            if thing in self._things and thing not in _SKY and not there:
                return before[: before.rfind(".") + 1]
        return text

    def _answer(self) -> str:
        known = ", ".join(self._things[:-1]) + f" and {self._things[-1]}"
        return (
            f"I am a small starter model and know one drawn world: {known}. Ask me for a story "
            "about them, as in “a story about a red boat and the moon”. For everything else, "
            "install a larger model: `studio models` lists them."
        )

    def _named(self, prompt: str) -> list[str]:
        """The things in the prompt, each with the colours and sizes said of it."""
        found: list[str] = []
        said: list[str] = []
        compound = False
        for word in re.findall(r"[^\W\d_]+|[^\w\s]", prompt.lower()):
            one = next((end for end in _singulars(word) if end in self._things), None)
            if word in self._qualities:
                said.append(word)
            elif compound and one is not None:
                found[-1] += f" {one}"
            elif one is not None:
                found.append(" ".join([*self._sorted(said), one]))
                said = []
            # "crescent moon": two nouns without a word between them are one thing.
            compound = one is not None
        if found and said:
            # "a boat that is red": what comes after the last thing is said of it.
            words = [*found[-1].split(), *said]
            qualities = self._sorted([word for word in words if word in self._qualities])
            found[-1] = " ".join([*qualities, *(w for w in words if w not in self._qualities)])
        return list(dict.fromkeys(found))

    def _sorted(self, qualities: Sequence[str]) -> list[str]:
        return sorted(dict.fromkeys(qualities), key=self._qualities.index)


def _singulars(word: str) -> tuple[str, ...]:
    """What a noun may be one of many of."""
    return word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"


def _with_article(thing: str) -> str:
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
