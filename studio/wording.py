"""How an order for a text is put to a model that follows instructions, wherever it runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from studio.tasks.text import turns

#: What is said of a text that a model had not finished.
CUT = "cut where it became as long as it may be"

#: Who spoke, and what.
Turn = tuple[Literal["user", "assistant"], str]


@dataclass(frozen=True)
class Instruction:
    """A conversation for a model to go on with."""

    #: What the model is to be and do throughout; may be empty.
    system: str
    #: Earlier turns, and what is asked now as the last one.
    turns: Sequence[Turn]
    #: How the answer begins, for the model to go on from there; may be empty.
    beginning: str = ""


def instruction(task: str, request: Mapping[str, Any]) -> Instruction:
    """What a model is told for a request of one of the text tasks."""
    words = _words()
    match task:
        case "text-generation":
            system = "\n\n".join(filter(None, [request["system"], words[task][request["kind"]]]))
            asked: list[Turn] = [*turns(request["history"]), ("user", request["prompt"])]
            return Instruction(system, asked, request["beginning"])
        case "prompt-expansion":
            return Instruction(words[task]["any"], [("user", request["prompt"])])
        case "summarization":
            told = words[task][request["length"]]
        case "translation":
            languages = _languages(request, "source", "target")
            told = words[task]["known" if "source" in languages else "unknown"].format(**languages)
        case "text-rewriting":
            languages = _languages(request, "language", "through")
            told = words[task][request["style"]].format(**languages)
        case _:
            told = words[task]["any"]
            both = f"{request['text']}\n\nQuestion: {request['question']}"
            return Instruction(told, [("user", both)])
    return Instruction(told, [("user", request["text"])])


def _languages(request: Mapping[str, Any], *fields: str) -> dict[str, str]:
    """The English names of the languages in those fields that name one."""
    names = _words()["languages"]
    return {name: names.get(code, code) for name in fields if (code := request[name]) is not None}


def asked_to_go_on(told: Instruction) -> Sequence[Turn]:
    """The turns for a model that cannot be given the beginning of its answer, only asked."""
    if not told.beginning:
        return told.turns
    return [*told.turns, ("assistant", told.beginning), ("user", _words()["go on"]["any"])]


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
