"""Marks: a random number hidden in the content itself, so that it outlives the file's metadata.

A mark is a pointer, never a proof: the number says nothing by itself, and only the ledger of the
installation that drew it knows what it stands for. Who has the key can forge it; the signature is
the proof. One mark per kind of content is the studio's own, each behind the same three names;
`plugins` finds those that other packages bring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from studio.draft import Draft
from studio.tasks.request import Kind


@dataclass(frozen=True)
class MarkKey:
    """A secret that marks are made with. Old ones are kept, so that old outputs stay readable."""

    #: Public name of the key, 8 hex digits; every note names the one that was used.
    id: str
    #: 32 random bytes.
    secret: bytes


@dataclass(frozen=True)
class Marked:
    """Content that now carries a mark."""

    draft: Draft
    #: Name of the key it was made with.
    key: str
    #: Peak signal-to-noise ratio against the unmarked content, in dB; higher is less visible.
    psnr: float
    #: How strongly the weakest part reads, in the units of `Found.strength`.
    margin: float
    #: Whether the mark may not survive much: the content is too small or too busy for it.
    weak: bool


@dataclass(frozen=True)
class Found:
    """A mark that was read, and how surely."""

    payload: int
    #: Name of the key that read it.
    key: str
    #: Correlation with the ideal mark: about 0 ± 1 by chance, 9 and more in practice.
    strength: float
    #: How many readings were tried before this one; each had its own chance to be wrong.
    tries: int
    #: Upper bound, never 0, on the chance that unmarked content reads as some mark, over all tries.
    chance: float
    #: How the content had been turned before reading; of a picture always `scale`, `turn` in
    #: degrees and `mirrored`.
    geometry: dict[str, float | bool]


class Mark(Protocol):
    """A way to hide a number in one kind of content, and to read it again."""

    #: Name and version of the method, as manifests and ledger rows give it.
    alg: str
    kind: Kind
    #: How many bits the number has.
    bits: int

    def embed(self, draft: Draft, payload: int) -> Marked:
        """`draft` with `payload` in it, made with the newest key; the draft itself is unchanged."""

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        """The number in `draft`, or None; `thorough` also tries turned and cropped content."""
