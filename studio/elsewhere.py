"""Models that run elsewhere, as their cards describe them: at whom, for how much, and if at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from studio.settings import Provider

#: The distribution that speaks each api.
_KITS = {"openai": "openai", "anthropic": "anthropic", "google": "google-genai"}
_MILLION = 1_000_000
#: Characters to a token, in English; other scripts take more tokens.
_CHARACTERS = 4


class Hosted(BaseModel):
    """A model that runs at a provider, who gets what people write; nothing is fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: The provider's name in the settings: `[hosted.NAME]`.
    provider: str
    #: What the provider calls the model.
    model: str

    def missing(self, providers: Mapping[str, Provider]) -> str:
        """What somebody has to do before the model can be called; empty if nothing."""
        provider = providers.get(self.provider)
        if provider is None:
            return (
                f"Whoever runs this studio can add [hosted.{self.provider}] with a key_file or a "
                "base_url to its settings."
            )
        try:
            version(_KITS[provider.api])
        except PackageNotFoundError:
            return "Install the providers' kits with `scripts/install hosted`."
        return ""


class Prices(BaseModel):
    """What a provider asks for, as the operator has it from the provider's own list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    #: For a million tokens that are sent, and that come back.
    input: Annotated[float, Field(ge=0)] = 0.0
    output: Annotated[float, Field(ge=0)] = 0.0
    #: For one output, beside its tokens.
    each: Annotated[float, Field(ge=0)] = 0.0
    #: For a million characters that are read aloud.
    characters: Annotated[float, Field(ge=0)] = 0.0
    #: Tokens that one output has, where it is a picture, for what is said beforehand.
    tokens: Annotated[int, Field(ge=0)] = 0

    def cost(self, *, sent: float = 0, came: float = 0, characters: int = 0) -> Cost:
        """What one call costs with so many tokens that were sent and came, or were read aloud."""
        counted = self.input * sent + self.output * came + self.characters * characters
        return Cost(round(counted / _MILLION + self.each, 6), self.currency)

    def foreseen(self, request: Mapping[str, Any]) -> Cost:
        """About what an order costs, a text as long as it may get; before it is made."""
        words = sum(len(value) for value in request.values() if isinstance(value, str))
        one = self.cost(
            sent=words / _CHARACTERS,
            came=self.tokens or request.get("max_tokens", 0),
            characters=len(request.get("text", "")),
        )
        return Cost(round(one.amount * request.get("count", 1), 6), self.currency)


@dataclass(frozen=True)
class Cost:
    """An amount of money."""

    amount: float
    #: ISO 4217: USD, EUR …
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:.4f} {self.currency}"
