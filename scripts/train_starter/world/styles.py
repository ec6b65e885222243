"""The five drawing styles: each turns the same parts into pixels in its own way, at any size."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np

from world.colours import RGB, mix
from world.drawing import Layer, Part, Picture, fill, fixed, rasterise

_SHIFT = 4
_INK: RGB = (46, 40, 58)
_SHEET: RGB = (252, 249, 242)
_DARK: RGB = (9, 9, 26)
_PIXELS = 32  # pixels across a pixel-art picture: four of 128, which latents of 8 × 8 still hold


def _supersampling(size: int) -> int:
    return 3 if size <= 160 else 2


def _flat(parts: Sequence[Part], size: int, rng: random.Random) -> Picture:
    return rasterise(parts, size, _supersampling(size))


def _stroke(canvas: np.ndarray, part: Part, colour: object, width: float) -> None:
    thickness = max(1, round(width * canvas.shape[0]))
    cv2.polylines(
        canvas, fixed(part.contours, canvas.shape[0]), True, colour, thickness, cv2.LINE_8, _SHIFT
    )  # type: ignore[call-overload]


def _outline(parts: Sequence[Part], size: int, rng: random.Random) -> Picture:
    """Ink on paper: the things coloured in, everything else left pale."""
    fine = size * _supersampling(size)
    canvas = np.full((fine, fine, 3), _SHEET, np.uint8)
    for part in parts:
        if part.layer is Layer.SKY:
            continue
        pale = {Layer.SCENERY: 0.8, Layer.THING: 0.06, Layer.WEATHER: 0.0}[part.layer]
        colour = mix(part.colour, _SHEET, pale)
        if part.layer is Layer.WEATHER:
            colour = (150, 160, 186)
        fill(canvas, Part(part.contours, colour))
        if part.contour:
            thing = part.layer is Layer.THING
            _stroke(
                canvas, part, _INK if thing else mix(_INK, _SHEET, 0.35), 0.011 if thing else 0.006
            )
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)


def _bright(colour: RGB) -> RGB:
    """The colour as a glowing tube shows it: as light as it gets without losing its hue."""
    top = max(*colour, 1)
    red, green, blue = (value * 255 / top for value in colour)
    return mix((int(red), int(green), int(blue)), (255, 255, 255), 0.1)


def _neon(parts: Sequence[Part], size: int, rng: random.Random) -> Picture:
    """Glowing tubes in the dark."""
    scale = _supersampling(size)
    fine = size * scale
    canvas = np.full((fine, fine, 3), _DARK, np.uint8)
    for part in parts:
        thing = part.layer is Layer.THING
        if part.layer is Layer.SKY and part.contour:
            continue
        glow = _bright(part.colour)
        if not part.contour:
            fill(canvas, Part(part.contours, mix(glow, _DARK, 0.45 if thing else 0.72)))
            continue
        fill(canvas, Part(part.contours, mix(glow, _DARK, 0.74 if thing else 0.93)))
        _stroke(canvas, part, glow if thing else mix(glow, _DARK, 0.4), 0.018 if thing else 0.008)
    sharp = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    small = cv2.resize(sharp, (64, 64), interpolation=cv2.INTER_AREA)
    halo = cv2.resize(
        cv2.GaussianBlur(small, (0, 0), 2.2), (size, size), interpolation=cv2.INTER_LINEAR
    )
    return cv2.addWeighted(sharp, 1.0, halo, 0.55, 0.0)


def _pixel(parts: Sequence[Part], size: int, rng: random.Random) -> Picture:
    """Few, large, hard pixels in few colours."""
    coarse = rasterise(parts, _PIXELS, 3)
    few = np.clip(np.rint(coarse / 20.0) * 20, 0, 255).astype(np.uint8)
    return cv2.resize(few, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)


@functools.lru_cache(maxsize=64)
def _grain(number: int, size: int, cells: int) -> np.ndarray:
    """Smooth noise with mean 0 and deviation 1; the same at every size."""
    noise = np.random.default_rng(number).standard_normal((cells, cells)).astype(np.float32)
    field = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(field)


def _watercolor(parts: Sequence[Part], size: int, rng: random.Random) -> Picture:
    """Washes that wobble, pool at their edges and let the paper through."""
    flat = rasterise(parts, size, 2)
    number = rng.randrange(8)
    bend = size * 0.0045
    rows, columns = np.indices((size, size), dtype=np.float32)
    across = columns + bend * _grain(number, size, 20)
    down = rows + bend * _grain(number + 8, size, 20)
    wet = cv2.remap(flat, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(
        np.float32
    )
    half = cv2.resize(wet, (max(32, size // 2),) * 2, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(half, (0, 0), size * 0.008), (size, size))
    pooled = wet + 0.5 * np.minimum(wet - soft, 0)
    wash = 0.8 + 0.05 * _grain(number + 16, size, 7) + 0.02 * _grain(number + 24, size, 48)
    paper = np.array([253, 250, 243], np.float32)
    painted = paper + (pooled - paper) * np.clip(wash, 0.5, 1.0)[..., None]
    return np.clip(painted, 0, 255).astype(np.uint8)


PAINTERS: Mapping[str, Callable[[Sequence[Part], int, random.Random], Picture]] = MappingProxyType(
    {
        "flat": _flat,
        "outline": _outline,
        "watercolor": _watercolor,
        "pixel": _pixel,
        "neon": _neon,
    }
)
