"""Every sentence of pages and bots, one TOML file per language.

`en.toml` is complete; the others may lack a key, and then the English stands in. Fields and tasks
carry their own English, so for them only the other languages have keys: `field.width.title`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

ENGLISH = "en"

#: The languages there are, each by its own name.
LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "en": "English",
        "es": "Español",
        "zh": "中文",
        "fr": "Français",
        "de": "Deutsch",
        "ja": "日本語",
    }
)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The sentences of one of the `LANGUAGES`, by key, as their file has them."""
    path = Path(__file__).parent / f"{language}.toml"
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def say(key: str, /, language: str = ENGLISH, **values: object) -> str:
    """The sentence called `key` in one of the `LANGUAGES`, with `values` filled in.

    Raises:
        KeyError: if there is no such sentence, or it needs a value that was not given.
    """
    words = catalogue(language)
    return (words[key] if key in words else catalogue(ENGLISH)[key]).format(**values)


def said(key: str, otherwise: str, /, language: str = ENGLISH) -> str:
    """The sentence called `key` if the catalogue has it in any form, or else `otherwise`."""
    return catalogue(language).get(key) or catalogue(ENGLISH).get(key, otherwise)


def preferred(header: str) -> str:
    """The first of the `LANGUAGES` that an Accept-Language header asks for; English if none is."""
    wishes = []
    for part in header.split(","):
        name, _, weight = part.partition(";q=")
        try:
            wishes.append((float(weight or 1), name.strip().lower()[:2]))
        except ValueError:
            continue
    # Sorting is stable: what is equally welcome stays in the header's order.
    wishes.sort(key=lambda wish: -wish[0])
    return next((name for rank, name in wishes if rank > 0 and name in LANGUAGES), ENGLISH)
