"""Reads a score as a listener with a keyboard would: tempo, metre and key from its notes alone.

It knows nothing of tokens, bars or plans. What a score says about itself (its tempo, key, metre,
number of bars) is not looked at, except for the length of a tick, without which a MIDI file has no
times at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from studio.families.starter_music.theory import MODES, Key
from studio.score import TICKS, Note, Score

_GRID = TICKS // 4
_SEARCHED = 1.38  # a tempo is found up to its octave; this is how far from the guess to look


def tempo(score: Score, near: float) -> float:
    """The strongest pulse within 38 % of `near`, in beats per minute."""
    onsets = np.array([score.seconds(note.start) for note in score.notes])
    weights = np.array(
        [note.velocity * (2.0 if note.part in ("bass", "drums") else 1.0) for note in score.notes]
    )
    candidates = near * np.geomspace(1 / _SEARCHED, _SEARCHED, 1300)
    strength = np.zeros(len(candidates))
    for multiple, share in ((1, 1.0), (2, 0.6), (3, 0.4), (4, 0.3), (6, 0.2)):
        turns = np.exp(2j * np.pi * np.outer(candidates / 60 * multiple, onsets))
        strength += share * np.abs(turns @ weights)
    return float(candidates[np.argmax(strength)])


def metre(score: Score) -> str:
    """The metre whose bar the figures repeat with; 3/4 and 6/8 differ in which notes are louder."""
    lanes: dict[tuple[str, int], dict[int, list[int]]] = {}
    for note in score.notes:
        # Down to the grid: swung notes come late, never early.
        lane = lanes.setdefault((note.part, note.pitch if note.part == "drums" else 0), {})
        lane.setdefault(note.start // _GRID, []).append(note.velocity)
    length = max(max(lane) for lane in lanes.values()) + 1
    figures = [lane for (part, _), lane in lanes.items() if part != "melody"] or list(
        lanes.values()
    )

    def echo(bar: int) -> float:
        alike, norm = 0.0, 0.0
        for lane in figures:
            row = np.zeros(length)
            row[list(lane)] = [sum(struck) for struck in lane.values()]
            later, earlier = row[bar:], row[:-bar]
            alike += float(later @ earlier)
            norm += float(np.sqrt((later @ later) * (earlier @ earlier)))
        return alike / (norm or 1.0) + 0.02 * accent(bar, (0,), range(4, bar, 4))

    def accent(bar: int, here: Sequence[int], there: Sequence[int]) -> float:
        """How much louder notes are here than there, each against its part's mean in its bar."""
        means: dict[tuple[str, int], list[int]] = {}
        for (part, _), lane in lanes.items():
            for at, struck in lane.items():
                means.setdefault((part, at // bar), []).extend(struck)
        loud, soft = (
            [
                velocity - float(np.mean(means[part, at // bar]))
                for (part, _), lane in lanes.items()
                for at, struck in lane.items()
                if at % bar in places
                for velocity in struck
            ]
            for places in (here, there)
        )
        return float(np.mean(loud) - np.mean(soft)) if loud and soft else 0.0

    if echo(16) >= echo(12):
        return "4/4"
    return "6/8" if accent(12, (6,), (4, 8)) > 0 else "3/4"


def key(score: Score) -> Key:
    """The key that holds most of what sounds, its tonic where the bass begins, ends and stays."""
    sounding, low = np.zeros(12), np.zeros(12)
    bass = [note for note in score.notes if note.part == "bass"]
    for note in score.notes:
        if note.part != "drums":
            sounding[note.pitch % 12] += note.length
    for note in bass:
        low[note.pitch % 12] += note.length
    sounding /= sounding.sum()
    low /= max(low.sum(), 1)
    best, found = -1.0, Key(0, "major")
    for tonic in range(12):
        for mode, scale in MODES.items():
            inside = sum(sounding[(tonic + step) % 12] for step in scale)
            triad = sum(sounding[(tonic + scale[degree]) % 12] for degree in (0, 2, 4))
            fit = 1.6 * inside + 0.3 * triad + 0.3 * low[tonic]
            if bass:
                fit += 0.25 * (bass[-1].pitch % 12 == tonic) + 0.35 * (bass[0].pitch % 12 == tonic)
            # Music that fits two modes equally is in the commoner one.
            fit += 0.03 * (mode in ("major", "minor"))
            # A raised seventh is part of the minor key, not a foreign note.
            if mode == "minor":
                fit += 0.8 * sounding[(tonic + 11) % 12]
            if fit > best:
                best, found = fit, Key(tonic, mode)
    return found


def stuck(score: Score, seconds: float) -> list[Note]:
    """Notes struck again while they sound, sounding over 12 seconds, or outlasting the piece."""
    wrong = [
        note
        for note in score.notes
        if score.seconds(note.start + note.length) > seconds + 0.01
        or score.seconds(note.length) > 12
    ]
    by_pitch: dict[tuple[str, int], list[Note]] = {}
    for note in score.notes:
        by_pitch.setdefault((note.part, note.pitch), []).append(note)
    for row in by_pitch.values():
        wrong += [a for a, b in pairwise(row) if a.start + a.length > b.start]
    return wrong


@dataclass(frozen=True, slots=True)
class Proxies:
    """Numbers that stand in for listening; shares from 0 to 1."""

    #: Melody notes on a beat that belong to what accompaniment and bass play just then.
    consonant_on_beats: float
    #: Melodic moves of at most a whole tone, and of more than a fifth.
    stepwise: float
    wide_leaps: float
    #: Mean semitones by which the accompaniment's voices move from chord to chord.
    voice_motion: float
    #: Bars of melody whose rhythm, and whose rhythm and pitches, were heard before.
    rhythm_returns: float
    phrase_returns: float
    #: Melody notes per bar, and semitones from the lowest to the highest.
    density: float
    span: float
    #: 1 if the last bass note is the tonic and the last melody note belongs to its chord.
    closes: float


def proxies(score: Score, tonic: int, bar_ticks: int) -> Proxies:
    """The proxies of one score."""
    sung = [note for note in score.notes if note.part == "melody"]
    played = [note for note in score.notes if note.part in ("accompaniment", "bass")]
    low = [note for note in score.notes if note.part == "bass"]
    strong = [
        note for note in sung if note.start % (TICKS * 2 if bar_ticks != 1440 else TICKS * 3) == 0
    ]
    consonant = [
        any(
            other.pitch % 12 == note.pitch % 12
            for other in played
            if other.start <= note.start < other.start + max(other.length, TICKS)
        )
        for note in strong
    ]
    moves = [abs(b.pitch - a.pitch) for a, b in pairwise(sung)]
    bars: dict[int, list[tuple[int, int]]] = {}
    for note in sung:
        bars.setdefault(note.start // bar_ticks, []).append((note.start % bar_ticks, note.pitch))
    rhythms, phrases = (
        [tuple(p for p, _ in bar) for bar in bars.values()],
        [tuple(bar) for bar in bars.values()],
    )
    chords: list[list[int]] = []
    for start in sorted({note.start for note in score.notes if note.part == "accompaniment"}):
        chord = [
            note.pitch
            for note in score.notes
            if note.part == "accompaniment" and note.start == start
        ]
        if len(chord) >= 3 and (not chords or chord != chords[-1]):
            chords.append(chord)
    motion = [np.mean([min(abs(p - q) for q in a) for p in b]) for a, b in pairwise(chords)]
    pitches = [note.pitch for note in sung] or [0]
    return Proxies(
        _mean(consonant),
        _mean([move <= 2 for move in moves]),
        _mean([move > 7 for move in moves]),
        _mean(motion),
        _returns(rhythms),
        _returns(phrases),
        len(sung) / max(1, len(bars)),
        float(max(pitches) - min(pitches)),
        float(
            bool(low and sung)
            and low[-1].pitch % 12 == tonic
            and (sung[-1].pitch - tonic) % 12 in (0, 3, 4, 7)
        ),
    )


def _returns(bars: Sequence[tuple[object, ...]]) -> float:
    return 1 - len(set(bars)) / len(bars) if bars else 0.0


def _mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
