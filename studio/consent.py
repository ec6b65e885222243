"""Consent to the use of a voice: a fresh sentence, read aloud by whom the voice belongs to.

What is here is pure: the sentence, whether a transcript is that sentence, the record that remains,
and the verbs. `provenance.consents` keeps the records, `local_consent` asks and listens.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any, Protocol

#: Words that neither people nor listeners take for others.
_NUMBERS = (
    "three", "five", "six", "seven", "nine", "ten", "eleven", "twelve", "twenty",
)  # fmt: skip
_COLOURS = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white",
)  # fmt: skip
_THINGS = (
    "circles", "squares", "triangles", "stars", "hearts", "diamonds", "rings", "trees",
    "houses", "boats", "cats", "birds", "flowers", "rockets", "balloons", "mushrooms", "apples",
    "butterflies", "umbrellas", "dogs", "horses", "stones", "bridges", "mountains", "clocks",
    "chairs", "letters", "candles", "clouds", "pencils", "tigers",
)  # fmt: skip
_PROMISE = "I agree that this studio may use my voice."
#: How many of the code's six words have to be heard, in their order, and which share of all words.
_CODE_HEARD, _SHARE_HEARD = 5, 0.7
#: Numbers as listeners may write them.
_DIGITS = {
    "3": "three", "5": "five", "6": "six", "7": "seven", "9": "nine", "10": "ten",
    "11": "eleven", "12": "twelve", "20": "twenty",
}  # fmt: skip

#: Seconds within which the sentence has to be read, and days for which a consent may hold.
READ_WITHIN = 600.0
LONGEST_DAYS = 366.0
#: What a record says where no model was there to compare.
NOT_COMPARED = "speaker not compared"


@dataclass(frozen=True)
class Challenge:
    """A sentence to be read aloud, by whom a voice belongs to, before it expires."""

    id: str
    #: The sample that it is about: its media id, and the SHA-256 of its file.
    voice: str
    sha256: str
    sentence: str
    #: Seconds since the epoch.
    expires: float


@dataclass(frozen=True)
class Consent:
    """That somebody agreed, as it stands in the ledger's chain."""

    id: str
    #: The pseudonym of whose studio it is for.
    owner: str
    #: SHA-256 of the sample's file: of this voice, and no other.
    voice: str
    #: What was to be read, and what was heard, by which model.
    sentence: str
    heard: str
    listener: str
    #: SHA-256 of the recording in which it was read.
    recording: str
    #: How alike the two speakers are, by which model; or that nothing compared them.
    speaker: str
    #: Seconds since the epoch.
    created: float
    expires: float
    #: The leaf that signed, PEM, and its ECDSA signature over the rest, hex.
    certificate: str
    signature: str = ""
    #: When it was taken back; the signature does not cover that.
    revoked: float | None = None

    def statement(self) -> Mapping[str, Any]:
        """What is signed."""
        said = asdict(self)
        del said["signature"], said["revoked"]
        return said

    def holds_at(self, moment: float) -> bool:
        """Whether it is neither expired nor taken back."""
        return self.revoked is None and moment < self.expires


class Voices(Protocol):
    """The verbs of consent. Somebody else's is `NotFound`, like one that is not."""

    async def ask_consent(self, voice: str) -> Challenge:
        """A fresh sentence for the sample with the media id `voice`, to be read within minutes.

        Raises:
            NotFound: if one has no such sound.
            InvalidRequest: if it is no sound, or too short or too long to be a sample.
            Unavailable: if no model is installed that could hear the sentence; the hint names some.
        """

    async def give_consent(self, challenge: str, recording: str, *, days: float = 30) -> Consent:
        """Record that the sentence was read, in the sound with the media id `recording`.

        Listens to it, and compares the speakers where a model for that is installed; this takes as
        long as these jobs do, and asking again finds the same ones.

        Raises:
            NotFound: if there is no such challenge, or it expired.
            Refused: if something else was said, or somebody else said it.
            Unavailable: if no model that listens is installed.
        """

    async def consents(self) -> list[Consent]:
        """One's own, oldest first, with those that expired or were revoked."""

    async def revoke_consent(self, consent: str) -> Consent:
        """Take it back, for good: jobs that use it stop, and the sample is deleted."""


def fresh_sentence() -> str:
    """A sentence that nobody can have recorded before: one of millions."""
    code = [
        f"{secrets.choice(_NUMBERS)} {secrets.choice(_COLOURS)} {secrets.choice(_THINGS)}"
        for _ in range(2)
    ]
    return f"{_PROMISE} The words are {code[0]} and {code[1]}."


def was_read(sentence: str, heard: str) -> bool:
    """Whether a transcript is the sentence, a listener's few mistakes allowed for.

    Five of the six words that make it fresh have to be there, in their order.
    """
    said, listened = _words(sentence), _words(heard)
    code = [word for word in said if word in {*_NUMBERS, *_COLOURS, *_THINGS}]
    return (
        _common(code, listened) >= _CODE_HEARD
        and _common(said, listened) >= _SHARE_HEARD * len(said)
        # Nor may the sentence be hidden in a longer speech.
        and len(listened) <= 1.5 * len(said)
    )


def _words(text: str) -> list[str]:
    return [_DIGITS.get(word, word) for word in re.findall(r"\w+", text.casefold())]


def _common(first: list[str], second: list[str]) -> int:
    """How many words two texts share in the same order."""
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())
