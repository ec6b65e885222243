"""A mark as another package would bring it: one bit in the mean blue of each of 64 fields."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from studio.draft import Draft
from studio.provenance.marks import Found, Marked, MarkKey

#: By how much the means of a 0 and of a 1 differ.
STEP = 4


class Dots:
    """48 bits and a checksum of 16; it has no key, and stands blurring but no crop."""

    alg = "org.example.dots.v1"
    kind = "image"
    bits = 48

    def __init__(self, keys: Sequence[MarkKey], weights: Path) -> None:
        self.key = keys[0].id

    def embed(self, draft: Draft, payload: int) -> Marked:
        pixels = draft.arrays["pixels"].copy()
        word = payload << 16 | checksum(payload)
        for place, (rows, columns) in enumerate(fields(pixels)):
            blue = pixels[rows, columns, 2].astype(float)
            level, bit = blue.mean() / STEP, word >> place & 1
            wanted = 2 * round((level - bit) / 2) + bit
            pixels[rows, columns, 2] = np.clip(np.rint(blue + (wanted - level) * STEP), 0, 255)
        marked = replace(draft, arrays={**draft.arrays, "pixels": pixels})
        return Marked(marked, self.key, psnr=40.0, margin=1.0, weak=False)

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        pixels = draft.arrays["pixels"]
        word = 0
        for place, (rows, columns) in enumerate(fields(pixels)):
            word |= (round(float(pixels[rows, columns, 2].mean()) / STEP) & 1) << place
        payload = word >> 16
        if word & 0xFFFF != checksum(payload):
            return None
        upright: dict[str, float | bool] = {"scale": 1.0, "turn": 0.0, "mirrored": False}
        return Found(payload, self.key, strength=9.0, tries=1, chance=2.0**-16, geometry=upright)


class Faded(Dots):
    """A mark that no finished file shows."""

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        return None


class Short(Dots):
    """A mark that holds too little."""

    bits = 16


def checksum(payload: int) -> int:
    return zlib.crc32(payload.to_bytes(6, "little")) & 0xFFFF


def fields(pixels: np.ndarray) -> list[tuple[slice, slice]]:
    height, width = (side // 8 for side in pixels.shape[:2])
    return [
        (slice(y * height, (y + 1) * height), slice(x * width, (x + 1) * width))
        for y in range(8)
        for x in range(8)
    ]
