"""The 31 attacks that the picture mark is measured with; `attack_marks` does the measuring."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from scripts.mark_pictures import Picture


def recoded(picture: Picture, name: str, quality: int) -> Picture:
    """After a lossy encoder and back."""
    file = io.BytesIO()
    picture.save(file, name, quality=quality)
    return Image.open(file).convert("RGB")


def resized(picture: Picture, across: float, down: float | None = None) -> Picture:
    """Larger or smaller, bicubically."""
    width, height = picture.size
    size = (round(width * across), round(height * (across if down is None else down)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def back(picture: Picture, factor: float) -> Picture:
    """Resized, and resized back."""
    return resized(picture, factor).resize(picture.size, Image.Resampling.BICUBIC)


def cropped(picture: Picture, lost: float) -> Picture:
    """A part somewhere in the picture; `lost` of the area is cut away."""
    random = np.random.default_rng(0)
    width, height = (int(n * math.sqrt(1 - lost)) for n in picture.size)
    left = int(random.integers(0, picture.width - width + 1))
    top = int(random.integers(0, picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def turned(picture: Picture, degrees: float, cut: bool = False) -> Picture:
    """Turned, with black corners or without."""
    done = picture.rotate(degrees, Image.Resampling.BICUBIC)
    if not cut:
        return done
    angle = math.radians(abs(degrees))
    keep = 1 / (math.cos(angle) + math.sin(angle))
    return ImageOps.fit(
        done, (int(done.width * keep), int(done.height * keep)), bleed=(1 - keep) / 2
    )


def noisy(picture: Picture, deviation: float) -> Picture:
    """With Gaussian noise."""
    pixels = np.asarray(picture, np.float32)
    pixels = pixels + np.random.default_rng(1).normal(0, deviation, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def toned(picture: Picture, gain: float, around: float) -> Picture:
    """Brighter, darker, or with another contrast."""
    pixels = (np.asarray(picture, np.float32) - around) * gain + around
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


ATTACKS: dict[str, Callable[[Picture], Picture]] = {
    "none": lambda p: p,
    **{f"JPEG q{q}": lambda p, q=q: recoded(p, "JPEG", q) for q in (90, 75, 50, 30)},
    "WebP q75": lambda p: recoded(p, "WEBP", 75),
    "resize 0.5 and back": lambda p: back(p, 0.5),
    "resize 0.75 and back": lambda p: back(p, 0.75),
    **{f"resize {f}": lambda p, f=f: resized(p, f) for f in (0.5, 0.75, 2)},
    **{f"crop {round(a * 100)} %": lambda p, a=a: cropped(p, a) for a in (0.1, 0.25, 0.5)},
    **{f"rotate {d}°": lambda p, d=d: turned(p, d) for d in (2, 5, 15)},
    "rotate 5°, corners cut": lambda p: turned(p, 5, cut=True),
    "noise 5": lambda p: noisy(p, 5),
    "noise 10": lambda p: noisy(p, 10),
    "blur 1": lambda p: p.filter(ImageFilter.GaussianBlur(1)),
    "blur 2": lambda p: p.filter(ImageFilter.GaussianBlur(2)),
    "brightness +20 %": lambda p: toned(p, 1.2, 0),
    "brightness −20 %": lambda p: toned(p, 0.8, 0),
    "contrast +20 %": lambda p: toned(p, 1.2, 128),
    "contrast −20 %": lambda p: toned(p, 0.8, 128),
    "resize 0.7, JPEG q70": lambda p: recoded(resized(p, 0.7), "JPEG", 70),
    "mirrored": ImageOps.mirror,
    "grey": lambda p: p.convert("L").convert("RGB"),
    "aspect 0.9": lambda p: resized(p, 0.9, 1),
    "aspect 1.1": lambda p: resized(p, 1.1, 1),
}

#: The attacks that everything must survive.
CORE = (
    *("JPEG q50", "resize 0.5", "resize 0.75", "resize 2", "crop 50 %", "rotate 5°"),
    "resize 0.7, JPEG q70",
)
