"""The mark of texts: statistical, in the choice of words, and without a number.

A child that writes gets a key that follows from the mark key and the model's tokenizer, never the
mark key itself. The tokenizer is kept, so that texts stay readable when their model is gone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.cards import Card
from studio.families import Order
from studio.provenance.marks import MarkKey
from studio.tasks import TASKS
from studio.tournament import SHORTEST, evidence

#: Only so many letters of a text are read: enough for any certainty, and soon done.
_LETTERS = 50_000
#: A likelihood of less than this is called a mark.
SURE = 1e-6


@dataclass(frozen=True)
class Leaning:
    """The key that a text leans to most; it may be by chance."""

    #: Name of the mark key.
    key: str
    #: In standard deviations.
    strength: float
    #: How many tokens were examined.
    tokens: int
    #: How many pairs of key and tokenizer were tried.
    tries: int
    #: Upper bound on the chance that an unmarked text leans as far, over all those tries.
    chance: float


@dataclass(frozen=True)
class TextMark:
    """Hands out the keys of the texts written here, and looks for their traces."""

    #: Where the tokenizers are kept, each under its SHA-256.
    folder: Path
    #: Newest first.
    keys: Sequence[MarkKey]

    alg = "org.colophon.tournament.v1"

    def keyed(self, orders: Sequence[Order], card: Card, folder: Path) -> list[Order]:
        """The orders for a model in `folder`; for long enough texts with the key of their mark.

        The card's option `text_mark: false` leaves it out; so does a model without a
        `tokenizer.json`, whose texts could not be examined.
        """
        source = folder / "tokenizer.json"
        if not card.studio.options.get("text_mark", True) or not source.is_file():
            return list(orders)
        if not any(map(_long, orders)):
            return list(orders)
        key = self._kept(source.read_bytes())
        return [replace(order, text_key=key) if _long(order) else order for order in orders]

    def _kept(self, content: bytes) -> str:
        """Keep a tokenizer; the key of the texts that are written with it, in hex."""
        kept = self.folder / f"{hashlib.sha256(content).hexdigest()}.json"
        if not kept.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Whoever looks meanwhile must not find half of it.
            arriving = kept.with_suffix(f".{secrets.token_hex(4)}")
            arriving.write_bytes(content)
            os.replace(arriving, kept)
        return _derived(self.keys[0], kept.stem).hex()

    def detect(self, text: str) -> Leaning | None:
        """The likeliest key of `text`; None if it is too short for every tokenizer known."""
        # Slow to import, and needed for long texts only.
        from tokenizers import Tokenizer

        kept = sorted(self.folder.glob("*.json"))
        tries = len(kept) * len(self.keys)
        found: list[Leaning] = []
        for path in kept:
            reader = Tokenizer.from_file(str(path))
            tokens = reader.encode(text[:_LETTERS], add_special_tokens=False).ids
            if len(tokens) < SHORTEST:
                continue
            for key in self.keys:
                seen = evidence(_derived(key, path.stem), tokens)
                chance = min(1.0, seen.chance * tries)
                found.append(Leaning(key.id, seen.strength, seen.tokens, tries, chance))
        return min(found, key=lambda leaning: leaning.chance, default=None)


def _long(order: Order) -> bool:
    return TASKS[order.task].makes == "text" and order.request.get("max_tokens", 0) >= SHORTEST


def _derived(key: MarkKey, tokenizer: str) -> bytes:
    return hmac.digest(key.secret, f"text {tokenizer}".encode(), "sha256")
