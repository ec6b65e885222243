"""A score: notes with times, pitches and loudness, in the units that a MIDI file uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from itertools import chain
from typing import Any, Self

#: Ticks of a quarter note.
TICKS = 480

#: The parts of a piece, from the highest to the lowest.
PARTS = ("melody", "accompaniment", "bass", "drums")

#: General MIDI percussion keys of the drums.
DRUM_KEYS: Mapping[str, int] = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "tom": 45,
    "hat": 42, "open": 46, "ride": 51, "shaker": 70, "crash": 49,
}  # fmt: skip


@dataclass(frozen=True)
class Note:
    """One note of one part."""

    #: Ticks from the beginning, and how long it sounds.
    start: int
    length: int
    #: MIDI pitch, 0 to 127; for drums the percussion key.
    pitch: int
    #: 1 to 127.
    velocity: int
    #: `melody`, `accompaniment`, `bass` or `drums`.
    part: str


@dataclass(frozen=True)
class Score:
    """A finished piece. Everything a MIDI file or a sheet needs."""

    #: Quarter notes per minute, as a MIDI file counts; 1.5 times the tempo in 6/8.
    tempo: float
    metre: str
    #: Tonic and mode: 'Bb minor'.
    key: str
    bars: int
    #: The timbre of each part, as `synthesiser.TIMBRES` names them.
    timbres: Mapping[str, str]
    #: In order of their starts.
    notes: tuple[Note, ...]

    def seconds(self, ticks: float) -> float:
        """When a tick comes, in seconds."""
        return ticks / TICKS * 60 / self.tempo

    @property
    def bar(self) -> int:
        """Ticks of a bar."""
        beats, unit = map(int, self.metre.split("/"))
        return 4 * TICKS * beats // unit

    def only(self, part: str) -> Score:
        """The same piece with the notes of one part alone."""
        return replace(self, notes=tuple(note for note in self.notes if note.part == part))

    @staticmethod
    def together(parts: Sequence[Score]) -> Score:
        """The piece whose parts these are."""
        notes = sorted(
            chain.from_iterable(part.notes for part in parts),
            key=lambda note: (note.start, note.part, note.pitch),
        )
        return replace(parts[0], notes=tuple(notes))

    def record(self) -> dict[str, Any]:
        """The score as plain JSON; each note is a list of its values, as there are many."""
        return asdict(self) | {"notes": [list(astuple(note)) for note in self.notes]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The score that `record` describes."""
        notes = tuple(Note(*note) for note in record["notes"])
        return cls(**{**record, "notes": notes})
