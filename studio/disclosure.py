"""An artificial voice says that it is one, where the operator's policy wants that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from studio.tasks.request import Request

#: Not at all; aloud, before or after what is said; or in the first line of its subtitles.
Disclosure = Literal["none", "before", "after", "written"]

#: What is said, by the first part of the language's tag. Other languages hear English.
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "cmn": "这是人工智能生成的声音。",
        "de": "Diese Stimme ist künstlich erzeugt.",
        "en": "This voice is artificial.",
        "es": "Esta voz es artificial.",
        "fr": "Cette voix est artificielle.",
        "it": "Questa voce è artificiale.",
        "ja": "この おんせい は じんこう おんせい です。",
        "nl": "Deze stem is kunstmatig.",
        "pl": "Ten głos jest sztuczny.",
        "pt": "Esta voz é artificial.",
        "ru": "Этот голос искусственный.",
        "tr": "Bu ses yapaydır.",
        "zh": "这是人工智能生成的声音。",
    }
)
#: The tasks that say their `text` in its `language`.
_SPOKEN = frozenset({"text-to-speech", "voice-cloning"})


def announced(how: Disclosure, task: str, request: Request) -> Request:
    """`request` with the disclosure in its text, if it is for a speech and that is to say so.

    A text that has it already, as one that is made again does, is left as it is.
    """
    values = request.model_dump()
    if how not in ("before", "after") or task not in _SPOKEN or disclosed(task, values):
        return request
    said = (sentence(values["language"]), values["text"])
    return request.model_copy(update={"text": " ".join(said if how == "before" else said[::-1])})


def disclosed(task: str, request: Mapping[str, Any]) -> str:
    """Which disclosure a speech's own text holds at one of its ends; empty if none."""
    if task not in _SPOKEN:
        return ""
    said, text = sentence(request["language"]), request["text"]
    return said if text.startswith(f"{said} ") or text.endswith(f" {said}") else ""


def sentence(language: str) -> str:
    """The disclosure in a language, by its tag."""
    return _SENTENCES.get(language.lower().partition("-")[0], _SENTENCES["en"])


def captioned(cues: Sequence[Mapping[str, Any]], language: str) -> list[dict[str, Any]]:
    """The cues of a speech in `language`, the first of which begins with the disclosure."""
    first = {**cues[0], "text": f"[{sentence(language)}] {cues[0]['text']}"}
    return [first, *map(dict, cues[1:])]
