"""Finding where the blocks of a sound mark lie, at the sound's own speed and at others.

Three searches, from cheap to dear:

- `fold`: the blocks follow each other as they were made. One correlation with the pilot block gives
  a peak per block; adding these up with the period's signs gives block and period at once.
- `repeats`: played faster or slower, the mark still repeats exactly, only sooner or later. The
  autocorrelation of the whitened sound shows that lag to the sample, and needs no key.
- `track`: after a change of tempo the blocks jump about. A Viterbi search (as in speech alignment)
  follows them, for every place in the period at once. `likely_speeds` says at which speeds to try,
  which catches a change of pitch at unchanged tempo.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from studio.provenance.marks.audio_carrier import BLOCK, PERIOD, Carrier
from studio.provenance.marks.audio_masking import (
    RATE,
    SIZE,
    STEP,
    Floats,
    Masking,
    density,
    from_spectra,
    spectra,
)

#: The farthest speed that is looked for, and the steps of `likely_speeds`.
FARTHEST, _SPEED_STEP = 0.033, 0.002
#: Bins of a spectrum in which the mark lives, 280 Hz to 6.3 kHz.
_USED = slice(7, 159)
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
    floor = np.percentile(ndimage.uniform_filter(power, 5)[:, _USED], 10)
    host = np.maximum(power - 3 * floor, np.float32(0.003) * power)
    hidden = masking.threshold(host)
    local = 0.3 * ndimage.uniform_filter(power, (1, 3)) + 0.7 * power + np.float32(1e-14)
    weights = np.sqrt(np.minimum(hidden / local, np.float32(0.3)) / local)
    weights[:, : _USED.start] = 0
    weights[:, _USED.stop :] = 0
    white = from_spectra(values * weights.astype(np.float32), len(samples))
    return np.asarray(white / (white.std() + np.float32(1e-12)), np.float32)


class Peaks:
    """The correlations of one whitened sound with pilot blocks; its transform, made once."""

    def __init__(self, white: Floats) -> None:
        self._length = len(white)
        self._padded = fft.next_fast_len(len(white) + BLOCK + BLOCK // 16, real=True)
        self._spectrum = fft.rfft(white, self._padded)

    def at(self, carrier: Carrier, speed: float = 1.0) -> Floats:
        """Correlation with the carrier's pilot block that starts at each sample; median 2/3."""
        template = fft.rfft(carrier.template(speed), self._padded)
        found = fft.irfft(self._spectrum * np.conj(template), self._padded)[: self._length]
        return np.asarray(found / (1.4826 * np.median(np.abs(found[::7])) + 1e-12), np.float32)

    def repeats(self, most: int) -> list[float]:
        """The speeds at which a mark would repeat as this sound does, likeliest first."""
        if self._length < 1.2 * PERIOD * BLOCK:
            return []
        padded = fft.next_fast_len(self._length + 2 * PERIOD * BLOCK, real=True)
        white = fft.irfft(self._spectrum, self._padded)[: self._length]
        # Loud moments would decide alone: every sample is limited to twice the deviation.
        power = np.abs(fft.rfft(np.clip(white, -2, 2), padded)) ** 2
        period = PERIOD * BLOCK
        lags = np.arange(int(period / (1 + FARTHEST)), int(period / (1 - FARTHEST)) + 1)
        likeness = np.abs(fft.irfft(power, padded)[lags])
        likeness *= 1 / np.sqrt(self._length - np.minimum(lags, self._length - 1))
        # Music repeats in broad ripples, a mark in one sharp peak.
        likeness -= ndimage.median_filter(likeness, 65, mode="nearest")
        speeds = []
        for _ in range(most):
            best = int(likeness.argmax())
            speeds.append(period / float(lags[best]))
            likeness[max(0, best - 12) : best + 13] = 0
        return speeds

    def likely_speeds(self, carrier: Carrier) -> list[tuple[float, float]]:
        """How peaked the correlation is at each speed of a grid: (peakedness, speed)."""
        grid = np.arange(1 - FARTHEST + 0.001, 1 + FARTHEST, _SPEED_STEP)
        found = []
        for speed in grid.tolist():
            best = np.abs(self.at(carrier, speed))
            blocks = len(best) // BLOCK
            tops = best[: blocks * BLOCK].reshape(blocks, BLOCK).max(axis=1)
            found.append((float(np.minimum(tops, 8).mean()), speed))
        return found


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
    `_DRIFT_COST`, a jump `_JUMP_COST`. Only upright polarity is tried: it takes most of the time.
    """
    rows = peaks[: len(peaks) // _COARSE * _COARSE].reshape(-1, _COARSE)
    strongest = rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)]
    coarse = np.clip(strongest, -5, 5).astype(np.float32)
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
    length = BLOCK // _COARSE
    phases = np.arange(PERIOD)
    score = np.zeros((PERIOD, states), np.float32)
    scores, moves = [], []
    for block in range(blocks):
        if block:
            best = ndimage.maximum_filter1d(score, 2 * _JUMP + 1, axis=1, mode="nearest")
            best -= np.float32(_JUMP_COST)
            move = np.full(score.shape, 2, np.int8)
            drift = score - np.float32(_DRIFT_COST)
            for step, source, target in (
                (1, np.s_[:, :-1], np.s_[:, 1:]),
                (-1, np.s_[:, 1:], np.s_[:, :-1]),
            ):
                better = drift[source] > best[target]
                move[target][better] = step
                np.maximum(best[target], drift[source], out=best[target])
            move[score >= best] = 0
            scores.append(score)
            moves.append(move)
            score = np.maximum(best, score)
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


def at_speed(samples: Floats, speed: float) -> Floats:
    """`samples` as they were before they were played `speed` times as fast."""
    ratio = Fraction(speed).limit_denominator(2000)
    return np.asarray(signal.resample_poly(samples, ratio.numerator, ratio.denominator), np.float32)


assert RATE % STEP == 0 and SIZE % STEP == 0
