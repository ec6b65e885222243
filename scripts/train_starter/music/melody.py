"""Melodies from motifs: a rhythm and a contour that come back, move with the chords, and come to
rest.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from music.harmony import Chords
from music.patterns import RHYTHMS
from studio.families.starter_music.notation import MELODY_RANGE, Events
from studio.families.starter_music.plan import Plan
from studio.families.starter_music.theory import CHORDS

#: Density by mood, 0 sparse to 3 busy.
DENSITY = {
    "calm": 0.7,
    "happy": 1.8,
    "sad": 0.9,
    "dreamy": 0.6,
    "mysterious": 0.9,
    "energetic": 2.4,
    "heroic": 1.4,
    "playful": 2.1,
}
_BUSIER = {"chiptune": 0.5, "jazz": 0.4, "folk": 0.4, "ambient": -0.6, "lo-fi": -0.3}


@dataclass(frozen=True)
class Motif:
    """One bar's idea."""

    onsets: tuple[int, ...]
    #: Scale steps from one note to the next.
    moves: tuple[int, ...]


def density(plan: Plan) -> float:
    """How busy a melody is, 0 to 3: by mood and style, and less at fast tempos."""
    level = DENSITY[plan.mood] + _BUSIER.get(plan.genre, 0.0) + 0.3 * (2 - plan.band)
    return min(3.0, max(0.0, level))


def rhythm(rng: random.Random, plan: Plan, level: float) -> tuple[int, ...]:
    """The onsets of one bar at about this density."""
    table = RHYTHMS[plan.metre.name]
    onsets: list[int] = []
    width = 12 if plan.metre.name == "3/4" else plan.metre.bar // 2
    for start in range(0, plan.metre.bar, width):
        near = min(3, max(0, int(level + rng.random())))
        onsets += [start + onset for onset in rng.choice(table[near])]
    if plan.genre in ("jazz", "lo-fi"):  # swung styles stay on the eighths
        onsets = sorted({onset & ~1 for onset in onsets})
    return tuple(onsets) or (0,)


def motif(rng: random.Random, plan: Plan, level: float) -> Motif:
    """A new idea: mostly steps, few leaps, and after a leap a step back."""
    onsets = rhythm(rng, plan, level)
    moves: list[int] = []
    drift = rng.choice((-1, 1))
    for _ in onsets[1:]:
        if moves and abs(moves[-1]) > 2:
            moves.append(-1 if moves[-1] > 0 else 1)
        elif rng.random() < 0.16:
            moves.append(rng.choice((-4, -3, 2, 3, 4, 5)))
        else:
            moves.append(rng.choice((drift, drift, drift, -drift, 2 * drift, 0)))
    return Motif(onsets, tuple(moves))


def near_tone(step: int, chord: str) -> int:
    """The chord tone that is nearest to `step`, the upper one of two equally near."""
    degrees = {(CHORDS[chord].root + member) % 7 for member in CHORDS[chord].members}
    return next(step + d for d in (0, 1, -1, 2, -2, 3, -3) if (step + d) % 7 in degrees)


class Singer:
    """Sings bars one after the other and remembers where its voice is."""

    def __init__(self, rng: random.Random, plan: Plan) -> None:
        self._rng = rng
        self._plan = plan
        self._centre = rng.choice((3, 4, 5)) + (
            1 if plan.mood in ("happy", "playful", "energetic") else 0
        )
        self._lowest, self._highest = self._centre - 6, min(self._centre + 6, MELODY_RANGE[1])
        self.step = self._centre

    def sing(self, idea: Motif, chords: Chords, lift: int = 0) -> Events:
        """The idea over these chords: strong beats on chord tones, the rest between by step."""
        beat, half = self._plan.metre.beat, self._plan.metre.half
        target = self._centre + lift
        start = self.step + (1 if target > self.step + 1 else -1 if target < self.step - 1 else 0)
        wanted = [start]
        for move in idea.moves:
            wanted.append(wanted[-1] + move)
        steps: list[int] = []
        for onset, wish in zip(idea.onsets, wanted, strict=True):
            wish = self._within(wish)
            chord = chords[-1] if onset >= half else chords[0]
            if onset % beat == 0 or not steps:
                wish = near_tone(min(max(wish, self._lowest + 3), self._highest - 3), chord)
            steps.append(wish)
        for index in range(1, len(steps) - 1):  # a weak note passes between its neighbours
            if idea.onsets[index] % beat and abs(steps[index] - steps[index - 1]) > 3:
                steps[index] = steps[index - 1] + (1 if steps[index + 1] > steps[index - 1] else -1)
        self.step = steps[-1]
        return tuple((onset, str(step)) for onset, step in zip(idea.onsets, steps, strict=True))

    def rest_on(self, chord: str, degree: int | None, long: bool) -> Events:
        """A cadence: one long note, on `degree` of the scale if given; a breath after it unless
        `long`.
        """
        goal = near_tone(self.step, chord)
        if degree is not None:
            goal = min((o * 7 + degree for o in (0, 1)), key=lambda step: abs(step - self.step))
        self.step = goal
        events: list[tuple[int, str]] = [(0, str(goal))]
        if not long:
            events.append((self._plan.metre.half, "rest"))
        return tuple(events)

    def _within(self, step: int) -> int:
        if step > self._highest:
            return 2 * self._highest - step
        return 2 * self._lowest - step if step < self._lowest else step


def ornamented(rng: random.Random, plan: Plan, events: Events) -> Events:
    """The same bar with one longer note divided by its neighbour: how a repeat differs."""
    grid = 2
    ends = [position for position, _ in events[1:]] + [plan.metre.bar]
    places = [
        index
        for index, (position, value) in enumerate(events)
        if ends[index] - position >= 2 * grid and value not in ("rest", "hold")
    ]
    if not places:
        return events
    index = rng.choice(places)
    position, value = events[index]
    following = events[index + 1][1] if index + 1 < len(events) else value
    try:
        direction = 1 if int(following) >= int(value) else -1
    except ValueError:
        direction = 1
    neighbour = min(MELODY_RANGE[1], max(MELODY_RANGE[0], int(value) + direction))
    middle = position + (ends[index] - position) // 2 // grid * grid
    return (*events[: index + 1], (middle, str(neighbour)), *events[index + 1 :])
