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

_PAUSE = re.compile(r"\[\s*pause\b([^\]]*)\]|<break\b([^>]*)>", re.IGNORECASE)
_LENGTH = re.compile(
    r"""(?:time\s*=\s*)?["']?(\d+(?:\.\d+)?)\s*(ms|s|sec|seconds?)?["']?""", re.IGNORECASE
)
#: Markup that means something to other voices, and that nobody wants to hear read out.
_MARKUP = re.compile(r"</?(?:speak|prosody|emphasis|phoneme|say-as)\b[^>]*>", re.IGNORECASE)
#: Where a sentence ends: what closes a quotation or a bracket is still its own.
_END = re.compile(r"([.!?…][\"'”’»)\]]*)\s+|([。！？।][」』”’）]*)")
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


def sentences(text: str, speed: float = 1.0) -> list[Sentence]:
    """The sentences of a text, said at `speed`, which the usual pauses follow.

    Silence is written `[pause 0.5s]`, `[pause 300 ms]` or as SSML has it, `<break time="0.5s"/>`.

    Raises:
        InvalidRequest: if a pause is none or too long, there is other markup, or nothing to say.
    """
    if markup := _MARKUP.search(text):
        raise InvalidRequest(
            f"text: {markup[0]} cannot be said.",
            hint="Of SSML there is <break> alone; speed, pitch, voice and language are fields.",
        )
    found: list[Sentence] = []
    for paragraph in re.split(r"\n\s*\n", text):
        place = 0
        for pause in [*_PAUSE.finditer(paragraph), None]:
            said = _cut(" ".join(paragraph[place : pause.start() if pause else None].split()))
            found += [Sentence(one, _SENTENCE / speed) for one in said]
            if pause is None:
                break
            place = pause.end()
            # One that is written stands in place of the one that is usual.
            before = found.pop() if said else Sentence("", 0)
            found.append(Sentence(before.text, _silence(pause)))
        if found:
            last = found.pop()
            found.append(Sentence(last.text, max(last.pause, _PARAGRAPH / speed)))
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


def _silence(pause: re.Match[str]) -> float:
    """The seconds of a written pause; one that says none is as long as that after a paragraph."""
    said = (pause[1] or pause[2] or "").strip(" \t\n/")
    if not said:
        return _PARAGRAPH
    length = _LENGTH.fullmatch(said)
    if length is None:
        raise InvalidRequest(
            f"text: {pause[0]} is no pause.", hint="Write [pause 0.5s] or [pause 300 ms]."
        )
    seconds = float(length[1]) / (1000 if (length[2] or "").lower() == "ms" else 1)
    if seconds > _LONGEST:
        raise InvalidRequest(
            f"text: a pause of {seconds:g} seconds is too long.",
            hint=f"Write up to {_LONGEST:g} seconds, or several pauses.",
        )
    return seconds


def _cut(text: str) -> list[str]:
    whole: list[str] = []
    for piece in filter(None, map(str.strip, _END.sub(r"\1\2\n", text).splitlines())):
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
