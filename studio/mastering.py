"""Mastering: what is done to finished sounds, as plain functions of arrays.

A sound is float32 (samples, channels) in [-1, 1] at a rate in Hz, as in a draft. Every function
returns a new array; none needs a model, a device or a file.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from studio.errors import InvalidRequest

Samples = NDArray[np.float32]

#: No sample exceeds this after mastering: −1 dBFS, which leaves lossy codecs some room.
CEILING = 10 ** (-1 / 20)
#: Silence, for `trim`: 60 dB below full scale.
SILENCE = 1e-3
#: BS.1770 measures blocks of this many seconds; a shorter sound has no loudness.
_BLOCK = 0.4
#: The level in LUFS below which a block is silent.
_GATE = -70.0


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
    """Integrated loudness in LUFS by FFmpeg's meter; -inf where no block is heard."""
    # Late: the host can do without it until it hears something.
    import av

    channels = samples.shape[1]
    layout = {1: "mono", 2: "stereo"}.get(channels, f"{channels}c")
    graph = av.filter.Graph()
    source = graph.add(
        "abuffer",
        f"sample_rate={rate}:sample_fmt=flt:channel_layout={layout}:time_base=1/{rate}",
    )
    meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    heard = -math.inf
    for begin in range(0, len(samples) + rate, rate):
        # A second at a time; when there is no more, what the meter still holds.
        piece = np.ascontiguousarray(samples[begin : begin + rate]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, "flt", layout) if piece.size else None
        if frame is not None:
            frame.sample_rate, frame.pts = rate, begin
        graph.push(frame)
        with suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                heard = float(graph.pull().metadata.get("lavfi.r128.I", heard))
    return heard if heard > _GATE else -math.inf


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
    """The sound, of any number of channels or (n,), at another rate, less what that cannot hold.

    A sinc of ten crossings to each side under a Kaiser window (β 5), as `scipy.signal` has it;
    to import that takes longer than to seal a sentence.
    """
    if rate == wanted:
        return np.array(samples)
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    reach = 10 * max(up, down)
    taps = np.sinc(np.arange(-reach, reach + 1) / max(up, down)) * np.kaiser(2 * reach + 1, 5)
    taps = (taps * up / taps.sum()).astype(np.float32)
    # Each sample that is wanted meets as many of them as there are samples beside it.
    most = -(-len(taps) // up)
    length = -(-len(samples) * up // down)
    around = [*[(0, 0)] * (samples.ndim - 1), (most, most)]
    windows = sliding_window_view(np.pad(samples.T, around), most, axis=-1)
    found = np.empty((length, *samples.shape[1:]), np.float32)
    for first in range(min(up, length)):
        last, phase = divmod(first * down + reach, up)
        met = taps[phase::up][::-1]
        mine = found[first::up]
        end = last + 1 + (len(mine) - 1) * down + 1
        mine[:] = (windows[..., last + 1 : end : down, most - len(met) :] @ met).T
    return found


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
