"""What a piece is to be: everything the model is told before the first bar."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from studio.errors import InvalidRequest
from studio.families.starter_music.theory import METRES, MODES, Key, Metre

MOODS = ("calm", "happy", "sad", "dreamy", "mysterious", "energetic", "heroic", "playful")

#: Modes that suit a mood, best first.
MOOD_MODES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "calm": ("major", "lydian", "major", "mixolydian"),
        "happy": ("major", "major", "mixolydian"),
        "sad": ("minor", "minor", "dorian"),
        "dreamy": ("lydian", "major", "dorian"),
        "mysterious": ("phrygian", "minor", "dorian"),
        "energetic": ("minor", "mixolydian", "major", "dorian"),
        "heroic": ("major", "minor", "mixolydian"),
        "playful": ("major", "mixolydian", "lydian"),
    }
)


@dataclass(frozen=True)
class Genre:
    """A style: its usual tempo, metre and mood, and its ensemble."""

    #: Beats per minute, from and to.
    tempo: tuple[int, int]
    #: Usual metres, best first.
    metres: tuple[str, ...]
    moods: tuple[str, ...]
    #: Timbres, as `synthesiser.TIMBRES` names them: melody, accompaniment, bass.
    ensemble: tuple[str, str, str]
    #: How much later the second half of a beat comes: 0 straight, 1/3 triplet swing.
    swing: float = 0.0


GENRES: Mapping[str, Genre] = MappingProxyType(
    {
        "ambient": Genre(
            (56, 84), ("4/4", "6/8"), ("calm", "dreamy", "mysterious"), ("bells", "pad", "sub")
        ),
        "folk": Genre(
            (84, 124),
            ("4/4", "6/8", "3/4"),
            ("happy", "calm", "playful"),
            ("flute", "guitar", "upright"),
        ),
        "jazz": Genre(
            (92, 168),
            ("4/4", "3/4"),
            ("playful", "calm", "sad"),
            ("vibraphone", "piano", "upright"),
            0.3,
        ),
        "chiptune": Genre(
            (112, 168),
            ("4/4", "6/8"),
            ("energetic", "happy", "heroic"),
            ("square", "pulse", "triangle"),
        ),
        "classical": Genre(
            (72, 132),
            ("4/4", "3/4", "6/8"),
            ("calm", "sad", "playful"),
            ("strings", "piano", "cello"),
        ),
        "lo-fi": Genre(
            (68, 92),
            ("4/4", "3/4"),
            ("calm", "sad", "dreamy"),
            ("vibraphone", "electric piano", "sub"),
            0.2,
        ),
        "march": Genre(
            (92, 124), ("4/4", "6/8"), ("heroic", "happy", "playful"), ("brass", "horns", "tuba")
        ),
        "waltz": Genre(
            (90, 168), ("3/4",), ("playful", "sad", "dreamy"), ("strings", "piano", "cello")
        ),
        "rock": Genre(
            (100, 152),
            ("4/4", "6/8"),
            ("energetic", "heroic", "sad"),
            ("lead guitar", "rock guitar", "bass guitar"),
        ),
        "electronic": Genre(
            (110, 140),
            ("4/4", "3/4"),
            ("energetic", "mysterious", "dreamy"),
            ("saw lead", "pad", "saw bass"),
        ),
    }
)

#: The order in which sections come back, by style of form; a long piece goes round again.
_SONG, _TUNE = "AABBCABB", "AABAAB"
_SONGS = frozenset({"chiptune", "electronic", "lo-fi", "rock", "ambient"})
#: From how many bars on phrases have eight bars instead of four.
LONG = 24
#: Lower bounds of the tempo bands that the model is told, in beats per minute.
TEMPO_BANDS = (0, 72, 92, 112, 136)


@dataclass(frozen=True)
class Place:
    """Where in the form a bar stands."""

    #: `I` for an introduction, else a section's letter.
    section: str
    #: Bar within the section, from 0, and how many bars the section has.
    bar: int
    of: int


@dataclass(frozen=True)
class Plan:
    """A piece that is wanted."""

    genre: str
    mood: str
    metre: Metre
    key: Key
    #: Beats per minute; in 6/8 a beat is a dotted quarter.
    tempo: float
    bars: int
    #: Whether the end leads back to the beginning, instead of closing on the tonic.
    loop: bool = False

    @property
    def band(self) -> int:
        """Which of `TEMPO_BANDS` the tempo lies in."""
        return sum(self.tempo >= bound for bound in TEMPO_BANDS) - 1

    @property
    def bar_seconds(self) -> float:
        """How long a bar lasts."""
        return self.metre.beats * 60 / self.tempo

    def form(self) -> tuple[Place, ...]:
        """The place of each bar: whole phrases, with what is left over as an introduction."""
        phrase = 8 if self.bars >= LONG else 4
        count, rest = divmod(self.bars, phrase)
        if count == 0:
            return tuple(Place("A", bar, self.bars) for bar in range(self.bars))
        letters = _SONG if self.genre in _SONGS else _TUNE
        places = [Place("I", bar, rest) for bar in range(rest)]
        for number in range(count):
            places += [Place(letters[number % len(letters)], bar, phrase) for bar in range(phrase)]
        return tuple(places)


def sounding(seconds: float) -> float:
    """When the last notes of a piece of `seconds` end, so that the hall can fall silent."""
    return seconds - min(0.8, 0.1 * seconds)


def fit(
    genre: str, mood: str, metre: str, key: Key, tempo: float | None, seconds: float, loop: bool
) -> Plan:
    """The plan whose bars fill `seconds` best; without a tempo, one that fills them exactly.

    Raises:
        InvalidRequest: if there is no such genre, mood, metre or mode.
    """
    for field, value, known in (
        ("genre", genre, GENRES),
        ("mood", mood, MOODS),
        ("metre", metre, METRES),
        ("key", key.mode, MODES),
    ):
        if value not in known:
            raise InvalidRequest(
                f"{field}: this model knows no {value!r}.", hint=f"It knows {', '.join(known)}."
            )
    beats = METRES[metre].beats
    low, high = GENRES[genre].tempo
    asked = tempo or (low + high) / 2
    room = seconds if loop else sounding(seconds)
    bars = max(1, round(room * asked / 60 / beats))
    if tempo is None:
        # Only within reach of the style: a second of ambient music is not played at 240.
        asked = min(max(bars * beats * 60 / room, 0.75 * low), 1.25 * high)
    return Plan(genre, mood, METRES[metre], key, asked, bars, loop)


def draw(rng: random.Random, genre: str, mood: str | None) -> tuple[str, str, str]:
    """A mood (or the one given), a metre and a mode that suit, for what a person left open."""
    style = GENRES[genre]
    mood = mood or rng.choice(style.moods)
    return mood, style.metres[0], rng.choice(MOOD_MODES.get(mood, ("major",)))
