"""Reading a sound mark: where its blocks lie, what its signs say, and how surely.

The sound is whitened, its blocks are found (`audio_search`), each sine is weighted by how well the
pilots beside it come through, all of them are added up per sign, and the code is decoded. A reading
counts if its 24-bit checksum is right and its strength at least `THRESHOLD`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from studio.mastering import resample
from studio.provenance.marks.audio_carrier import BLOCK, CODE, DATA, PILOTS, WIDTH, Carrier
from studio.provenance.marks.audio_masking import RATE, Floats, Masking
from studio.provenance.marks.audio_search import (
    Grid,
    Peaks,
    at_speed,
    fold,
    refine,
    speeds,
    track,
    whiten,
)
from studio.provenance.marks.code import SOUND_CHECK

#: Strength below which no reading counts; noise stays below 7.7.
THRESHOLD = 8.0
#: Seconds that are read at once.
PIECE = 20
#: Long sounds are read at this many places only.
_PLACES = 8
#: Seconds that the thorough search looks at.
_THOROUGH = 12
#: Fewer blocks than this hold no code word.
_FEWEST = 12


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


class Reader:
    """Reads sounds with any number of keys."""

    def __init__(self, carriers: Sequence[Carrier]) -> None:
        self._carriers = carriers
        self._masking = Masking()

    def soft(self, samples: Floats, grid: Grid, carrier: Carrier) -> Floats | None:
        """The signs of the code word in `samples` (n,) at `RATE`, read at a known grid."""
        return _soft(whiten(samples, self._masking), grid, carrier)

    def detect(self, samples: Floats, rate: int, *, thorough: bool) -> FoundSound | None:
        """The number in `samples` (n, channels), finite, at any rate; None if there is none.

        Sounds longer than `PIECE` seconds are read at up to eight places. Memory is bounded.
        """
        tries = 0
        best: tuple[float, float, Floats] | None = None
        for second in _places(len(samples) / rate):
            start = int(second * rate)
            piece = samples[start : start + PIECE * rate]
            if len(piece) / rate * RATE < (_FEWEST + 1) * BLOCK or not np.any(piece):
                continue
            white = whiten(_mix(resample(piece, rate, RATE)), self._masking)
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
        evenly, peaked = [], []
        for carrier in self._carriers:
            clearest, (standing_out, at) = speeds(peaks, carrier)
            evenly += [(clarity, speed, carrier) for clarity, speed in clearest[:2]]
            peaked.append((standing_out, at, carrier))
        evenly.sort(key=lambda item: -item[0])
        for _, speed, carrier in evenly[:2]:
            tries += 1
            original = at_speed(white, speed)
            correlation = Peaks(original).at(carrier)
            grid = refine(fold(correlation, carrier), correlation, carrier, 8)
            found = _read(original, grid, carrier, tries, "speed", speed, second)
            if found is not None:
                return found
        # A search for jumping blocks is dear: two keys at most, the likelier one also at its speed.
        peaked.sort(key=lambda item: -item[0])
        likelier = [(1.0, carrier) for _, _, carrier in peaked[:2]]
        likelier.append((peaked[0][1], peaked[0][2]))
        for speed, carrier in likelier:
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
