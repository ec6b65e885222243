"""How an order for a text is put to a model that follows instructions, wherever it runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from studio.tasks.text import turns

#: Who spoke, and what.
Turn = tuple[Literal["user", "assistant"], str]


@dataclass(frozen=True)
class Instruction:
    """A conversation for a model to go on with."""

    #: What the model is to be and do throughout; may be empty.
    system: str
    #: Earlier turns, and what is asked now as the last one.
    turns: Sequence[Turn]


def instruction(task: str, request: Mapping[str, Any]) -> Instruction:
    """What a model is told for a request of one of the text tasks."""
    words = _words()
    match task:
        case "text-generation":
            system = "\n\n".join(filter(None, [request["system"], words[task][request["kind"]]]))
            return Instruction(system, [*turns(request["history"]), ("user", request["prompt"])])
        case "prompt-expansion":
            return Instruction(words[task]["any"], [("user", request["prompt"])])
        case "summarization":
            told = words[task][request["length"]]
        case "translation":
            languages = {
                field: words["languages"].get(code, code)
                for field in ("source", "target")
                if (code := request[field]) is not None
            }
            told = words[task]["known" if "source" in languages else "unknown"].format(**languages)
        case "text-rewriting":
            told = words[task][request["style"]]
        case _:
            told = words[task]["any"]
            asked = f"{request['text']}\n\nQuestion: {request['question']}"
            return Instruction(told, [("user", asked)])
    return Instruction(told, [("user", request["text"])])


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
