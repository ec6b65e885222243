"""Finding where the blocks of a sound mark lie, at the sound's own speed and at others.

Three searches, from cheap to dear:

- `fold`: the blocks follow each other as they were made. One correlation with the pilot block gives
  a peak per block; adding these up with the period's signs gives block and period at once.
- `speeds`: played faster or slower, the blocks are as evenly spaced as before, only closer. The
  same is done for a grid of speeds, and between the steps of that grid.
- `track`: after a change of tempo the blocks jump about. A Viterbi search (as in speech alignment)
  follows them, for every place in the period at once. It is tried at the sound's own speed and at
  the one where single blocks stand out most, as they do after a change of pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.mastering import resample
from studio.provenance.marks.audio_carrier import BLOCK, PERIOD, Carrier
from studio.provenance.marks.audio_masking import (
    Floats,
    Masking,
    density,
    from_spectra,
    spectra,
)

#: The farthest speed that is looked for, and the steps of the grid.
FARTHEST, _SPEED_STEP = 0.033, 0.002
#: Bins of a spectrum in which the mark lives, 280 Hz to 6.3 kHz.
USED = slice(7, 159)
#: Blocks that are added up at one speed of the grid.
_GROUP = 16
#: Samples of a correlation that `track` takes together.
_COARSE = 4
#: Farthest jump of a block, in coarse steps (25 ms), and what drifting or jumping costs.
_JUMP, _DRIFT_COST, _JUMP_COST = 100, 0.4, 3.0


@dataclass(frozen=True)
class Grid:
    """Where the blocks of a mark seem to lie."""

    #: First sample of every block, shape (blocks,); some may lie outside the sound.
    starts: NDArray[np.int64]
    #: Place of each block in the period, 0 to PERIOD - 1.
    places: NDArray[np.int64]
    #: How clearly: about 0 ± 1 at one place by chance, 5 to 6 at the best of all places.
    clarity: float


def whiten(samples: Floats, masking: Masking) -> Floats:
    """`samples` (n,) with every place weighted by how much mark it holds for how much else.

    The mark's share of a place is the masked threshold over the power there (no more than 0.3); a
    filter of one over the power, times the square root of that share, is the matched filter. Where
    white noise has covered the sound, nothing was hidden: a floor is subtracted beforehand.
    """
    values = spectra(samples)
    power = density(values) + np.float32(1e-16)
    floor = np.percentile(cv2.blur(power, (5, 5), borderType=cv2.BORDER_REFLECT)[:, USED], 10)
    host = np.maximum(power - 3 * floor, np.float32(0.003) * power)
    hidden = masking.threshold(host)
    local = (
        0.3 * cv2.blur(power, (3, 1), borderType=cv2.BORDER_REFLECT)
        + 0.7 * power
        + np.float32(1e-14)
    )
    weights = np.sqrt(np.minimum(hidden / local, np.float32(0.3)) / local)
    weights[:, : USED.start] = 0
    weights[:, USED.stop :] = 0
    white = from_spectra(values * weights.astype(np.float32), len(samples))
    return np.asarray(white / (white.std() + np.float32(1e-12)), np.float32)


class Peaks:
    """The correlations of one whitened sound with pilot blocks; its transform, made once."""

    def __init__(self, white: Floats) -> None:
        self._length = len(white)
        self._padded = _quick(len(white) + BLOCK + BLOCK // 16)
        self._spectrum = np.fft.rfft(white, self._padded)

    def at(self, carrier: Carrier, speed: float = 1.0) -> Floats:
        """Correlation with the carrier's pilot block that starts at each sample; median 2/3."""
        template = np.fft.rfft(carrier.template(speed), self._padded)
        found = np.fft.irfft(self._spectrum * np.conj(template), self._padded)[: self._length]
        return np.asarray(found / (1.4826 * np.median(np.abs(found[::7])) + 1e-12), np.float32)


def speeds(peaks: Peaks, carrier: Carrier) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """Speeds at which evenly spaced blocks appear, as (clarity, speed), best first; and how much
    single blocks stand out, wherever they lie, and at which speed they do so most.
    """
    leaning, peaked = [], []
    for speed in np.arange(1 - FARTHEST + 0.001, 1 + FARTHEST, _SPEED_STEP).tolist():
        rows = peaks.at(carrier, speed)
        coarse = _coarse(rows, 2 * _COARSE)
        blocks = len(rows) // BLOCK
        tops = np.abs(rows[: blocks * BLOCK]).reshape(blocks, BLOCK).max(axis=1)
        peaked.append((float(np.minimum(tops, 8).mean()), speed))
        leaning.append(_lean(coarse, carrier, speed))
    return sorted(leaning, reverse=True), max(peaked)


def _lean(coarse: Floats, carrier: Carrier, speed: float) -> tuple[float, float]:
    """The clearest evenly spaced blocks at about `speed`: (clarity, exact speed).

    Blocks are added up in groups that are short enough for any speed between two steps of the
    grid, and then the groups, shifted against each other as each exact speed asks.
    """
    step = 2 * _COARSE
    length = BLOCK / speed / step
    groups = int(len(coarse) / length) // _GROUP
    if groups < 1:
        return 0.0, speed
    reach = int(_SPEED_STEP / 2 * groups * _GROUP * length) + 2
    every = np.arange(groups * _GROUP)
    padded = np.pad(coarse, (reach, BLOCK + reach))
    span = np.arange(BLOCK // step + 2 * reach)
    seen = padded[np.rint(every * length).astype(int)[:, None] + span]
    seen = seen.reshape(groups, _GROUP, len(span)).transpose(0, 2, 1)
    signs = carrier.signs[(every[:, None] + np.arange(PERIOD)) % PERIOD]
    sums = seen @ signs.reshape(groups, _GROUP, PERIOD)
    best = (0.0, speed)
    count = 2 * reach + 1
    for change in np.linspace(-_SPEED_STEP / 2, _SPEED_STEP / 2, count).tolist():
        shifts = np.rint(reach - change * np.arange(groups) * _GROUP * length).astype(int)
        total = sum(part[at : at + BLOCK // step] for part, at in zip(sums, shifts, strict=True))
        clarity = float(np.abs(total).max() / np.sqrt(len(every)))
        best = max(best, (clarity, speed * (1 + change)))
    return best


def fold(peaks: Floats, carrier: Carrier) -> Grid:
    """The likeliest grid of evenly spaced blocks."""
    blocks = len(peaks) // BLOCK
    every = np.arange(blocks)
    signs = carrier.signs[(every[:, None] + np.arange(PERIOD)) % PERIOD]
    limited = np.clip(peaks[: blocks * BLOCK].reshape(blocks, BLOCK), -4, 4)
    score = np.abs(limited.T @ signs) / np.sqrt(max(blocks, 1))
    start, place = divmod(int(score.argmax()), PERIOD)
    return Grid(start + every * BLOCK, (every + place) % PERIOD, float(score[start, place]))


def track(peaks: Floats, carrier: Carrier, most: int) -> list[Grid]:
    """The `most` likeliest grids whose blocks drift and jump, best first.

    State: how far a block lies from where it would, in coarse steps. Staying costs nothing, a step
    `_DRIFT_COST`, a jump `_JUMP_COST`. Only upright polarity is tried: this takes most time.
    """
    coarse = _coarse(peaks, _COARSE)
    length = BLOCK // _COARSE
    slack = int(FARTHEST * len(coarse)) + 8
    states = 2 * slack + length
    blocks = len(coarse) // length - 1
    if blocks < 1:
        return []
    padded = np.pad(coarse, (slack, slack + 2 * length))
    found = _tracks(padded, blocks, states, carrier.signs, most)
    every = np.arange(blocks)
    return [
        Grid(
            (every * length + path - slack) * _COARSE + _COARSE // 2,
            (every + place) % PERIOD,
            score / float(np.sqrt(blocks)),
        )
        for score, path, place in found
    ]


def _tracks(
    padded: Floats, blocks: int, states: int, signs: Floats, most: int
) -> list[tuple[float, NDArray[np.int64], int]]:
    """Score, path of states and place of the first block, for the `most` likeliest places."""
    # Late: only a thorough search needs it, and the host does without it otherwise.
    from scipy import ndimage

    length = BLOCK // _COARSE
    phases = np.arange(PERIOD)
    score = np.zeros((PERIOD, states), np.float32)
    scores, moves = [], []
    for block in range(blocks):
        if block:
            jumped = ndimage.maximum_filter1d(score, 2 * _JUMP + 1, axis=1, mode="nearest")
            jumped -= np.float32(_JUMP_COST)
            move = 2 * (jumped > score).astype(np.int8)
            best = np.maximum(score, jumped)
            drift = score - np.float32(_DRIFT_COST)
            for step, source, target in (
                (1, np.s_[:, :-1], np.s_[:, 1:]),
                (-1, np.s_[:, 1:], np.s_[:, :-1]),
            ):
                move[target][drift[source] > best[target]] = step
                np.maximum(best[target], drift[source], out=best[target])
            scores.append(score)
            moves.append(move)
            score = best
        seen = padded[block * length : block * length + states]
        score = score + signs[(block + phases) % PERIOD][:, None] * seen
    found = []
    for place in np.argsort(-score.max(axis=1))[:most].tolist():
        state = int(score[place].argmax())
        total = float(score[place, state])
        path = [state]
        for move, before in zip(reversed(moves), reversed(scores), strict=True):
            step = int(move[place, state])
            if step == 2:
                lowest = max(0, state - _JUMP)
                state = lowest + int(before[place, lowest : state + _JUMP + 1].argmax())
            else:
                state -= step
            path.append(state)
        found.append((total, np.array(path[::-1]), place))
    return found


def refine(grid: Grid, peaks: Floats, carrier: Carrier, reach: int) -> Grid:
    """`grid` with every block moved by at most `reach` samples, smoothly, to where it fits best."""
    steps = np.arange(-reach, reach + 1)
    where = np.clip(grid.starts[:, None] + steps, 0, len(peaks) - 1)
    seen = peaks[where] * carrier.signs[grid.places][:, None]
    seen *= np.sign(peaks[where[:, reach]] @ carrier.signs[grid.places] or 1.0)
    seen = np.clip(seen, -3, 5)
    score, choices = seen[0], []
    for row in seen[1:]:
        moved = np.full((3, len(score)), -np.inf, np.float32)
        moved[0] = score
        moved[1, 1:] = score[:-1] - 0.5
        moved[2, :-1] = score[1:] - 0.5
        choice = moved.argmax(axis=0)
        choices.append(choice)
        score = moved[choice, np.arange(len(score))] + row
    state = int(score.argmax())
    path = [state]
    for choice in reversed(choices):
        state -= (0, 1, -1)[int(choice[state])]
        path.append(state)
    return Grid(grid.starts + steps[path[::-1]], grid.places, grid.clarity)


def _coarse(peaks: Floats, step: int) -> Floats:
    """The strongest of every `step` correlations, limited."""
    rows = peaks[: len(peaks) // step * step].reshape(-1, step)
    lowest, highest = rows.min(axis=1), rows.max(axis=1)
    strongest = np.where(-lowest > highest, lowest, highest)
    return np.asarray(np.clip(strongest, -5, 5), np.float32)


def at_speed(samples: Floats, speed: float) -> Floats:
    """`samples` as they were before they were played `speed` times as fast."""
    ratio = Fraction(speed).limit_denominator(2000)
    return resample(samples, ratio.denominator, ratio.numerator)


def _quick(length: int) -> int:
    """The next length from `length` on whose transform is quick."""
    return min(odd << (-(-length // odd) - 1).bit_length() for odd in (1, 3, 5, 9, 15, 25, 27, 45))
