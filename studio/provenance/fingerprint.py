"""Fingerprints: 256 bits that stay nearly the same when a file is made anew from its content.

Of a picture, a perceptual hash: which of the 16 × 16 lowest frequencies of its cosine transform
are above their median (pHash; Zauner 2010, "Implementation and Benchmarking of Perceptual Image
Hash Functions"). ImageHash computes the same kind by way of SciPy, which is large.

Measured on 40 flat drawings: JPEG at quality 30, half size and noise change at most 32 bits, and
two drawings differ in 64 or more; two pictures of one prompt by a small model came as near as 42.
A crop, turn or mirror image breaks the fingerprint, which is where the mark is strong.

Of a film, a quarter of such a hash of each of four moments, from all over it. Of a sound, the same
hash of a picture of it: the loudness of 64 bands at 64 moments. Of a text, the
SHA-256 of its words, whatever the case and the spaces between them.
"""

from __future__ import annotations

import hashlib
import unicodedata

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Bits that may differ between two versions of one picture.
NEAR = 40
#: Bytes of a fingerprint.
LENGTH = 32
#: Seconds at the beginning of a sound that are checked: a mark repeats every 2.6 seconds, and to
#: search more of a sound that has none would take longer than anybody waits.
HEARD = 20
#: Lowest and highest frequency that counts, in Hz; telephones and small rates keep these.
_BANDS = (100, 3400)
#: Standard deviation, in levels of 255, below which a small picture shows nothing: a hidden mark on
#: a white page comes to less than 1.
_EMPTY = 1.5
#: Side of the picture that is transformed, and of the square of frequencies that are kept.
_SIDE, _LOW = 64, 16
#: Moments of a film that count. A check's frames are in stretches around them.
_MOMENTS = 4


def fingerprint(pixels: NDArray[np.uint8]) -> bytes:
    """The fingerprint of uint8 pixels (height, width, 3 or 4); transparency counts as white.

    Empty for nearly empty pictures: those are all alike, and their bits would be those of noise.
    """
    picture = Image.fromarray(pixels)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    levels = _levels(picture)
    return hash_levels(levels) if levels.std() > _EMPTY else b""


def film_fingerprint(frames: NDArray[np.uint8]) -> bytes:
    """The fingerprint of uint8 frames (n, height, width, 3), all of them or a check's stretches.

    It stands other codecs, sizes and frame rates, and no cut. Empty for nearly empty films.
    """
    moments = [(2 * place + 1) * len(frames) // (2 * _MOMENTS) for place in range(_MOMENTS)]
    levels = [_levels(Image.fromarray(np.ascontiguousarray(frames[at]))) for at in moments]
    if max(float(one.std()) for one in levels) <= _EMPTY:
        return b""
    return b"".join(hash_levels(one, _LOW // 2) for one in levels)


def sound_fingerprint(samples: NDArray[np.float32], rate: int) -> bytes:
    """The fingerprint of float32 samples (n, channels).

    Empty below a second and for silence: those are all alike.
    """
    heard = samples[: HEARD * rate].mean(axis=1)
    if len(heard) < rate or not heard.any():
        return b""
    window = max(len(heard) // _SIDE, rate // 4)
    edges = np.geomspace(*_BANDS, _SIDE + 1) * window / rate
    power = np.empty((_SIDE, _SIDE))
    for row, begin in enumerate(np.linspace(0, len(heard) - window, _SIDE).astype(int)):
        bins = np.square(np.abs(np.fft.rfft(heard[begin : begin + window])))
        power[row] = np.add.reduceat(bins, edges.astype(int))[:_SIDE]
    # What is 60 dB below the loudest band is not heard and says nothing.
    return hash_levels(np.log(np.maximum(power, power.max() * 1e-6)).astype(np.float32))


def text_fingerprint(text: str) -> bytes:
    """The fingerprint of a text; other words have quite another one. Empty for no words."""
    words = unicodedata.normalize("NFKC", text).casefold().split()
    return hashlib.sha256(" ".join(words).encode()).digest() if words else b""


def distance(one: bytes, other: bytes) -> int:
    """In how many of the 256 bits two fingerprints differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def _levels(picture: Image.Image) -> NDArray[np.float32]:
    small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small, np.float32)


def hash_levels(picture: NDArray[np.float32], side: int = _LOW) -> bytes:
    """Which of the `side` squared lowest frequencies of a square float32 picture are high ones."""
    low = cv2.dct(picture)[:side, :side]
    return np.packbits(low > np.median(low)).tobytes()
