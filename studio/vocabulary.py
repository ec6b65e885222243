"""The words that a small model knows, where it ships a list of them: `vocabulary.json`.

Such a model draws something for any word, and nothing for an unknown one; without a word about it
people would blame themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from studio.job import Remark

Groups = Mapping[str, tuple[str, ...]]
"""Words by what they name."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

#: A measure of music: "3/4".
_METRE = re.compile(r"\d+/\d+")

#: What a number is called, for models that know it by name.
_SPOKEN = {"1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six"}


def read_vocabulary(folder: Path) -> Groups:
    """The words that the model in `folder` knows, by group; empty where it ships no list."""
    try:
        text = (folder / "vocabulary.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return {group: tuple(words) for group, words in json.loads(text)["groups"].items()}


def leave_out(text: str, phrases: Iterable[str]) -> str:
    """`text` without these phrases, wherever they stand as words of their own."""
    return " ".join(_any_of(phrases).sub(" ", text).split())


def mentions(text: str, phrases: Iterable[str]) -> bool:
    """Whether one of these phrases stands in `text` as words of its own."""
    return _any_of(phrases).search(text) is not None


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    # The longest first: one may begin as another does. Of none, nothing is found.
    either = "|".join(map(re.escape, sorted(phrases, key=len, reverse=True))) or "(?!)"
    return re.compile(rf"\b(?:{either})\b", re.IGNORECASE)


def _known(groups: Groups) -> set[str]:
    # Compound words are read part by part, on both sides; metres as they are, too.
    every = [word.lower() for words in groups.values() for word in words]
    metres = {word for word in every if _METRE.fullmatch(word)}
    return metres.union(part for word in every for part in _WORD.findall(word))


def _knows(known: set[str], word: str) -> bool:
    if word[0].isdigit():
        # Whoever reads metres reads any number, as a tempo; others know those that they list.
        return word in known or any(map(_METRE.fullmatch, known))
    return bool(known & {word, word.removesuffix("s"), word.removesuffix("es")})


def unknown(text: str, groups: Groups) -> tuple[str, ...]:
    """The words of `text` that are in none of the `groups`, each once, in its order; where there
    are no groups, every word is known.
    """
    known = _known(groups)
    words = dict.fromkeys(map(str.lower, _WORD.findall(text))) if known else ()
    return tuple(word for word in words if not _knows(known, word))


def remarks_on(
    text: str, groups: Groups, others: Mapping[str, Groups] | None = None
) -> tuple[Remark, ...]:
    """One remark for each word that is `unknown`; `others` are the lists of other models, by their
    titles. Words that look alike are named only where no other model knows it: then it is a slip.
    """
    known = sorted(_known(groups))
    elsewhere = {title: _known(theirs) for title, theirs in (others or {}).items()}

    def remark(word: str) -> Remark:
        known_by = tuple(title for title, theirs in elsewhere.items() if _knows(theirs, word))
        # What a number is called is no matter of looking alike.
        like = _SPOKEN.get(word, word)
        near = get_close_matches(like, known, cutoff=0.6 if like == word else 1.0)
        return Remark(word, () if known_by else tuple(near), known_by)

    return tuple(map(remark, unknown(text, groups)))
