"""How much noise a sound hides, and the short-time spectra that this is reckoned from.

The model is Schroeder's spreading of energy over critical bands (Schroeder, Atal and Hall, J.
Acoust. Soc. Am. 66, 1979) with Johnston's offsets for tone-like and noise-like maskers (Johnston,
IEEE J. Sel. Areas Commun. 6, 1988), on bands of half a Bark, and Terhardt's threshold in quiet
(Hearing Research 1, 1979).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Complexes = NDArray[np.complex64]

#: Rate at which marks are made and read, in Hz; nothing of a mark lies above 6.3 kHz.
RATE = 16_000
#: Samples per spectrum (25 ms), and from one to the next; a second is a whole number of steps.
SIZE, STEP = 400, 100
#: Where full scale lies, in dB of sound pressure: loud listening.
_FULL_SCALE = 92.0
_TINY = 1e-20


def spectra(samples: Floats, size: int = SIZE) -> Complexes:
    """Hann-windowed spectra of `samples` (n,), shape (n // STEP + 1, size // 2 + 1).

    Spectrum k is centred on sample k × STEP, whatever the size.
    """
    count = len(samples) // STEP + 1
    padded = np.zeros((count - 1) * STEP + size, np.float32)
    inside = samples[: len(padded) - size // 2]
    padded[size // 2 : size // 2 + len(inside)] = inside
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::STEP]
    return np.asarray(np.fft.rfft(frames * _window(size)), np.complex64)


def from_spectra(values: Complexes, length: int) -> Floats:
    """The `length` samples whose `spectra` are `values`, by weighted overlap-add."""
    frames = np.fft.irfft(values, SIZE).astype(np.float32) * _window(SIZE)
    total = np.zeros((len(frames) + SIZE // STEP, STEP), np.float32)
    for part in range(SIZE // STEP):
        piece = slice(part * STEP, (part + 1) * STEP)
        total[part : part + len(frames)] += frames[:, piece]
    # Squared Hann windows a quarter of their length apart add up to 3/2 everywhere.
    flat = total.ravel()[SIZE // 2 :] / np.float32(1.5)
    return np.pad(flat[:length], (0, max(0, length - len(flat))))


def density(values: Complexes) -> Floats:
    """Power per Hz (one-sided) of `spectra`; a full-scale sine has a power of 1/2."""
    size = 2 * (values.shape[1] - 1)
    scale = 2 / (RATE * float(np.square(_window(size)).sum()))
    power = np.square(values.real) + np.square(values.imag)
    return np.asarray(power * np.float32(scale), np.float32)


class Masking:
    """The masked threshold for spectra of one size; its tables, built once."""

    def __init__(self, size: int = SIZE) -> None:
        frequency = np.arange(size // 2 + 1) * RATE / size
        bark = 13 * np.arctan(0.00076 * frequency) + 3.5 * np.arctan((frequency / 7500) ** 2)
        band = (2 * bark).astype(int)
        bands = int(band.max()) + 1
        self._band = band
        self._members = np.zeros((len(frequency), bands), np.float32)
        self._members[np.arange(len(frequency)), band] = 1
        # A narrow band may hold no bin of a short spectrum.
        self._count = np.maximum(self._members.sum(axis=0), 1)
        self._width = RATE / size
        self._centre = (np.arange(bands) + 0.5) / 2
        apart = self._centre[None, :] - self._centre[:, None]
        near = apart + 0.474
        spread = 10 ** ((15.81 + 7.5 * near - 17.5 * np.sqrt(1 + near**2)) / 10)
        self._spread = (spread / spread.sum(axis=1, keepdims=True)).astype(np.float32)
        self._neighbours = (np.abs(apart) < 1.1).astype(np.float32)
        khz = np.maximum(np.interp(self._centre, bark, frequency), 30) / 1000
        quiet = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
        self._quiet = (0.5 * 10 ** ((np.minimum(quiet, 70) - _FULL_SCALE) / 10)).astype(np.float32)

    def threshold(self, power: Floats) -> Floats:
        """Power per Hz of the noise that `power` (see `density`) just hides; same shape."""
        energy = power @ self._members * self._width
        count = self._count @ self._neighbours
        geometric = np.log(power + _TINY) @ self._members @ self._neighbours / count
        arithmetic = np.log(power @ self._members @ self._neighbours / count + _TINY)
        # Flatness 0 dB is noise, −12 dB within ±1 Bark is as good as a pure tone.
        flatness = 10 / np.log(10) * (geometric - arithmetic)
        tonality = np.clip(flatness / -12, 0, 1)
        offset = tonality * (14.5 + self._centre) + (1 - tonality) * 5.5
        masked = np.maximum((energy * 10 ** (-offset / 10)) @ self._spread, self._quiet)
        return np.asarray((masked / (self._count * self._width))[:, self._band], np.float32)


class Hiding:
    """Where a sound hides a mark: the lowest threshold of two resolutions in time and frequency."""

    def __init__(self) -> None:
        self._short = Masking(SIZE)
        self._long = Masking(2 * SIZE)

    def threshold(self, samples: Floats) -> Floats:
        """Power per Hz that `samples` (n,) hides: shape (n // STEP + 1, SIZE // 2 + 1)."""
        short = self._short.threshold(density(spectra(samples)))
        long = self._long.threshold(density(spectra(samples, 2 * SIZE)))[:, ::2]
        lowest = np.minimum(short, long)
        # Noise that starts before its masker is heard, so neighbours in time count as well.
        around = lowest.copy()
        around[1:] = np.minimum(around[1:], lowest[:-1])
        around[:-1] = np.minimum(around[:-1], lowest[1:])
        return around


def _window(size: int) -> Floats:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
