"""Keys, modes, chords and metres: the arithmetic that composer, arranger and judge share.

Melodies are counted in *steps*: diatonic scale steps above the tonic, 0 the tonic, 7 its octave.
Music in steps is the same in every key and mode, so the key that was asked for is kept exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from studio.errors import InvalidRequest

#: Semitones of the seven steps above the tonic.
MODES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "major": (0, 2, 4, 5, 7, 9, 11),
        "minor": (0, 2, 3, 5, 7, 8, 10),
        "dorian": (0, 2, 3, 5, 7, 9, 10),
        "mixolydian": (0, 2, 4, 5, 7, 9, 10),
        "lydian": (0, 2, 4, 6, 7, 9, 11),
        "phrygian": (0, 1, 3, 5, 7, 8, 10),
    }
)
_MODE_NAMES = {name: name for name in MODES} | {
    "": "major",
    "maj": "major",
    "ionian": "major",
    "m": "minor",
    "min": "minor",
    "aeolian": "minor",
}
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: The usual name of each pitch class.
TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Key:
    """A tonic and a mode."""

    #: Pitch class of the tonic, 0 (C) to 11 (B).
    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """As people write it: 'Bb minor'."""
        return f"{TONICS[self.tonic]} {self.mode}"

    @property
    def home(self) -> int:
        """The MIDI pitch of step 0, from 54 to 65: as near to middle C as the tonic allows."""
        return 60 + self.tonic if self.tonic < 6 else 48 + self.tonic

    def pitch(self, step: int, alteration: int = 0) -> int:
        """The MIDI pitch of a step, raised by `alteration` semitones."""
        return self.home + semitones(self.mode, step) + alteration


def semitones(mode: str, step: int) -> int:
    """How many semitones above the tonic `step` lies; steps go below 0 and above 7."""
    octave, degree = divmod(step, 7)
    return 12 * octave + MODES[mode][degree]


def parse_key(text: str) -> Key:
    """The key that a person means by 'C minor', 'F#m', 'Bb' or 'd dorian'.

    Raises:
        InvalidRequest: saying which tonics and modes there are.
    """
    match = re.fullmatch(r"\s*([A-Ga-g])\s*(#|b|♯|♭|sharp|flat)?[\s-]*([A-Za-z]*)\s*", text)
    # C M and C m differ in nothing but the case.
    suffix = "" if match is None else "" if match[3] == "M" else match[3].lower()
    mode = _MODE_NAMES.get(suffix)
    if match is None or mode is None:
        raise InvalidRequest(
            f"key: {text[:40]!r} is not a key.",
            hint=f"Write a tonic and a mode, as in 'C minor'; the modes are {', '.join(MODES)}.",
        )
    shift = {"#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}.get(match[2] or "", 0)
    return Key((_LETTERS[match[1].upper()] + shift) % 12, mode)


@dataclass(frozen=True)
class Metre:
    """How a bar is counted; a *grid step* is a sixteenth note."""

    name: str
    #: Grid steps in a bar, and in one of the beats that a tempo counts.
    bar: int
    beat: int
    #: Where a second chord may enter.
    half: int

    @property
    def beats(self) -> int:
        """Beats in a bar: two in 6/8, which is felt in dotted quarters."""
        return self.bar // self.beat


METRES: Mapping[str, Metre] = MappingProxyType(
    {
        "4/4": Metre("4/4", 16, 4, 8),
        "3/4": Metre("3/4", 12, 4, 8),
        "6/8": Metre("6/8", 12, 6, 6),
    }
)


@dataclass(frozen=True)
class Chord:
    """A chord by its place in the key, so that one name serves every key."""

    #: Scale step of the root, 0 to 6, and semitones by which it differs from the scale.
    root: int
    root_alteration: int = 0
    #: Scale steps above the root.
    members: tuple[int, ...] = (0, 2, 4)
    #: Semitones above the root, where the chord's quality does not follow the scale.
    quality: tuple[int, ...] | None = None

    def tones(self, mode: str) -> tuple[tuple[int, int], ...]:
        """Its tones as (step, alteration), the root first."""
        base = semitones(mode, self.root)
        tones = []
        for place, member in enumerate(self.members):
            step = self.root + member
            alteration = self.root_alteration
            if self.quality is not None:
                alteration += base + self.quality[place] - semitones(mode, step)
            elif member:
                alteration = 0
            tones.append((step, alteration))
        return tuple(tones)

    def alteration(self, mode: str, step: int) -> int:
        """By how many semitones this chord alters `step` of the scale, in any octave.

        Every part follows it while the chord lasts: over the dominant of a minor key the melody's
        seventh step is raised too, so parts never clash by a semitone.
        """
        return _alterations(self, mode).get(step % 7, 0)


@cache
def _alterations(chord: Chord, mode: str) -> Mapping[int, int]:
    return {step % 7: alteration for step, alteration in chord.tones(mode) if alteration}


_SEVENTH = (0, 2, 4, 6)
_MAJOR, _MINOR, _DOMINANT = (0, 4, 7), (0, 3, 7), (0, 4, 7, 10)


def _chords() -> dict[str, Chord]:
    chords: dict[str, Chord] = {}
    for root in range(7):
        chords[f"{root + 1}"] = Chord(root)
        chords[f"{root + 1}.7"] = Chord(root, members=_SEVENTH)
    for root in (0, 1, 2, 4, 5):
        chords[f"{root + 1}D"] = Chord(root, members=_SEVENTH, quality=_DOMINANT)
    for root in (0, 3, 5):
        chords[f"{root + 1}+"] = Chord(root, members=(0, 2, 4, 8))
    for root in (0, 4):
        chords[f"{root + 1}s"] = Chord(root, members=(0, 3, 4))
    for root in (0, 2, 3, 4, 5, 6):
        chords[f"{root + 1}p"] = Chord(root, members=(0, 4, 7))
    chords["5M"] = Chord(4, quality=_MAJOR)
    chords["4m"] = Chord(3, quality=_MINOR)
    chords["b7"] = Chord(6, -1, quality=_MAJOR)
    chords["b6"] = Chord(5, -1, quality=_MAJOR)
    return chords


#: Every chord by name: a scale degree, then `.7` seventh, `D` dominant seventh, `M`/`m` made major
#: or minor, `+` added ninth, `s` suspended, `p` power chord; `b` before it flattens the root.
CHORDS: Mapping[str, Chord] = MappingProxyType(_chords())
_FOREIGN = {
    # The flat sixth and seventh are known, but with them nobody would call the piece major.
    "major": {"5M", "b6", "b7"},
    "minor": {"4m", "b7", "b6", "2D", "6D", "3D"},
}
_BORROWED = {"5M", "4m", "b7", "b6", "1D", "2D", "3D", "5D", "6D"}


@cache
def chords_of(mode: str) -> frozenset[str]:
    """The names of the chords that a piece in this mode may use."""
    return frozenset(CHORDS) - _FOREIGN.get(mode, _BORROWED)
