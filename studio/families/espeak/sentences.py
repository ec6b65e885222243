"""Text as a voice reads it: sentence by sentence, with the pauses between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from studio.errors import InvalidRequest

#: Seconds of silence after a sentence, and after a paragraph.
_SENTENCE, _PARAGRAPH = 0.3, 0.7
#: Seconds that a written pause may last.
_LONGEST = 10.0
#: A longer sentence is cut at its last comma before that many characters.
_BREATH = 300

_PAUSE = re.compile(r"\[\s*pause\s+(\d+(?:\.\d+)?)\s*(ms|s)\s*\]", re.IGNORECASE)
_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？।])")
#: What a full stop after these does not end; a single capital is an initial.
_SHORT = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|Mrs?|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|[ap]\.m|z\.\s?B|d\.\s?h|bzw|ca|M|Mme)\.$"
)


@dataclass(frozen=True)
class Sentence:
    """What is said in one breath."""

    text: str
    #: Seconds of silence after it.
    pause: float


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text; `[pause 0.5s]` and `[pause 300 ms]` are silence.

    Raises:
        InvalidRequest: if a pause is too long, or nothing is left to be said.
    """
    found: list[Sentence] = []
    for paragraph in re.split(r"\n\s*\n", text):
        place = 0
        for pause in [*_PAUSE.finditer(paragraph), None]:
            said = _cut(" ".join(paragraph[place : pause.start() if pause else None].split()))
            found += [Sentence(one, _SENTENCE) for one in said]
            if pause is None:
                break
            place = pause.end()
            length = float(pause[1]) / (1000 if pause[2].lower() == "ms" else 1)
            if length > _LONGEST:
                raise InvalidRequest(
                    f"text: a pause of {length:g} seconds is too long.",
                    hint=f"Write up to {_LONGEST:g} seconds, or several pauses.",
                )
            # One that is written stands in place of the one that is usual.
            before = found.pop() if said else Sentence("", 0)
            found.append(Sentence(before.text, length))
        if found:
            last = found.pop()
            found.append(Sentence(last.text, max(last.pause, _PARAGRAPH)))
    if not any(re.search(r"\w", one.text) for one in found):
        raise InvalidRequest("text: there is nothing to say in it.", hint="Write some words.")
    return [*found[:-1], Sentence(found[-1].text, 0)]


def parts(spoken: Sequence[Sentence], count: int) -> list[list[Sentence]]:
    """The sentences in `count` runs of about equal length.

    Raises:
        InvalidRequest: if there are fewer sentences than that.
    """
    if count > len(spoken):
        raise InvalidRequest(
            f"count: a text of {len(spoken)} sentences cannot be cut into {count} parts.",
            hint=f"Ask for {len(spoken)} or fewer.",
        )
    total = sum(len(one.text) + 1 for one in spoken)
    runs: list[list[Sentence]] = [[]]
    passed = 0
    for number, one in enumerate(spoken):
        left = len(spoken) - number
        full = passed + len(one.text) / 2 > total * len(runs) / count or left <= count - len(runs)
        if runs[-1] and len(runs) < count and full:
            runs.append([])
        runs[-1].append(one)
        passed += len(one.text) + 1
    return runs


def _cut(text: str) -> list[str]:
    whole: list[str] = []
    for piece in filter(None, map(str.strip, _END.split(text))):
        if whole and _SHORT.search(whole[-1]):
            whole[-1] += f" {piece}"
        else:
            whole.append(piece)
    return [breath for one in whole for breath in _breaths(one)]


def _breaths(text: str) -> list[str]:
    breaths = []
    while len(text) > _BREATH:
        comma = max(text.rfind(mark, 1, _BREATH) for mark in ",;:，、；")
        end = comma + 1 if comma > 0 else text.rfind(" ", 1, _BREATH)
        end = end if end > 0 else _BREATH
        breaths.append(text[:end].strip())
        text = text[end:].strip()
    return [*breaths, text]
