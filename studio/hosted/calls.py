"""What a provider is asked and what it answers, whoever it is; each kit's module translates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation, with the pictures that were shown in it, as PNG."""

    role: Literal["user", "assistant"]
    text: str
    pictures: Sequence[bytes] = ()


@dataclass(frozen=True)
class Writing:
    """Go on with a conversation. What is None is left to the provider."""

    model: str
    turns: Sequence[Turn]
    #: What the model should be and do throughout.
    system: str = ""
    #: Tokens that may come back.
    most_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    stop: Sequence[str] = ()
    #: The card's `options.request`: further parameters, as the provider names them.
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Painting:
    """Make a picture; with `picture`, from that one."""

    model: str
    prompt: str
    #: In pixels; None follows the given picture.
    size: tuple[int, int] | None = None
    #: A PNG file.
    picture: bytes | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Speaking:
    """Read a text aloud."""

    model: str
    text: str
    voice: str
    speed: float = 1.0
    extra: Mapping[str, Any] = field(default_factory=dict)


#: An answer of an unwelcome status; no answer, or half of one; a refusal by their rules; nonsense.
What = Literal["status", "connection", "refusal", "answer"]
Call = Writing | Painting | Speaking


@dataclass(frozen=True)
class Answer:
    """What came back; tokens are the provider's own count, 0 where it does not say."""

    text: str = ""
    #: A media file, as yet unopened.
    media: bytes = b""
    #: Which model answered, as the provider names it: often a dated version.
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    #: Whether the text was cut at `most_tokens`.
    cut: bool = False


class Trouble(Exception):
    """A call that went wrong. The lane decides whether to try again and what people are told."""

    def __init__(
        self,
        status: int | None = None,
        message: str = "",
        *,
        code: str = "",
        retry_after: str | None = None,
        kind: What = "status",
    ) -> None:
        """`status` is HTTP's, None where there was none; `retry_after` the header as it came."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.retry_after = retry_after
        self.kind = kind


class Kit(Protocol):
    """One maker's software, behind the same calls. Every method raises `Trouble` and no other."""

    #: The software and its version, for the note.
    version: str

    async def ask(self, call: Call, tell: Callable[[str], None]) -> Answer:
        """Carry out the call; `tell` hears a text piece by piece."""

    async def close(self) -> None:
        """Close all connections."""
