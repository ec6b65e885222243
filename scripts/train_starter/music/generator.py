"""A composer by rule: whole pieces from music theory, for a model to learn from.

Sections have a progression, motifs, figures and a groove of their own and come back as the form
says; returns are varied; every section ends open or closed, and the last closes on the tonic or
leads back to the beginning.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from music import harmony, patterns
from music.melody import Motif, Singer, density, motif, ornamented
from studio.families.starter_music.notation import DRUMS, HOME, Bar, Events
from studio.families.starter_music.plan import GENRES, LONG, MOOD_MODES, MOODS, Plan
from studio.families.starter_music.theory import METRES, MODES, Key

_ACCOMPANIMENT = {"F": "full", "L": "low", "H": "high", "-": "rest"}
_BASS = {"l": "-3", "a": "approach", "-": "rest"}
#: Loudness that a mood starts from.
_LOUDNESS = {
    "calm": 0.7,
    "happy": 1.8,
    "sad": 0.9,
    "dreamy": 0.6,
    "mysterious": 0.8,
    "energetic": 2.4,
    "heroic": 2.2,
    "playful": 1.6,
}
#: How much a section adds to it.
_LIFT = {"I": -0.8, "A": 0.0, "B": 0.7, "C": 0.2}


def random_plan(rng: random.Random) -> Plan:
    """A piece somebody may want: mostly what suits its style, sometimes anything at all."""
    genre = rng.choice(list(GENRES))
    style = GENRES[genre]
    mood = rng.choice(style.moods) if rng.random() < 0.5 else rng.choice(MOODS)
    metre = rng.choice(style.metres) if rng.random() < 0.7 else rng.choice(list(METRES))
    mode = rng.choice(MOOD_MODES[mood]) if rng.random() < 0.7 else rng.choice(list(MODES))
    low, high = style.tempo
    tempo = rng.uniform(low, high) if rng.random() < 0.7 else rng.uniform(50, 190)
    bars = rng.choice(
        (rng.randint(1, 4), rng.randint(4, 16), rng.randint(4, 16), rng.randint(16, 40))
    )
    return Plan(
        genre,
        mood,
        METRES[metre],
        Key(rng.randrange(12), mode),
        round(tempo),
        bars,
        rng.random() < 0.25,
    )


@dataclass(frozen=True)
class Section:
    """What belongs to one letter of the form."""

    chords: tuple[harmony.Chords, ...]
    first: Motif
    second: Motif
    #: Which idea each bar of a four-bar phrase takes: 0, 1, or 2 for a rest.
    scheme: tuple[int, ...]
    accompaniment: str
    bass: str
    drums: dict[str, str]


def compose(rng: random.Random, plan: Plan) -> tuple[Bar, ...]:
    """A whole piece as planned."""
    sections: dict[str, Section] = {}
    sung: dict[str, list[Events]] = {}
    singer = Singer(rng, plan)
    form = plan.form()
    level = _LOUDNESS[plan.mood]
    bars: list[Bar] = []
    number = 0
    while number < len(form):
        place = form[number]
        section = sections.setdefault(place.section, _section(rng, plan, place.section, sections))
        last = number + place.of == plan.bars
        following = form[number + place.of] if not last else None
        chords = list(section.chords[: place.of])
        closes = last or (
            following is not None and following.section != place.section and rng.random() < 0.5
        )
        if last and plan.loop:
            chords[-1] = harmony.turnaround(rng, plan)
        elif closes and place.section != "I":
            chords = harmony.cadence(rng, plan, chords)
        seen = sung.get(place.section)
        melody = (
            [()] * place.of
            if place.section == "I" and place.of < 4
            else _melody(rng, plan, singer, section, chords, seen, closes and not plan.loop)
        )
        sung.setdefault(place.section, melody)
        sustained = bool(bars) and bool(bars[-1].parts[0]) and bars[-1].parts[0][-1][1] != "rest"
        for index, events in enumerate(melody):
            if events and events[0][0]:  # the bar begins with a rest, or the last note goes on
                melody[index] = (
                    (0, "hold" if sustained and rng.random() < 0.6 else "rest"),
                    *events,
                )
            elif events and events[0][1] == "hold" and not sustained:
                melody[index] = ((0, "rest"), *events[1:])
            sustained = bool(events) and events[-1][1] != "rest"
        if number == 0:  # a piece begins at home
            chords[0] = (home(chords[0]), *chords[0][1:])
        for index in range(place.of):
            final = last and index == place.of - 1
            swell = 0.4 * index / place.of + rng.uniform(-0.15, 0.15)
            loudness = min(3, max(0, round(level + _LIFT[place.section] + swell - 0.3)))
            if final and not plan.loop:
                bars.append(_ending(plan, chords[index], melody[index], loudness, section))
                continue
            parts = _figures(
                rng, plan, section, place.section, index, place.of, loudness, number > 0
            )
            bars.append(Bar(chords[index], loudness, (melody[index], *parts)))
        number += place.of
    return tuple(bars)


def _section(rng: random.Random, plan: Plan, letter: str, others: dict[str, Section]) -> Section:
    genre, metre = plan.genre, plan.metre.name
    related = others.get("A")
    first = motif(rng, plan, density(plan) + (0.3 if letter == "B" else 0.0))
    if related is not None and rng.random() < 0.4:  # B develops A's rhythm upside down
        first = Motif(related.first.onsets, tuple(-move for move in related.first.moves))
    accompaniment = rng.choice(patterns.ACCOMPANIMENT[metre][genre])
    bass = rng.choice(patterns.BASS[metre][genre])
    drums = rng.choice(patterns.DRUMS[metre][genre])
    if related is not None and rng.random() < 0.5:
        accompaniment, bass, drums = related.accompaniment, related.bass, related.drums
    bars = 8 if plan.bars >= LONG else 4
    return Section(
        tuple(harmony.section(rng, plan, bars)),
        first,
        motif(rng, plan, density(plan)),
        rng.choice(((0, 1, 0, 2), (0, 0, 1, 2), (0, 1, 0, 1), (0, 2, 0, 2), (0, 0, 0, 2))),
        accompaniment,
        bass,
        drums,
    )


def _melody(
    rng: random.Random,
    plan: Plan,
    singer: Singer,
    section: Section,
    chords: list[harmony.Chords],
    seen: list[Events] | None,
    closes: bool,
) -> list[Events]:
    count = len(chords)
    melody: list[Events] = []
    for index, bar in enumerate(chords):
        final = index == count - 1
        idea = section.scheme[index % 4]
        if closes and final:
            melody.append(singer.rest_on(bar[0], 0, long=True))
        elif seen is not None and index < len(seen) and bar == section.chords[index]:
            melody.append(ornamented(rng, plan, seen[index]) if rng.random() < 0.2 else seen[index])
            singer.step = next(
                (int(v) for _, v in reversed(melody[-1]) if v not in ("rest", "hold")), singer.step
            )
        elif idea == 2 or (final and rng.random() < 0.5):
            melody.append(singer.rest_on(bar[0], None, long=rng.random() < 0.4))
        else:
            lift = round(3 * (1 - abs(index - 0.6 * count) / count)) - 1  # highest past the middle
            melody.append(singer.sing(section.first if idea == 0 else section.second, bar, lift))
    return melody


def _figures(
    rng: random.Random,
    plan: Plan,
    section: Section,
    letter: str,
    index: int,
    of: int,
    loudness: int,
    crash: bool,
) -> tuple[Events, Events, Events]:
    accompaniment, bass = _row(section.accompaniment, _ACCOMPANIMENT), _row(section.bass, _BASS)
    lanes = dict(section.drums)
    if letter == "I":
        lanes = (
            {}
            if index < of - 1
            else {drum: lane for drum, lane in lanes.items() if drum in ("hat", "shaker", "ride")}
        )
    elif loudness == 0:
        lanes.pop("kick", None)
    if lanes.get("kick") and index == of - 1 and of >= 4 and loudness >= 1 and rng.random() < 0.7:
        fill = rng.choice(patterns.FILLS[plan.metre.beat])
        start = plan.metre.bar - plan.metre.beat
        silent = "." * plan.metre.beat
        lanes = {
            drum: lanes.get(drum, "." * plan.metre.bar)[:start] + fill.get(drum, silent)
            for drum in {*lanes, *fill}
        }
    if lanes.get("kick") and crash and index == 0 and loudness >= 2:
        lanes["crash"] = "x" + "." * (plan.metre.bar - 1)
    hits = [
        (position, drum)
        for position in range(plan.metre.bar)
        for drum in DRUMS
        if lanes.get(drum, "")[position : position + 1] == "x"
    ]
    return accompaniment, bass, tuple(hits)


def _ending(
    plan: Plan, chords: harmony.Chords, melody: Events, loudness: int, section: Section
) -> Bar:
    chord = home(chords[-1:])
    hit: Events = ((0, "kick"), (0, "crash")) if section.drums.get("kick") and loudness >= 2 else ()
    return Bar((chord,), loudness, (melody, ((0, "full"),), ((0, "0"),), hit))


def home(chords: harmony.Chords) -> str:
    """The tonic chord, in the colour of the first of `chords`."""
    return (
        chords[0]
        if chords[0] in HOME
        else next((f"1{mark}" for mark in (".7", "p") if mark in chords[0]), "1")
    )


def _row(row: str, names: dict[str, str]) -> Events:
    events: list[tuple[int, str]] = []
    for position, mark in enumerate(row):
        resting = bool(events) and events[-1][1] == "rest"
        if mark != "." and not (mark == "-" and resting):
            events.append((position, names.get(mark, mark)))
    return tuple(events)
