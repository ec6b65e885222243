"""From bars to notes: chords are voiced, patterns follow the harmony, accents and swing come in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from studio.families.starter_music.notation import Bar, Events
from studio.families.starter_music.plan import GENRES, Plan, sounding
from studio.families.starter_music.theory import CHORDS, semitones
from studio.score import DRUM_KEYS, TICKS, Note, Score

_GRID = TICKS // 4
#: MIDI pitches that accompaniment and bass keep to.
CHORD_RANGE, BASS_RANGE = (50, 74), (31, 52)
#: A melody whose mean pitch is lower than this would be lost among the chords.
_CLEAR = 66
#: Parts that let go early, by timbre: the share of a note's time that it sounds.
_DETACHED = {"square": 0.9, "pulse": 0.85, "tuba": 0.75, "horns": 0.8, "brass": 0.92}


@dataclass(frozen=True)
class _Raw:
    """A note before it is played: grid steps instead of ticks."""

    start: int
    end: int
    pitch: int
    part: str
    loudness: int


def arrange(
    plan: Plan, bars: Sequence[Bar], seconds: float, timbres: Mapping[str, str], seed: int
) -> Score:
    """The score of `bars`.

    A piece that closes holds its last notes until shortly before `seconds`; one that loops lasts
    for its bars.
    """
    tempo = plan.tempo * plan.metre.beat / 4
    end = plan.bars * plan.metre.bar
    if not plan.loop:
        end = max(4, int(sounding(seconds) * tempo / 60 * 4))
    raw = _above([note for part in (_melody, _chords, _bass, _drums) for note in part(plan, bars)])
    final = (plan.bars - 1) * plan.metre.bar
    notes = []
    rng = random.Random(seed)  # noqa: S311 - touch, not secrets
    for note in sorted(raw, key=lambda note: (note.start, note.part, note.pitch)):
        if note.start >= end:
            continue
        stop = min(note.end, end)
        if not plan.loop and note.start >= final and note.end == plan.bars * plan.metre.bar:
            stop = end
        notes.append(_play(plan, replace(note, end=stop), timbres, rng))
    return Score(tempo, plan.metre.name, plan.key.name, plan.bars, dict(timbres), tuple(notes))


def _above(notes: list[_Raw]) -> list[_Raw]:
    """The same notes with a melody that lies among the chords taken up an octave."""
    sung = [note.pitch for note in notes if note.part == "melody"]
    if not sung or sum(sung) / len(sung) >= _CLEAR:
        return notes
    return [
        replace(note, pitch=note.pitch + 12) if note.part == "melody" else note for note in notes
    ]


def _play(plan: Plan, note: _Raw, timbres: Mapping[str, str], rng: random.Random) -> Note:
    """The note as it is played: swung, accented, a little uneven in loudness and never in time."""
    start, stop = _swung(plan, note.start), _swung(plan, note.end)
    place = note.start % plan.metre.bar
    accent = (
        10 if place == 0 else 5 if place % plan.metre.beat == 0 else -2 if place % 2 == 0 else -8
    )
    balance = {"melody": 12, "accompaniment": -6, "bass": 4, "drums": 0}[note.part]
    velocity = 56 + 14 * note.loudness + accent + balance + rng.randint(-4, 4)
    length = stop - start
    if note.part == "drums":
        length = _GRID // 2
    else:
        length = max(_GRID // 2, int(length * _DETACHED.get(timbres[note.part], 0.97)))
    return Note(start, length, note.pitch, min(124, max(20, velocity)), note.part)


def _swung(plan: Plan, step: int) -> int:
    """The tick of a grid step; styles that swing play the second eighth of a beat late."""
    late = 0.0
    if plan.metre.beat == 4:
        late = GENRES[plan.genre].swing * {0: 0.0, 1: 0.5, 2: 1.0, 3: 0.5}[step % 4] * 2
    return round((step + late) * _GRID)


def _spans(events: Events, bar: int) -> Iterator[tuple[int, int, str]]:
    for index, (position, value) in enumerate(events):
        yield position, events[index + 1][0] if index + 1 < len(events) else bar, value


def _melody(plan: Plan, bars: Sequence[Bar]) -> Iterator[_Raw]:
    width, mode = plan.metre.bar, plan.key.mode
    last: _Raw | None = None
    for number, bar in enumerate(bars):
        for position, stop, value in _spans(bar.parts[0], width):
            start, end = number * width + position, number * width + stop
            if value == "hold" and last is not None:
                last = replace(last, end=end)
                continue
            if last is not None:
                yield last
            last = None
            if value not in ("hold", "rest"):
                step = int(value)
                chord = CHORDS[bar.chord_at(position, plan.metre.half)]
                pitch = plan.key.pitch(step, chord.alteration(mode, step))
                last = _Raw(start, end, pitch, "melody", bar.loudness)
    if last is not None:
        yield last


def _cut(plan: Plan, bar: Bar, events: Events) -> Iterator[tuple[int, int, str]]:
    """Events cut where the chord changes, so that nothing sounds on from the chord before."""
    half = plan.metre.half
    for position, stop, value in _spans(events, plan.metre.bar):
        if len(bar.chords) == 2 and position < half < stop and value != "rest":
            yield position, half, value
            yield half, stop, value
        else:
            yield position, stop, value


def _chords(plan: Plan, bars: Sequence[Bar]) -> Iterator[_Raw]:
    voicing: tuple[int, ...] = ()
    for number, bar in enumerate(bars):
        sounding = ""
        for position, stop, value in _cut(plan, bar, bar.parts[1]):
            name = bar.chord_at(position, plan.metre.half)
            if name != sounding:
                voicing, sounding = voiced(plan, name, voicing), name
            chosen: tuple[int, ...]
            match value:
                case "rest":
                    continue
                case "full":
                    chosen = voicing
                case "low":
                    chosen = voicing[:1]
                case "high":
                    chosen = voicing[1:]
                case _:
                    tones = (*voicing, voicing[0] + 12)
                    chosen = (tones[min(int(value), len(tones)) - 1],)
            for pitch in chosen:
                base = number * plan.metre.bar
                yield _Raw(base + position, base + stop, pitch, "accompaniment", bar.loudness)


def voiced(plan: Plan, name: str, before: tuple[int, ...]) -> tuple[int, ...]:
    """The chord's pitches from below, in the position that moves least from the chord before."""
    mode, low, high = plan.key.mode, *CHORD_RANGE
    classes = [plan.key.pitch(step, change) % 12 for step, change in CHORDS[name].tones(mode)]
    options = []
    for shape in product(range(2), repeat=len(classes)):
        pitches = sorted(
            low + (c - low) % 12 + 12 * up for c, up in zip(classes, shape, strict=True)
        )
        if (
            pitches[-1] <= high
            and pitches[-1] - pitches[0] <= 16
            and len({*pitches}) == len(pitches)
        ):
            options.append(tuple(pitches))
    middle = (low + high) / 2

    def effort(pitches: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        drift = abs(sum(pitches) / len(pitches) - middle)
        tight = sum(b - a < 3 for a, b in pairwise(pitches))
        moved = (
            sum(min(abs(pitch - other) for other in before) for pitch in pitches) if before else 0
        )
        return moved + 0.6 * drift + 2 * tight, pitches

    return min(options, key=effort)


def _bass(plan: Plan, bars: Sequence[Bar]) -> Iterator[_Raw]:
    mode, (low, high) = plan.key.mode, BASS_RANGE
    for number, bar in enumerate(bars):
        base = number * plan.metre.bar
        following = bars[(number + 1) % len(bars)].chords[0]
        for position, stop, value in _cut(plan, bar, bar.parts[2]):
            if value == "rest":
                continue
            chord = CHORDS[bar.chord_at(position, plan.metre.half)]
            root = _low_root(plan, chord.root, chord.root_alteration)
            if value == "approach":
                goal = CHORDS[following]
                target = _low_root(plan, goal.root, goal.root_alteration)
                pitch = target - _approach(plan, goal.root) if target > low + 2 else target + 2
            else:
                step = chord.root + int(value)
                change = chord.alteration(mode, step) if int(value) else chord.root_alteration
                tones = dict(chord.tones(mode))
                change = tones.get(step, change)
                pitch = root + semitones(mode, step) + change
                pitch -= semitones(mode, chord.root) + chord.root_alteration
            while pitch > high:
                pitch -= 12
            while pitch < low:
                pitch += 12
            yield _Raw(base + position, base + stop, pitch, "bass", bar.loudness)


def _low_root(plan: Plan, step: int, alteration: int) -> int:
    low = BASS_RANGE[0] + 2
    return low + (plan.key.pitch(step, alteration) - low) % 12


def _approach(plan: Plan, step: int) -> int:
    """Semitones from the scale step below up to `step`: an approach stays in the key."""
    return semitones(plan.key.mode, step) - semitones(plan.key.mode, step - 1)


def _drums(plan: Plan, bars: Sequence[Bar]) -> Iterator[_Raw]:
    for number, bar in enumerate(bars):
        for position, drum in bar.parts[3]:
            start = number * plan.metre.bar + position
            yield _Raw(start, start + 1, DRUM_KEYS[drum], "drums", bar.loudness)
