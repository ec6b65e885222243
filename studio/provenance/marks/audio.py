"""The sound mark: a 48-bit number as noise that the sound itself hides, without trained weights.

Embedding. The carrier (`audio_carrier`) is shaped, place by place in time and frequency, to lie
below the threshold under which the sound masks noise (`audio_masking`), the same in each channel.
How far below is decided for every twenty seconds: the reader's own view of the marked sound says
how clearly the signs of the code word stand out, and the mark is as faint as `WANTED` allows,
between `FAINTEST` and `LOUDEST`. Long sounds pass through piece by piece.

Detecting. The sound is whitened, its blocks are found (`audio_search`), each sine is weighted by
how well the pilots beside it come through, all of them are added up per sign, and the code is
decoded. A reading counts if its 24-bit checksum is right and its strength at least `THRESHOLD`.
Speed, tempo and pitch may be off by up to 3.2 %. Whoever has the key can remove or forge a mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from studio.errors import InvalidRequest
from studio.provenance.marks.audio_carrier import (
    BANDS,
    BLOCK,
    CODE,
    DATA,
    PERIOD,
    PILOTS,
    WIDTH,
    Carrier,
)
from studio.provenance.marks.audio_masking import (
    RATE,
    SIZE,
    STEP,
    Floats,
    Hiding,
    Masking,
    from_spectra,
    spectra,
)
from studio.provenance.marks.audio_search import (
    Grid,
    Peaks,
    at_speed,
    fold,
    refine,
    track,
    whiten,
)
from studio.provenance.marks.code import PAYLOAD_BITS, SOUND_CHECK

#: How far from the masked threshold the mark may lie, in dB.
FAINTEST, LOUDEST = -8.0, -3.0
#: Mean over deviation of the signs, read without any harm, that every piece should reach.
WANTED = 2.6
#: Below this a piece is too short or too empty to survive much.
WEAK = 1.6
#: Strength below which no reading counts; noise stays below 7.7.
THRESHOLD = 8.0
#: Seconds that are marked at one strength, and read at once.
PIECE = 20
_CONTEXT = 1  # seconds beside a piece that its spectra need
#: Rates that can be marked, in Hz.
RATES = range(8_000, 192_001)
#: Long sounds are read at this many places only.
_PLACES = 8
#: Seconds that the thorough search looks at.
_THOROUGH = 12
#: Fewer blocks than this hold no code word.
_FEWEST = 12


@dataclass(frozen=True)
class MarkedSound:
    """A sound that now carries a mark."""

    #: float32 in [-1, 1], shape (samples, channels).
    samples: Floats
    #: How far from the masked threshold the mark lies in the loudest piece, in dB.
    strength_db: float
    #: Power of the sound over power of the mark, in dB; infinite where there is no mark.
    signal_to_mark: float
    #: Mean over deviation of the signs in the clearest piece; see `WANTED`.
    margin: float
    #: Whether the mark may not survive much.
    weak: bool


@dataclass(frozen=True)
class FoundSound:
    """A mark that was read from a sound, and how surely."""

    payload: int
    key: str
    #: Correlation with the ideal mark: about 0 ± 1 for any one number, up to 17.9.
    strength: float
    #: Readings up to this one.
    tries: int
    #: Upper bound on the chance that an unmarked sound reads as some mark, over those tries.
    chance: float
    #: `direct`, `speed` or `tempo`: how it was found.
    path: str
    #: How much faster than made it plays (its pitch); 1.0 when unchanged.
    speed: float
    #: Second of the sound at which the piece that was read begins.
    second: float


class SoundMark:
    """Marks and reads sounds with any number of keys, the newest first."""

    alg = "org.colophon.undertone.v1"
    bits = PAYLOAD_BITS

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._carriers = [Carrier.of(name, secret) for name, secret in keys.items()]
        self._hiding = Hiding()
        self._masking = Masking()

    def embed(self, samples: Floats, rate: int, payload: int) -> MarkedSound:
        """`samples` (n, channels) with `payload` (below 2**48) under them; the input is unchanged.

        Raises:
            InvalidRequest: if the samples are not finite, or of a shape or rate that is no sound's.
        """
        _check(samples, rate)
        carrier = self._carriers[0]
        period = carrier.period(payload)
        marked = np.empty(samples.shape, np.float32)
        gain, margins, strengths = 0.0, [0.0], [FAINTEST]
        signal_power = mark_power = 0.0
        for first in range(0, len(samples), PIECE * rate):
            piece = samples[first : first + PIECE * rate]
            mark, heard, hidden = self._shape(samples, first, rate, period)
            grid = _known_grid(carrier, payload, first // rate, len(heard))
            decibels, margin = self._choose(heard, hidden, grid, carrier, payload)
            before, gain = gain or 10 ** (decibels / 20), 10 ** (decibels / 20)
            ramp = np.clip(np.arange(len(piece)) / rate, 0, 1)[:, None]
            mark *= (before + (gain - before) * ramp).astype(np.float32)
            np.clip(piece + mark, -1, 1, out=marked[first : first + len(piece)])
            signal_power += float(np.square(piece, dtype=np.float64).sum())
            mark_power += float(np.square(mark, dtype=np.float64).sum())
            margins.append(margin)
            strengths.append(decibels)
        ratio = 10 * np.log10(signal_power / mark_power) if mark_power and signal_power else np.inf
        best = max(margins)
        return MarkedSound(marked, max(strengths), float(ratio), best, best < WEAK)

    def _shape(
        self, samples: Floats, first: int, rate: int, period: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """The mark of the piece at `first` at the threshold; at `RATE`, the mix and its mark."""
        context = _CONTEXT * rate
        start = max(0, first - context)
        wide = samples[start : first + PIECE * rate + context]
        inner = min(PIECE * rate, len(samples) - first)
        low = _resample(wide, rate, RATE)
        begin = start // rate * RATE
        tile = np.take(period, np.arange(begin, begin + len(low)), mode="wrap")
        carrier = spectra(tile)
        shaped = np.empty_like(low)
        for channel in range(low.shape[1]):
            threshold = self._hiding.threshold(low[:, channel])
            shaped[:, channel] = from_spectra(carrier * np.sqrt(threshold), len(low))
        skip = (first - start) // rate
        mark = _resample(shaped, RATE, rate)[skip * rate :][:inner]
        kept = slice(skip * RATE, skip * RATE + -(-inner * RATE // rate))
        return mark, low[kept].mean(axis=1), shaped[kept].mean(axis=1)

    def _choose(
        self, heard: Floats, hidden: Floats, grid: Grid, carrier: Carrier, payload: int
    ) -> tuple[float, float]:
        """How loud the mark has to be, in dB from the threshold, and the margin this gives."""
        signs = CODE.encode(payload)
        decibels, margin = -5.5, 0.0
        for _ in range(2):
            white = whiten(heard + np.float32(10 ** (decibels / 20)) * hidden, self._masking)
            soft = _soft(white, grid, carrier)
            if soft is None:
                return LOUDEST, 0.0
            agreement = soft * signs
            margin = float(agreement.mean() / (agreement.std() + 1e-9))
            wanted = decibels + 20 * np.log10(WANTED / max(margin, 0.1))
            better = float(np.clip(wanted, FAINTEST, LOUDEST))
            if abs(better - decibels) < 0.25:
                break
            decibels, margin = better, margin * 10 ** ((better - decibels) / 20)
        return round(decibels, 2), round(margin, 3)

    def detect(self, samples: Floats, rate: int, *, thorough: bool = True) -> FoundSound | None:
        """The number in `samples` (n, channels): as they are, or `thorough`ly at other speeds.

        Sounds longer than `PIECE` seconds are read at up to eight places. Memory is bounded.

        Raises:
            InvalidRequest: if the samples are not finite, or of a shape or rate that is no sound's.
        """
        _check(samples, rate)
        tries = 0
        best: tuple[float, float, Floats] | None = None
        for second in _places(len(samples) / rate):
            start = int(second * rate)
            piece = _mix(_resample(samples[start : start + PIECE * rate], rate, RATE))
            if not np.any(piece):
                continue
            white = whiten(piece, self._masking)
            peaks = Peaks(white)
            for carrier in self._carriers:
                grid = fold(peaks.at(carrier), carrier)
                tries += 1
                found = _read(white, grid, carrier, tries, "direct", 1.0, second)
                if found is not None:
                    return found
                if best is None or grid.clarity > best[0]:
                    best = grid.clarity, second, white
        if best is None or not thorough:
            return None
        _, second, white = best
        return self._search(white[: _THOROUGH * RATE], second, tries)

    def _search(self, white: Floats, second: float, tries: int) -> FoundSound | None:
        """The number in a whitened sound that plays at another speed or tempo."""
        peaks = Peaks(white)
        grids = []
        for speed in peaks.repeats(6):
            original = at_speed(white, speed)
            there = Peaks(original)
            for carrier in self._carriers:
                correlation = there.at(carrier)
                grid = fold(correlation, carrier)
                grids.append((grid.clarity, speed, carrier, grid, original, correlation))
        grids.sort(key=lambda item: -item[0])
        for _, speed, carrier, grid, original, correlation in grids[:3]:
            tries += 1
            grid = refine(grid, correlation, carrier, 4)
            found = _read(original, grid, carrier, tries, "speed", speed, second)
            if found is not None:
                return found
        speeds = [
            (peaked, speed, carrier)
            for carrier in self._carriers
            for peaked, speed in peaks.likely_speeds(carrier)
        ]
        speeds.sort(key=lambda item: -item[0])
        for _, speed, carrier in speeds[:2]:
            original = white if abs(speed - 1) < 1e-4 else at_speed(white, speed)
            correlation = Peaks(original).at(carrier)
            for grid in track(correlation, carrier, 2):
                tries += 1
                grid = refine(grid, correlation, carrier, 6)
                found = _read(original, grid, carrier, tries, "tempo", speed, second)
                if found is not None:
                    return found
        return None


def _soft(white: Floats, grid: Grid, carrier: Carrier) -> Floats | None:
    """The signs of the code word as read at `grid`, larger when surer; None if it has no blocks.

    Each pilot band says how strongly, at which phase and how noisily its sines come through; the
    data bands between them are turned and weighted accordingly (maximum-ratio combining).
    """
    inside = (grid.starts >= 0) & (grid.starts < len(white) - BLOCK)
    places = grid.places[inside]
    if len(places) < _FEWEST:
        return None
    lines = carrier.lines(white, grid.starts[inside])
    pilots = (lines[:, PILOTS] * np.conj(carrier.pilots)).sum(axis=2)
    pilots *= carrier.signs[places][:, None]
    gain, noise = pilots.mean(axis=0), pilots.var(axis=0)
    where = (DATA[:, None] + (np.arange(WIDTH) + 0.5) / WIDTH - 0.5).ravel()
    weight = np.interp(where, PILOTS, gain.real) + 1j * np.interp(where, PILOTS, gain.imag)
    weight /= np.interp(where, PILOTS, noise) + 1e-9
    data = lines[:, DATA].reshape(len(places), -1)
    values = (data * np.conj(carrier.phases[places] * weight)).real
    order = carrier.order[places].ravel()
    return np.bincount(order, values.ravel(), CODE.length).astype(np.float32)


def _read(
    white: Floats,
    grid: Grid,
    carrier: Carrier,
    tries: int,
    path: str,
    speed: float,
    second: float,
) -> FoundSound | None:
    soft = _soft(white, grid, carrier)
    if soft is None:
        return None
    soft /= soft.std() + np.float32(1e-12)
    payload = CODE.decode(soft[None])[0]
    if payload is None:
        return None
    strength = float(CODE.encode(payload) @ soft / np.sqrt(len(soft)))
    if strength < THRESHOLD:
        return None
    chance = tries * 2.0**-SOUND_CHECK.width
    strength = round(strength, 2)
    return FoundSound(payload, carrier.key, strength, tries, chance, path, round(speed, 5), second)


def _known_grid(carrier: Carrier, payload: int, second: int, length: int) -> Grid:
    """Where the blocks of a mark made just now lie in the piece that begins at `second`."""
    begins = (carrier.start(payload) + second * RATE) % (PERIOD * BLOCK)
    first = -begins % BLOCK
    starts = np.arange(first, max(first, length - BLOCK), BLOCK)
    return Grid(starts, (begins + starts) // BLOCK % PERIOD, 0.0)


def _places(seconds: float) -> Iterator[float]:
    """Seconds at which to read: from the start on, or spread over a long sound."""
    last = max(0.0, seconds - PIECE)
    count = min(_PLACES, 1 + int(np.ceil(last / PIECE)))
    yield from (float(place) for place in np.linspace(0, last, count))


def _mix(samples: Floats) -> Floats:
    """One channel out of all; where they cancel each other, the first one."""
    mixed = samples.mean(axis=1)
    silent = np.square(mixed).mean() < 1e-4 * np.square(samples).mean()
    return samples[:, 0].copy() if silent else mixed


def _resample(samples: Floats, source: int, target: int) -> Floats:
    if source == target:
        return np.array(samples, np.float32)
    common = np.gcd(source, target)
    found = signal.resample_poly(samples, target // common, source // common, axis=0)
    return np.asarray(found, np.float32)


def _check(samples: NDArray[np.float32], rate: int) -> None:
    if samples.ndim != 2 or not samples.shape[1]:
        raise InvalidRequest(
            f"Sound has shape {samples.shape}.",
            hint="Give samples of shape (samples, channels).",
        )
    if rate not in RATES:
        raise InvalidRequest(
            f"Sound cannot be marked at {rate} Hz.",
            hint=f"Resample it to between {RATES.start} and {RATES.stop - 1} Hz.",
        )
    # In pieces: the answer must not need as much memory as the sound.
    if not all(np.isfinite(samples[at : at + 2**20]).all() for at in range(0, len(samples), 2**20)):
        raise InvalidRequest(
            "Sound has samples that are not numbers.",
            hint="The model that made it failed; make it again with another seed.",
        )


assert BANDS == len(PILOTS) + len(DATA) and SIZE % STEP == 0
