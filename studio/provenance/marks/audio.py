"""The sound mark: a 48-bit number as noise that the sound itself hides, without trained weights.

Embedding. The carrier (`audio_carrier`) is shaped, place by place in time and frequency, to lie
below the threshold under which the sound masks noise (`audio_masking`), the same in each channel.
How far below is decided for every twenty seconds: the marked sound, put through a telephone's
eight bits, is read where the mark is known to be, and the mark is as faint as `WANTED` allows,
between `FAINTEST` and `LOUDEST`. Long sounds pass through piece by piece.

Detecting: see `audio_reading`. Speed, tempo and pitch may be off by up to 3.2 %. Whoever has the
key can remove or forge a mark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from studio.draft import Draft, let_go
from studio.errors import InvalidRequest
from studio.mastering import resample
from studio.provenance.marks import Found, Marked, MarkKey
from studio.provenance.marks.audio_carrier import BLOCK, CODE, PERIOD, Carrier
from studio.provenance.marks.audio_masking import RATE, Floats, Hiding, from_spectra, spectra
from studio.provenance.marks.audio_reading import PIECE, FoundSound, Reader
from studio.provenance.marks.audio_search import USED, Grid
from studio.provenance.marks.code import PAYLOAD_BITS
from studio.tasks.request import Kind

#: How far from the masked threshold the mark may lie, in dB.
FAINTEST, LOUDEST = -5.0, -1.0
#: Mean over deviation of the signs, read after `_telephone`, that every piece should reach.
WANTED = 3.2
#: Below this a piece is too short or too empty to survive much.
WEAK = 1.0
_CONTEXT = 1  # seconds beside a piece that its spectra need
#: Rates that can be marked, in Hz.
RATES = range(8_000, 192_001)


@dataclass(frozen=True)
class MarkedSound:
    """A sound that now carries a mark."""

    #: float32 in [-1, 1], shape (samples, channels).
    samples: Floats
    #: How far from the masked threshold the mark lies in the loudest piece, in dB.
    strength_db: float
    #: Full scale over the mark, in dB (the peak signal-to-noise ratio); 120 where there is no mark.
    peak_to_mark: float
    #: Mean over deviation of the signs in the clearest piece; see `WANTED`.
    margin: float
    #: Whether the mark may not survive much.
    weak: bool


class SoundMark:
    """Marks and reads sounds with any number of keys, the newest first."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._carriers = [Carrier.of(name, secret) for name, secret in keys.items()]
        self._hiding = Hiding()
        self._reader = Reader(self._carriers)

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
        energy = 0.0
        for first in range(0, len(samples), PIECE * rate):
            piece = samples[first : first + PIECE * rate]
            if not np.any(piece):
                # Nothing hides anything in digital silence.
                marked[first : first + len(piece)] = 0
                continue
            mark, heard, hidden = self._shape(samples, first, rate, period)
            grid = _known_grid(carrier, payload, first // rate, len(heard))
            decibels, margin = self._choose(heard, hidden, grid, carrier, payload)
            before, gain = gain or 10 ** (decibels / 20), 10 ** (decibels / 20)
            ramp = np.clip(np.arange(len(piece)) / rate, 0, 1)[:, None]
            mark *= (before + (gain - before) * ramp).astype(np.float32)
            np.clip(piece + mark, -1, 1, out=marked[first : first + len(piece)])
            energy += float(np.square(mark, dtype=np.float64).sum())
            margins.append(margin)
            strengths.append(decibels)
            let_go(samples)
        peak = -10 * np.log10(max(energy / max(samples.size, 1), 1e-12))
        best = max(margins)
        return MarkedSound(marked, max(strengths), float(peak), best, best < WEAK)

    def _shape(
        self, samples: Floats, first: int, rate: int, period: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """The mark of the piece at `first` at the threshold; at `RATE`, the mix and its mark."""
        context = _CONTEXT * rate
        start = max(0, first - context)
        wide = samples[start : first + PIECE * rate + context]
        inner = min(PIECE * rate, len(samples) - first)
        low = resample(wide, rate, RATE)
        begin = start // rate * RATE
        tile = np.take(period, np.arange(begin, begin + len(low)), mode="wrap")
        carrier = spectra(tile)
        # Windows leak a little beyond the mark's band, where thresholds can be very high.
        carrier[:, : USED.start] = 0
        carrier[:, USED.stop :] = 0
        shaped = np.empty_like(low)
        for channel in range(low.shape[1]):
            threshold = self._hiding.threshold(low[:, channel])
            shaped[:, channel] = from_spectra(carrier * np.sqrt(threshold), len(low))
        skip = (first - start) // rate
        mark = resample(shaped, RATE, rate)[skip * rate :][:inner]
        kept = slice(skip * RATE, skip * RATE + -(-inner * RATE // rate))
        return mark, low[kept].mean(axis=1), shaped[kept].mean(axis=1)

    def _choose(
        self, heard: Floats, hidden: Floats, grid: Grid, carrier: Carrier, payload: int
    ) -> tuple[float, float]:
        """How loud the mark has to be, in dB from the threshold, and the margin this gives."""
        signs = CODE.encode(payload)
        decibels, margin = (FAINTEST + LOUDEST) / 2, 0.0
        for _ in range(2):
            marked = heard + np.float32(10 ** (decibels / 20)) * hidden
            soft = self._reader.soft(_telephone(marked), grid, carrier)
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

        Raises:
            InvalidRequest: if the samples are not finite, or of a shape or rate that is no sound's.
        """
        _check(samples, rate)
        return self._reader.detect(samples, rate, thorough=thorough)


class AudioMark:
    """The studio's own mark for sound; see `marks.Mark`."""

    alg = "org.colophon.undertone.v1"
    kind: Kind = "audio"
    bits = PAYLOAD_BITS

    def __init__(self, keys: Sequence[MarkKey]) -> None:
        self._newest = keys[0].id
        self._sound = SoundMark({key.id: key.secret for key in keys})

    def embed(self, draft: Draft, payload: int) -> Marked:
        """`draft` with `payload` (below 2**48) under its samples, as strong as it needs to be."""
        samples = draft.arrays["samples"]
        sound = self._sound.embed(samples, draft.facts["rate"], payload)
        return Marked(
            draft=replace(draft, arrays={**draft.arrays, "samples": sound.samples}),
            key=self._newest,
            psnr=round(sound.peak_to_mark, 2),
            margin=sound.margin,
            weak=sound.weak,
        )

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        """The number in `draft`'s samples: as they are, or `thorough`ly at other speeds."""
        rate = draft.facts["rate"]
        sound = self._sound.detect(draft.arrays["samples"], rate, thorough=thorough)
        if sound is None:
            return None
        geometry = {"speed": sound.speed, "tempo": sound.path == "tempo", "second": sound.second}
        return Found(sound.payload, sound.key, sound.strength, sound.tries, sound.chance, geometry)


def _telephone(samples: Floats) -> Floats:
    """`samples` through eight bits of μ-law (ITU-T G.711): harm that any sound should survive."""
    top = np.abs(samples).max()
    scaled = np.log1p(255 * np.abs(samples) / top) * (127 / np.log(256))
    again = np.expm1(np.rint(scaled) * (np.log(256) / 127)) / 255
    return np.asarray(np.sign(samples) * again * top, np.float32)


def _known_grid(carrier: Carrier, payload: int, second: int, length: int) -> Grid:
    """Where the blocks of a mark made just now lie in the piece that begins at `second`."""
    begins = (carrier.start(payload) + second * RATE) % (PERIOD * BLOCK)
    first = -begins % BLOCK
    starts = np.arange(first, max(first, length - BLOCK), BLOCK)
    return Grid(starts, (begins + starts) // BLOCK % PERIOD, 0.0)


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
