"""Slips of the pen: a text as somebody in a hurry would have copied it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from studio.draft import Array, Draft

_WORD = re.compile(r"\w+")


def garble(
    request: Mapping[str, Any], _: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """`text` with a slip in a share `slips` of its words, drawn by `seed`; one at least.

    What stands between the words, and with it every line, stays as it is.
    """
    text, rng = str(request["text"]), random.Random(request["seed"])  # noqa: S311
    words = list(_WORD.finditer(text))
    wanted = min(len(words), max(1, round(request["slips"] * len(words))))
    made, copied = [], 0
    for place in sorted(rng.sample(range(len(words)), wanted)):
        word = words[place]
        made += [text[copied : word.start()], _slip(word[0], rng)]
        copied = word.end()
    tell(1.0)
    facts = {"text": "".join([*made, text[copied:]]), "made with": [f"{wanted} slips of the pen"]}
    return {}, facts


def _slip(word: str, rng: random.Random) -> str:
    """The word with a letter left out, doubled, or changed places with its neighbour."""
    place = rng.randrange(len(word))
    slips = [word[:place] + word[place] + word[place:]]
    if len(word) > 1:
        slips.append(word[:place] + word[place + 1 :])
    if place + 1 < len(word) and word[place] != word[place + 1]:
        slips.append(word[:place] + word[place + 1] + word[place] + word[place + 2 :])
    return rng.choice(slips)
