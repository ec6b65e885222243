"""Words: how texts are cut up to be found again, in any script, and how searches are read."""

from __future__ import annotations

import re
import unicodedata


def words(text: str) -> list[str]:
    """`text` cut into what can be searched for.

    Letters and digits stay together, except in scripts that are written without spaces: there
    every character is a word, as every emoji is.
    """
    found: list[str] = []
    run = ""
    for character in unicodedata.normalize("NFKC", text).casefold():
        category = unicodedata.category(character)
        alone = unicodedata.east_asian_width(character) in "WF"
        # A mark belongs to the letter before it.
        if (category[0] in "LN" and not alone) or (category[0] == "M" and run):
            run += character
        else:
            found += [run] if run else []
            run = ""
            if category == "So" or (category[0] in "LN" and alone):
                found.append(character)
    return [*found, run] if run else found


def match(search: str) -> str | None:
    """What was searched for in FTS5's own language, all words quoted; None if it has no word."""
    phrases = []
    for quoted, loose in re.findall(r'"([^"]*)"|([^\s"]+)', search):
        if found := words(quoted or loose):
            phrases.append(f'"{" ".join(found)}"{"" if quoted else "*"}')
    return " AND ".join(phrases) or None
