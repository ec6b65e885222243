"""What a check of a file found: each layer by itself, then one plain verdict.

A verdict never says more than its evidence: it never calls anything human-made, authentic or true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The one word for what was found, strongest first."""

    #: A valid manifest, signed under a root that you trust; your own installation's is one.
    SIGNED = "signed"
    #: A valid manifest by a signer you do not know.
    UNKNOWN_SIGNER = "unknown-signer"
    #: No manifest, but this studio's mark is in it.
    MARKED = "marked"
    #: It merely looks like something made here; or it is known byte for byte, without a statement.
    FINGERPRINT = "fingerprint"
    #: Nothing was found, which says nothing about how the file was made.
    NONE = "none"
    #: Layers disagree: a broken signature, or a mark that belongs to another picture.
    CONTRADICTED = "contradicted"


@dataclass(frozen=True)
class Layer:
    """One kind of evidence."""

    #: `manifest`, `mark`, `fingerprint` or `ledger`.
    name: str
    #: The layer's own word: for a manifest `trusted`, `valid`, `expired`, `invalid` or `absent`;
    #: for the others `found`, `weak` or `absent`; a mark that is another picture's is `copied`.
    state: str
    #: One plain sentence.
    summary: str
    #: Numbers and names behind it.
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """The result of checking one file."""

    file: str
    outcome: Outcome
    #: One plain sentence for people.
    sentence: str
    layers: tuple[Layer, ...]

    def record(self) -> dict[str, Any]:
        """The verdict as JSON, as `studio verify --json` prints it."""
        return {
            "file": self.file,
            "verdict": self.outcome.value,
            "sentence": self.sentence,
            "layers": [asdict(layer) for layer in self.layers],
        }
