"""What every request is made of: the base model, the markers on its fields, the shared types.

A request is flat and scalar, so that one description serves a web form, a slash command, a
command line, a table row, a JSON body and a chat tool alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: What a task makes.
Kind = Literal["image", "audio", "video", "text", "mesh"]

#: What a media field takes.
MediaKind = Literal["image", "mask", "audio", "video", "scene", "recording", "mesh"]

#: Those that take more, or something else, than their name says.
_TAKEN: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {"mask": ("image",), "scene": ("image", "video"), "recording": ("audio", "video")}
)

#: What that was to the output, as C2PA has it: what was worked on, what only steered it, or a part.
Relation = Literal["parentOf", "inputTo", "componentOf"]

MAX_SEED = 2**53 - 1  # the largest integer that JSON, JavaScript and Discord all keep exact


@dataclass(frozen=True)
class Advanced:
    """Marks a field that most people leave alone; forms fold it away."""


@dataclass(frozen=True)
class Multiline:
    """Marks a text field that deserves more than one line."""


@dataclass(frozen=True)
class ModelName:
    """Marks the text field that names a model; surfaces offer the catalogue's names."""


@dataclass(frozen=True)
class Media:
    """Marks a field that names a picture, sound, film or object, or a list: by id or as files.

    A scene is a picture or a film; a recording is a sound, or a film for its sound alone.
    """

    kind: MediaKind
    #: Only one file of an output can be its parent.
    relation: Relation = "parentOf"


def kinds_of(media: MediaKind) -> tuple[Kind, ...]:
    """The kinds of files that a media field takes."""
    return _TAKEN.get(media) or (cast(Kind, media),)


def plain_text(text: str) -> str:
    """`text` unchanged, if every character is one that a person can see or mean.

    Refuses control characters (NUL above all), lone surrogates and the bidirectional overrides
    that make text read differently from what it is (CVE-2021-42574). New lines and tabs pass.

    Raises:
        ValueError: naming the first such character and its place.
    """
    for place, character in enumerate(text):
        if character in "\n\t\r":
            continue
        if unicodedata.category(character) in ("Cc", "Cs") or character in _BIDI_CONTROLS:
            raise ValueError(
                f"character {place + 1} is U+{ord(character):04X}, which cannot be used in text; "
                "remove it"
            )
    return text


def cleaned(text: str) -> str:
    """`text` without the characters that `plain_text` refuses: for what a model has written."""
    return "".join(
        one
        for one in text
        if one in "\n\t" or not (unicodedata.category(one) in ("Cc", "Cs") or one in _BIDI_CONTROLS)
    )


_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def not_blank(text: str) -> str:
    """`text` unchanged, if it holds more than white space; else `ValueError`."""
    if not text.strip():
        raise ValueError("write something here")
    return text


#: Text that a person typed, checked character by character.
Text = Annotated[str, AfterValidator(plain_text)]
#: The one thing a person must say.
Prompt = Annotated[
    Text, Field(min_length=1, max_length=4000), AfterValidator(not_blank), Multiline()
]


class Request(BaseModel):
    """One order for one task. Subclasses add the task's own fields, the required one first."""

    # Strict, so that steps="20" or steps=True is an error rather than a guess; frozen, so that
    # what was checked is what runs.
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    model: Annotated[Text, Field(max_length=200), ModelName()] | None = Field(
        None, title="Model", description="Which model to use; empty picks the best one installed."
    )
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = Field(
        None, title="Seed", description="The same seed makes the same output; empty is random."
    )
    count: Annotated[int, Field(ge=1, le=64)] = Field(
        1, title="Count", description="How many to make, each with the next seed."
    )
    exact: Annotated[bool, Advanced()] = Field(
        False,
        title="Exact",
        description="Make each output alone, so that the same seed gives the very same one again.",
    )
