"""Chord progressions: four-bar rows by style and mode, their cadences and their colours."""

from __future__ import annotations

import random

from studio.families.starter_music.plan import Plan
from studio.families.starter_music.theory import chords_of

Chords = tuple[str, ...]

#: Four bars each; `/` parts the two chords of one bar.
POP = {
    "major": [
        "1 5 6 4",
        "1 6 4 5",
        "6 4 1 5",
        "1 4 6 5",
        "4 5 3 6",
        "1 3 4 5",
        "1 4 1 5",
        "1 6 4 4m",
        "1 3D 6 4",
    ],
    "minor": ["1 6 3 7", "1 7 6 7", "1 4 6 5M", "1 6 4 5M", "6 7 1 1", "1 3 7 4", "1 5 6 4"],
}
FUNCTIONAL = {
    "major": [
        "1 4 1 5",
        "1 6 2 5",
        "1 5 6 3",
        "4 1 2 5",
        "1 2D 5 5",
        "1 6D 2 5",
        "1 3 4 2/5",
        "1 5 1 4",
    ],
    "minor": ["1 4 1 5M", "1 6 2 5M", "1 7 3 5M", "4 1 6 5M", "1 1D 4 5M", "1 3 6 2/5M"],
}
JAZZ = {
    "major": [
        "2.7 5D 1.7 6.7",
        "1.7 6D 2.7 5D",
        "3.7 6D 2.7 5D",
        "1.7 4.7 3.7/6D 2.7/5D",
        "1.7 1D 4.7 4m",
        "4.7 3.7 2.7 5D",
    ],
    "minor": [
        "1.7 4.7 2.7 5D",
        "2.7 5D 1.7 1.7",
        "1.7 6.7 2.7 5D",
        "4.7 7.7 3.7 6.7",
        "1.7 1D 4.7 2.7/5D",
    ],
}
MODAL = {
    "dorian": ["1 4 1 4", "1 7 4 1", "1 2 1 7", "1 3 4 1", "1 4 7 1"],
    "mixolydian": ["1 7 4 1", "1 5 7 4", "1 7 1 7", "4 7 1 1", "1 4 7 1"],
    "lydian": ["1 2 1 2", "1 2 6 5", "1 2 3 2", "6 2 1 1", "1 5 2 1"],
    "phrygian": ["1 2 1 2", "1 2 3 2", "1 7 2 1", "6 7 2 1", "1 2 7 1"],
}
#: The last two bars before a rest on the tonic.
CADENCES = {
    "major": ["4/5 1", "5 1", "2/5 1", "5.7 1", "4 1"],
    "minor": ["5M 1", "4/5M 1", "2/5M 1", "7 1"],
    "dorian": ["4 1", "7 1"],
    "mixolydian": ["7 1", "7/4 1"],
    "lydian": ["2 1", "5 1"],
    "phrygian": ["2 1", "7 1", "7/2 1"],
}
_FUNCTIONAL_STYLES = frozenset({"classical", "folk", "march", "waltz"})


def section(rng: random.Random, plan: Plan, bars: int) -> list[Chords]:
    """A section's chords, open at the end."""
    mode = plan.key.mode
    if mode in MODAL:
        pool = MODAL[mode]
    elif plan.genre == "jazz" or (plan.genre == "lo-fi" and rng.random() < 0.5):
        pool = JAZZ[mode]
    elif plan.genre in _FUNCTIONAL_STYLES:
        pool = FUNCTIONAL[mode]
    else:
        pool = POP[mode]
    first = rng.choice(pool)
    second = first if rng.random() < 0.6 else rng.choice(pool)
    row = (first.split() + second.split()) if bars > 4 else first.split()
    return [coloured(rng, plan, tuple(bar.split("/"))) for bar in row[:bars]]


def cadence(rng: random.Random, plan: Plan, chords: list[Chords]) -> list[Chords]:
    """The same section, closing on the tonic."""
    before, tonic = rng.choice(CADENCES[plan.key.mode]).split()
    if plan.genre == "jazz" and plan.key.mode in JAZZ:
        before, tonic = "2.7/5D", "1.7" if plan.key.mode == "major" else "1"
    close = [coloured(rng, plan, tuple(bar.split("/"))) for bar in (before, tonic)]
    return (chords[:-2] + close)[-len(chords) :]


def turnaround(rng: random.Random, plan: Plan) -> Chords:
    """One bar that leads back to the beginning."""
    bar = {"major": "5", "minor": "5M"}.get(plan.key.mode) or rng.choice(
        CADENCES[plan.key.mode]
    ).split()[0]
    return coloured(rng, plan, tuple(bar.split("/")))


def coloured(rng: random.Random, plan: Plan, bar: Chords) -> Chords:
    """Chords in the colours of the style: sevenths for jazz, open fifths for rock, ninths for
    ambient music.
    """
    return tuple(_colour(rng, plan, name) for name in bar)


def _colour(rng: random.Random, plan: Plan, name: str) -> str:
    options = [name]
    if plan.genre in ("jazz", "lo-fi"):
        options = ["5D" if name in ("5", "5M") else f"{name}.7"]
        if plan.key.mode not in ("major", "minor"):
            options = [f"{name}.7"]
    elif plan.genre == "ambient":
        options += [f"{name}+", f"{name}s", f"{name}.7"]
    elif plan.genre == "rock" and rng.random() < 0.7:
        options = [f"{name}p"]
    elif plan.genre == "electronic":
        options += [name, f"{name}.7", f"{name}+"]
    elif name == "5M" and rng.random() < 0.3:
        options = ["5D"]
    known = chords_of(plan.key.mode)
    fitting = [option for option in options if option in known]
    return rng.choice(fitting) if fitting else name
