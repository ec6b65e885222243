"""Requests that write text."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studio.tasks.request import (
    Advanced,
    Multiline,
    Prompt,
    Request,
    Text,
    not_blank,
    plain_text,
)

#: A text to work on. A model's own window is smaller; what passes it is refused with the count.
LongText = Annotated[
    Text, Field(min_length=1, max_length=200_000), AfterValidator(not_blank), Multiline()
]

#: Languages by their ISO 639-1 codes, as models for many languages know them.
LANGUAGES = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it",
    "ja", "ko", "nl", "no", "pl", "pt", "ro", "ru", "sv", "sw", "th", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
_Language = Annotated[Text, Field(pattern="^[a-z]{2}$")]


def turns(history: str) -> list[tuple[Literal["user", "assistant"], str]]:
    """The earlier turns of a conversation: who spoke, and what.

    Raises:
        ValueError: if `history` is not `[{"role": "user" | "assistant", "content": text}, …]`.
    """
    try:
        said = json.loads(history or "[]")
        spoken = [(one["role"], plain_text(one["content"])) for one in said]
    except (TypeError, KeyError, json.JSONDecodeError):
        raise ValueError('write it as JSON: [{"role": "user", "content": "…"}]') from None
    for role, _ in spoken:
        if role not in ("user", "assistant"):
            raise ValueError(f"nobody is called {role!r}; it is user or assistant")
    return spoken


def _conversation(history: str) -> str:
    turns(history)
    return history


#: Earlier turns of a conversation, oldest first.
History = Annotated[
    Text,
    Field(max_length=1_000_000),
    AfterValidator(_conversation),
    Multiline(),
    Advanced(),
]


class Written(Request):
    """What every request for a text that a model writes can say beside what it is about."""

    max_tokens: Annotated[int, Field(ge=1, le=32_768)] = Field(
        512, title="Longest", description="How many tokens it may have; a word is one or two."
    )
    temperature: Annotated[float, Field(ge=0, le=2), Advanced()] = Field(
        0.7, title="Temperature", description="How freely words are chosen; 0 is always the same."
    )
    top_p: Annotated[float, Field(ge=0.01, le=1), Advanced()] = Field(
        0.95, title="Top p", description="Out of which share of likely words one is chosen."
    )
    top_k: Annotated[int, Field(ge=0, le=1000), Advanced()] = Field(
        0, title="Top k", description="Out of how many likely words one is chosen; 0 is any number."
    )
    repetition_penalty: Annotated[float, Field(ge=1, le=2), Advanced()] = Field(
        1.0,
        title="Repetition penalty",
        description="Above 1, words that were used become less likely.",
    )
    format: Annotated[Literal["txt", "md"], Advanced()] = Field(
        "txt", title="Format", description="File format of the result."
    )


class _Read(Written):
    """The same, of a text about a text."""

    truncate: Annotated[bool, Advanced()] = Field(
        False, title="Truncate", description="Whether what is too long for the model may be cut."
    )


class TextGeneration(_Read):
    """Write a text from a description."""

    prompt: LongText = Field(title="Prompt", description="What to write.")
    kind: Literal[
        "anything", "story", "poem", "script", "lyrics", "product copy", "social post", "code"
    ] = Field("anything", title="Kind", description="What sort of text it is to be.")
    system: Annotated[Text, Field(max_length=20_000), Multiline(), Advanced()] = Field(
        "", title="System prompt", description="Who the model is to be, and how it is to write."
    )
    history: History = Field(
        "", title="History", description="Earlier turns of a conversation, as JSON."
    )
    beginning: Annotated[Text, Field(max_length=200_000), Multiline(), Advanced()] = Field(
        "", title="Beginning", description="How the text begins; the model goes on from there."
    )


class PromptExpansion(_Read):
    """Say more about a picture, so that a model makes a better one."""

    prompt: Prompt = Field(title="Prompt", description="What the picture is to show.")


class Summarization(_Read):
    """Say in short what a text says."""

    text: LongText = Field(title="Text", description="What to summarise.")
    length: Literal["a sentence", "a paragraph", "a page"] = Field(
        "a paragraph", title="Length", description="How long the summary is to be."
    )


class Translation(_Read):
    """Say in another language what a text says."""

    text: LongText = Field(title="Text", description="What to translate.")
    target: _Language = Field(
        "en", title="Into", description="The language to translate into, as in en, de or zh."
    )
    source: _Language | None = Field(
        None, title="From", description="The language of the text; empty lets the model find out."
    )


class TextRewriting(_Read):
    """Say the same in other words."""

    text: LongText = Field(title="Text", description="What to rewrite.")
    style: Literal[
        "paraphrase", "formal", "casual", "friendly", "simple", "vivid", "concise", "corrected",
        "back-translation",
    ] = Field(
        "paraphrase",
        title="Style",
        description="How it is to sound; back-translation goes through another language and back. "
        "Several are worded differently, each by its seed.",
    )  # fmt: skip
    language: Annotated[_Language, Advanced()] = Field(
        "en", title="Language", description="The text's own, to which a back-translation returns."
    )
    through: Annotated[_Language, Advanced()] = Field(
        "de", title="Through", description="The language that a back-translation goes through."
    )


class TextNoising(Request):
    """Make copies of a text with slips of the pen, as training data."""

    text: LongText = Field(title="Text", description="What to copy.")
    slips: Annotated[float, Field(ge=0.01, le=1)] = Field(
        0.1, title="Slips", description="Which share of the words has one."
    )
    format: Annotated[Literal["txt", "md"], Advanced()] = Field(
        "txt", title="Format", description="File format of the result."
    )


class QuestionAnswering(_Read):
    """Answer a question about a text."""

    question: Annotated[Text, Field(min_length=1, max_length=4000), AfterValidator(not_blank)] = (
        Field(title="Question", description="What to find out.")
    )
    text: LongText = Field(title="Text", description="The text that holds the answer.")
