"""How well a sound hides what was added to it, by the ear model of ITU-R BS.1387 (PEAQ, basic).

It shares nothing with the mark's own model: spectra of 2048 samples at 48 kHz, quarter-Bark bands
on Schroeder's scale (7 asinh(f / 650)), the transfer of outer and middle ear, spreading whose upper
slope depends on level, and a mask 3 dB below the excitation (more above 12 Bark).
"""

from __future__ import annotations

import numpy as np
from scipy import signal

RATE, SIZE = 48_000, 2048
_LEVEL = 92.0
#: The mark's own bands: means over all of the ear's would flatter it.
_LOW, _HIGH = 300, 6300


def noise_to_mask(before: np.ndarray, after: np.ndarray, rate: int) -> float:
    """Total noise-to-mask ratio in dB: over the mark's bands and all frames that are not silent."""
    common = np.gcd(rate, RATE)
    pair = [
        signal.resample_poly(x.mean(axis=1), RATE // common, rate // common)
        for x in (before, after - before)
    ]
    powers = [_powers(x) for x in pair]
    frequency = np.arange(SIZE // 2 + 1) * RATE / SIZE
    bark = 7 * np.arcsinh(frequency / 650)
    edges = np.arange(7 * np.arcsinh(80 / 650), 7 * np.arcsinh(18_000 / 650), 0.25)
    group = np.stack([(bark >= edge) & (bark < edge + 0.25) for edge in edges], axis=1)
    # A low band narrower than a bin takes its share of the nearest one.
    members = group.astype(float)
    for empty in np.flatnonzero(~group.any(axis=0)):
        members[np.abs(bark - edges[empty] - 0.125).argmin(), empty] = 1
    members /= np.maximum(members.sum(axis=1, keepdims=True), 1)
    host, noise = (power @ members for power in powers)
    centre = edges + 0.125
    internal = 10 ** (0.4 * 0.364 * (650 * np.sinh(centre / 7) / 1000) ** -0.8)
    excitation = _spread(host + internal, centre)
    offset = np.where(centre <= 12, 3, 0.25 * centre)
    mask = excitation / 10 ** (offset / 10)
    hertz = 650 * np.sinh(centre / 7)
    ratio = (noise / mask)[:, (hertz > _LOW) & (hertz < _HIGH)]
    loud = host.sum(axis=1) > host.sum(axis=1).max() * 1e-5
    return float(10 * np.log10(ratio[loud].mean() + 1e-12))


def _powers(samples: np.ndarray) -> np.ndarray:
    """Power spectra after outer and middle ear; a full-scale sine of 1019.5 Hz is at `_LEVEL`."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, SIZE)[:: SIZE // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(SIZE))) ** 2
    power *= 10 ** (_LEVEL / 10) / (SIZE / 4) ** 2
    khz = np.maximum(np.arange(SIZE // 2 + 1) * RATE / SIZE, 10) / 1000
    ear = -0.6 * 3.64 * khz**-0.8 + 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) - 1e-3 * khz**3.6
    return power * 10 ** (ear / 10)


def _spread(energy: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Excitation: each band spread with 27 dB/Bark down and a level-dependent slope up."""
    hertz = 650 * np.sinh(centre / 7)
    level = 10 * np.log10(energy)
    slope = -24 - 230 / hertz + 0.2 * level
    apart = centre[None, :] - centre[:, None]
    total = np.zeros_like(energy)
    reference = np.zeros(len(centre))
    flat = -24 - 230 / hertz
    for band in range(len(centre)):
        up, down = np.maximum(apart[band], 0), np.minimum(apart[band], 0)
        shape = 10 ** ((27 * down + slope[:, band, None] * up) / 10)
        shape /= shape.sum(axis=1, keepdims=True)
        total += (energy[:, band, None] * shape) ** 0.4
        base = 10 ** ((27 * down + flat[band] * up) / 10)
        reference += (base / base.sum()) ** 0.4
    return (total / reference) ** 2.5
