"""Bars as the model writes them, their tokens, and the grammar that keeps tokens music.

A piece is a heading and then, for each bar: how many bars are left, its place in the form, one or
two chords, a loudness, and four parts. A part is a row of (grid step, value) events that each last
until the next one. Bass and accompaniment name chord tones and not pitches, so a pattern that goes
on under new chords is one token, `same`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from studio.families.starter_music.plan import GENRES, MOODS, TEMPO_BANDS, Place, Plan
from studio.families.starter_music.theory import CHORDS, METRES, MODES, chords_of

PARTS = ("melody", "accompaniment", "bass", "drums")
#: Events of one part in one bar: (grid step, value), in rising order.
Events = tuple[tuple[int, str], ...]

#: Lowest and highest step that a melody may use.
MELODY_RANGE = (-4, 14)
DRUMS = ("kick", "snare", "rim", "clap", "tom", "hat", "open", "ride", "shaker", "crash")
#: The chords that a piece begins and closes on.
HOME = frozenset({"1", "1.7", "1+", "1p"})
_COUNTED = 32
VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "melody": (
            *(str(step) for step in range(MELODY_RANGE[0], MELODY_RANGE[1] + 1)),
            "rest",
            "hold",
        ),
        #: The whole chord, its lower or upper tones, or one tone counted from below.
        "accompaniment": ("full", "low", "high", "1", "2", "3", "4", "rest"),
        #: Scale steps above the root, a step towards the next root, or silence.
        "bass": ("0", "1", "2", "4", "5", "7", "-3", "approach", "rest"),
        "drums": DRUMS,
    }
)


@dataclass(frozen=True)
class Bar:
    """One bar as it is written."""

    #: One chord, or two of which the second enters at the metre's half; names in `CHORDS`.
    chords: tuple[str, ...]
    #: 0 very soft to 3 loud.
    loudness: int
    #: Events by part, in the order of `PARTS`.
    parts: tuple[Events, Events, Events, Events]

    def chord_at(self, position: int, half: int) -> str:
        """The name of the chord that sounds at a grid step."""
        return self.chords[-1] if position >= half else self.chords[0]


def _tokens() -> Iterator[str]:
    yield from ("padding", "begin", "end", "closing", "looping", "same")
    yield from (f"genre {name}" for name in GENRES)
    yield from (f"mood {name}" for name in MOODS)
    yield from (f"metre {name}" for name in METRES)
    yield from (f"mode {name}" for name in MODES)
    yield from (f"tempo {band}" for band in range(len(TEMPO_BANDS)))
    yield from (f"left {bars}" for bars in range(1, _COUNTED + 2))
    yield from (f"section {letter}" for letter in "IABC")
    yield from (f"phrase {bar}" for bar in range(8))
    yield from (f"chord {name}" for name in CHORDS)
    yield from (f"loudness {level}" for level in range(4))
    yield from PARTS
    yield from (f"at {position}" for position in range(16))
    for part, values in VALUES.items():
        yield from (f"{part} {value}" for value in values)


#: Every token, in the order of its number; 0 is padding.
TOKENS = tuple(_tokens())
NUMBERS: Mapping[str, int] = MappingProxyType({token: i for i, token in enumerate(TOKENS)})
PADDING, END = NUMBERS["padding"], NUMBERS["end"]


def heading(plan: Plan) -> list[str]:
    """The tokens that say what is wanted."""
    return [
        "begin", f"genre {plan.genre}", f"mood {plan.mood}", f"metre {plan.metre.name}",
        f"mode {plan.key.mode}", f"tempo {plan.band}", "looping" if plan.loop else "closing",
    ]  # fmt: skip


def opening(left: int, place: Place) -> list[str]:
    """The tokens that begin a bar with `left` bars to go, itself included."""
    return [
        f"left {min(left, _COUNTED + 1)}", f"section {place.section}", f"phrase {place.bar}",
    ]  # fmt: skip


def encode(plan: Plan, bars: Sequence[Bar]) -> list[list[str]]:
    """The tokens of a piece: the heading, then one list per bar."""
    rows = [heading(plan)]
    before: Bar | None = None
    for number, (bar, place) in enumerate(zip(bars, plan.form(), strict=True)):
        row = opening(plan.bars - number, place)
        row += [f"chord {name}" for name in bar.chords]
        row.append(f"loudness {bar.loudness}")
        for index, part in enumerate(PARTS):
            row.append(part)
            events = bar.parts[index]
            if index and before is not None and events and events == before.parts[index]:
                row.append("same")
                continue
            last = -1
            for position, value in events:
                if position != last:
                    row.append(f"at {position}")
                row.append(f"{part} {value}")
                last = position
        rows.append([*row, "end"])
        before = bar
    return rows


def decode(row: Sequence[str], before: Bar | None) -> Bar:
    """The bar that one bar's tokens describe; `before` is what `same` refers to.

    The tokens must obey `Grammar`, which lets a model write nothing else.
    """
    chords: list[str] = []
    loudness = 0
    parts: dict[str, list[tuple[int, str]]] = {part: [] for part in PARTS}
    part, position = "", 0
    for token in row:
        kind, _, value = token.partition(" ")
        if kind == "chord":
            chords.append(value)
        elif kind == "loudness":
            loudness = int(value)
        elif kind == "at":
            position = int(value)
        elif kind == "same" and before is not None:
            parts[part] = list(before.parts[PARTS.index(part)])
        elif kind in parts:
            if value:
                parts[kind].append((position, value))
            else:
                part = kind
    melody, accompaniment, bass, drums = (tuple(parts[part]) for part in PARTS)
    return Bar(tuple(chords), loudness, (melody, accompaniment, bass, drums))


class Grammar:
    """Which tokens may come next while one bar is written.

    It keeps what the request fixes (metre, mode, number of bars, a beginning and a close on
    the tonic) and what
    makes tokens notes; which of the allowed tokens comes is the model's choice.
    """

    def __init__(self, plan: Plan, number: int, before: Bar | None) -> None:
        self._plan = plan
        self._closing = number == plan.bars - 1 and not plan.loop
        self._first = number == 0
        self._before = before
        #: Which part is being written; -2 while there are chords to choose, -1 after the loudness.
        self._part = -2
        self._position = -1
        #: How many values of the part's list may not come any more (drums sound in a fixed order).
        self._values = 0
        self._chords = 0
        self._after_position = False
        self._ended = False

    def allowed(self) -> list[int] | None:
        """Numbers of the tokens that may come next; None when the bar is whole."""
        if self._ended:
            return None
        if self._part == -2:
            return self._harmony()
        if self._part == -1:
            return [NUMBERS["melody"]]
        part = PARTS[self._part]
        values = self._part_values(part)
        if self._after_position:
            return values
        moves = [f"at {p}" for p in range(self._position + 1, self._plan.metre.bar)]
        if self._position < 0:
            # A part begins at the barline, or says so with a rest, or is silent for the bar.
            moves = moves if part == "drums" else moves[:1]
            if self._part and self._before is not None and self._before.parts[self._part]:
                moves.append("same")
        moves.append(PARTS[self._part + 1] if self._part < 3 else "end")
        return [NUMBERS[move] for move in moves] + (
            values if part == "drums" and self._values else []
        )

    def take(self, token: int) -> None:
        """Go on with a token that was allowed."""
        kind, _, value = TOKENS[token].partition(" ")
        if kind == "chord":
            self._chords += 1
        elif kind == "loudness":
            self._part = -1
        elif kind == "at":
            self._position, self._after_position, self._values = int(value), True, 0
        elif kind == "end":
            self._ended = True
        elif kind == "same":
            self._position = self._plan.metre.bar
        elif kind in PARTS and value:
            self._after_position = False
            self._values = VALUES[kind].index(value) + 1
        elif kind in PARTS:
            self._begin(PARTS.index(kind))

    def _begin(self, part: int) -> None:
        self._part, self._position, self._values, self._after_position = part, -1, 0, False

    def _harmony(self) -> list[int]:
        names = chords_of(self._plan.key.mode)
        if (self._first or self._closing) and self._chords == 0:
            names &= HOME
        chords = [NUMBERS[f"chord {name}"] for name in CHORDS if name in names]
        levels = [NUMBERS[f"loudness {level}"] for level in range(4)]
        if self._chords == 0:
            return chords
        return levels if self._chords == 2 or self._closing else chords + levels

    def _part_values(self, part: str) -> list[int]:
        names = VALUES[part]
        if part == "drums":
            names = names[self._values :]
        elif part == "melody" and (self._position > 0 or not _sounding(self._before)):
            names = tuple(name for name in names if name != "hold")
        if part == "bass" and self._first and self._position == 0:
            names = ("0", "rest")
        if self._closing and part in _RESTING:
            names = tuple(name for name in names if name in _RESTING[part])
            if self._position > 0:
                names += ("rest",)
        return [NUMBERS[f"{part} {name}"] for name in names]


#: What melody and bass may play in the bar that closes a piece.
_RESTING = {
    "melody": frozenset(str(step) for step in range(-7, 15) if step % 7 in (0, 2, 4)),
    "bass": frozenset({"0"}),
}


def _sounding(bar: Bar | None) -> bool:
    """Whether a melody note reaches the end of `bar`."""
    return bar is not None and bool(bar.parts[0]) and bar.parts[0][-1][1] != "rest"
