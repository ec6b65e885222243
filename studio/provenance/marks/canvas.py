"""The plane on which the picture mark is written and read: canonical size, content suppressed.

Everything here is float32 in the units of 8-bit brightness, shape (height, width), or uint8 pixels
of shape (height, width, 3 or 4).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.provenance.marks.lattice import SIDE, Floats

Pixels = NDArray[np.uint8]

#: Longest canonical side that is read, in short sides; the middle of longer pictures is enough.
_LONGEST = 3


def luma_of(pixels: Pixels) -> tuple[Floats, Floats | float]:
    """Brightness, float32 in 0–255, of the picture on white paper; and its opacity in 0–1."""
    luma = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    if pixels.shape[2] == 3:
        return luma.astype(np.float32), 1.0
    opacity: Floats = pixels[..., 3].astype(np.float32) / np.float32(255)
    return np.asarray(255 + (luma - 255.0) * opacity, np.float32), opacity


def canonical(luma: Floats) -> Floats:
    """`luma` scaled to a short side of `SIDE`."""
    height, width = luma.shape
    factor = SIDE / min(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(luma, size, interpolation=how), np.float32)


def residual(pixels: Pixels) -> Floats:
    """What is left of a picture when its own content is suppressed, at canonical size."""
    luma, _ = luma_of(pixels)
    height, width = luma.shape
    longest = _LONGEST * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return suppressed(canonical(luma[top : top + longest, left : left + longest]))[0]


def suppressed(plane: Floats) -> tuple[Floats, Floats]:
    """A canonical plane without its own content, and the gain that a mark on it has had there."""
    high, deviation = _detail(plane)
    limit = 2.5 * deviation + 1
    gain = np.sqrt(deviation + 4) / (np.square(deviation) + 9)
    return np.asarray(np.clip(high, -limit, limit) * gain, np.float32), gain


def _detail(plane: Floats) -> tuple[Floats, Floats]:
    """The picture's fine detail, and its local standard deviation."""
    high = cv2.GaussianBlur(plane - _smooth(plane), (5, 5), 0.9)
    # The box filter's running sums leave tiny negative numbers where a picture is flat.
    return high, np.sqrt(np.maximum(_smooth(np.square(high)), 0))


def _smooth(values: Floats) -> Floats:
    # Two boxes are close to the Gaussian of deviation 6, in a tenth of the time.
    return np.asarray(cv2.blur(cv2.blur(values, (15, 15)), (15, 15)), np.float32)


def hiding(plane: Floats) -> Floats:
    """How much mark each place of the picture hides: more in texture, less on flat ground."""
    _, deviation = _detail(plane)
    return np.asarray(np.clip((deviation + 2) ** 0.6, 1.5, 6), np.float32)


def add(pixels: Pixels, pattern: Floats, psnr: float) -> Pixels:
    """`pixels` with `pattern` on them, scaled so that their error is the one that `psnr` means."""
    wanted = 255 * 10 ** (-psnr / 20)
    strength = wanted / max(float(np.sqrt(np.mean(np.square(pattern)))), 1e-6)
    marked = pixels.copy()
    for _ in range(2):
        shifted = pixels[..., :3] + (pattern * np.float32(strength))[..., None]
        marked[..., :3] = np.clip(np.rint(shifted, out=shifted), 0, 255, out=shifted)
        lost = psnr_between(pixels, marked) - psnr
        if lost < 0.2:
            break
        # White and black places cut off half of the mark: let the other half make up for it.
        strength *= min(10 ** (lost / 20), 1.5)
    return marked


def psnr_between(before: Pixels, after: Pixels) -> float:
    """Peak signal-to-noise ratio of `after` against `before`, in dB; colours only."""
    error = np.mean(np.square(before[..., :3].astype(np.float32) - after[..., :3]))
    return float(10 * np.log10(255**2 / max(float(error), 1e-9)))
