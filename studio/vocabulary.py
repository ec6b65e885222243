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

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def read_vocabulary(folder: Path) -> Mapping[str, tuple[str, ...]]:
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


def remarks_on(text: str, groups: Mapping[str, tuple[str, ...]]) -> tuple[Remark, ...]:
    """One remark for each word of `text` that is in none of the `groups`, in its order."""
    # Compound words are read part by part, on both sides.
    known = {
        part for words in groups.values() for word in words for part in _WORD.findall(word.lower())
    }
    if not known:
        return ()
    unknown = dict.fromkeys(
        word
        for word in map(str.lower, _WORD.findall(text))
        if not known & {word, word.removesuffix("s"), word.removesuffix("es")}
    )
    return tuple(Remark(word, tuple(get_close_matches(word, sorted(known)))) for word in unknown)
