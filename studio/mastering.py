"""Mastering: what is done to finished sounds, as plain functions of arrays.

A sound is float32 (samples, channels) in [-1, 1] at a rate in Hz, as in a draft. Every function
returns a new array; none needs a model, a device or a file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidRequest

Samples = NDArray[np.float32]

#: No sample exceeds this after mastering: −1 dBFS, which leaves lossy codecs some room.
CEILING = 10 ** (-1 / 20)
#: Silence, for `trim`: 60 dB below full scale.
SILENCE = 1e-3
#: BS.1770 measures blocks of this many seconds; a shorter sound has no loudness.
_BLOCK = 0.4
#: Seconds from one block to the next, and the level in LUFS below which a block is silent.
_STEP, _GATE = 0.1, -70.0


@dataclass(frozen=True)
class Levels:
    """How loud a sound is, and what is wrong with it."""

    #: Integrated loudness in LUFS (ITU-R BS.1770-4); None for silence, and below 0.4 s.
    loudness: float | None
    #: The highest sample, in dB below full scale; None for silence.
    peak: float | None
    #: The mean of the worst channel, 0 where there is no offset.
    offset: float
    #: How many samples lie at full scale or beyond it.
    clipped: int


def measure(samples: Samples, rate: int) -> Levels:
    """The levels of a sound.

    Raises:
        InvalidRequest: if a sample is not a finite number.
    """
    # No copy of the samples anywhere: a long speech has a hundred million bytes of them.
    highest = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
    if not math.isfinite(highest):
        raise InvalidRequest("The sound holds values that are no numbers.")
    if highest == 0:
        return Levels(None, None, 0.0, 0)
    loudness = None
    if len(samples) >= _BLOCK * rate:
        heard = _loudness(samples, rate)
        loudness = round(heard, 2) if math.isfinite(heard) else None
    return Levels(
        loudness=loudness,
        peak=round(20 * math.log10(highest), 2),
        offset=round(float(np.abs(samples.mean(axis=0, dtype=np.float64)).max()), 5),
        clipped=int(np.count_nonzero(samples >= 1) + np.count_nonzero(samples <= -1)),
    )


def _loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness in LUFS, measured minute by minute; -inf where no block is heard."""
    # Late: it brings a part of scipy that the host can do without until it hears something.
    from pyloudnorm import Meter

    meter = Meter(rate, block_size=_BLOCK)
    blocks: list[float] = []
    for begin in range(0, len(samples), 60 * rate):
        # The filters need a moment to settle, and the last blocks reach into the next minute.
        start = max(0, begin - 2 * rate)
        piece = samples[start : begin + 60 * rate + round((_BLOCK - _STEP) * rate)]
        if len(piece) >= _BLOCK * rate:
            meter.integrated_loudness(piece)
            skipped = round((begin - start) / rate / _STEP)
            blocks += meter.blockwise_loudness[skipped:]
    audible = np.array([10 ** (block / 10) for block in blocks if block >= _GATE])
    if not len(audible):
        return -math.inf
    # What is 10 dB below the mean of these counts no more.
    return 10 * math.log10(audible[audible > audible.mean() / 10].mean())


def trim(samples: Samples, rate: int, margin: float = 0.05) -> Samples:
    """The sound without the silence at both ends, but for `margin` seconds; all of it if silent."""
    heard = np.flatnonzero(np.abs(samples).max(axis=1) > SILENCE)
    if not len(heard):
        return samples.copy()
    around = round(margin * rate)
    return samples[max(0, heard[0] - around) : heard[-1] + 1 + around].copy()


def fade(samples: Samples, rate: int, *, fade_in: float, fade_out: float) -> Samples:
    """The sound with its first and last seconds rising and falling as a quarter sine."""
    faded = samples.copy()
    rising, falling = (min(len(samples), round(length * rate)) for length in (fade_in, fade_out))
    if rising:
        faded[:rising] *= _quarter(rising)
    if falling:
        faded[-falling:] *= _quarter(falling)[::-1]
    return faded


def normalise(samples: Samples, rate: int, loudness: float) -> Samples:
    """The sound at `loudness` LUFS, or as near as `CEILING` allows; offsets are taken out first.

    Raises:
        InvalidRequest: if the sound is silent or too short to have a loudness.
    """
    centred = samples - samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    levels = measure(centred, rate)
    if levels.loudness is None or levels.peak is None:
        raise InvalidRequest(
            "This sound has no loudness: it is silent, or shorter than 0.4 seconds.",
            hint="Give a longer sound.",
        )
    gain = min(loudness - levels.loudness, 20 * math.log10(CEILING) - levels.peak)
    scaled: Samples = centred * np.float32(10 ** (gain / 20))
    # Decibels were rounded; the ceiling holds nevertheless.
    return np.clip(scaled, -CEILING, CEILING)


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """The sound at another rate, without what that rate cannot hold."""
    from scipy.signal import resample_poly

    if rate == wanted:
        return samples.copy()
    common = math.gcd(rate, wanted)
    changed = resample_poly(samples, wanted // common, rate // common, axis=0)
    return np.asarray(changed, np.float32)


def loop(samples: Samples, rate: int, overlap: float) -> Samples:
    """The sound without its last `overlap` seconds, which fade out over its beginning instead.

    Played again and again it has no seam, since what follows its end is what followed it before;
    a beat is not kept over it.
    """
    over = round(overlap * rate)
    closed = samples[:-over].copy()
    # The two are strangers to each other: their powers add up, not their samples.
    closed[:over] = samples[:over] * _quarter(over) + samples[-over:] * _quarter(over)[::-1]
    return np.clip(closed, -1, 1)


def mix(voice: Samples, music: Samples, rate: int, *, duck: float = 12.0) -> Samples:
    """A voice over music, which steps back by `duck` dB while somebody speaks; float32 (n, 2).

    The music is repeated or cut to the voice's length, half a second of music before and after it.
    Both are at `rate` Hz; the sum is scaled down where it would pass `CEILING`.
    """
    around = round(0.5 * rate)
    return lay(np.pad(stereo(voice), ((around, around), (0, 0))), music, rate, duck=duck)


def lay(spoken: Samples, music: Samples, rate: int, *, duck: float) -> Samples:
    """What is spoken, float32 (n, 2), with music under it from its beginning to its end."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    played = stereo(music)
    played = np.tile(played, (math.ceil(len(spoken) / len(played)), 1))[: len(spoken)]
    # Held through the gaps between words, and smoothed, so that the music does not pump.
    level = maximum_filter1d(np.abs(spoken).max(axis=1), round(0.6 * rate))
    speaking = uniform_filter1d((level > 0.02).astype(np.float32), round(0.25 * rate))
    gain = 10 ** (-duck * speaking / 20)
    mixed = spoken + played * gain[:, None].astype(np.float32)
    highest = float(np.abs(mixed).max(initial=0))
    return np.asarray(mixed * min(1.0, CEILING / (highest or 1.0)), np.float32)


def _quarter(length: int) -> Samples:
    """Gains from 0 to 1, float32 (length, 1)."""
    return np.sin(np.linspace(0, np.pi / 2, length, dtype=np.float32))[:, None]


def stereo(samples: Samples) -> Samples:
    """The sound as float32 (n, 2); of more channels, the first two."""
    return np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples[:, :2]
