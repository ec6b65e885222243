"""Pictures to mark: flat ones as the starter model draws them, and textures; and what befalls them.

All are drawn here from seeds, uint8 RGB, so that the tests need no photograph's licence.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

Pixels = np.ndarray

PAPERS = ["white", "black", "gray", "gold", "navy", "pink"]
PAINTS = ["red", "blue", "yellow", "green", "purple", "orange"]


def flat(seed: int, side: int = 512) -> Pixels:
    """One or two shapes on plain paper, drawn at 64 pixels and enlarged as the starter does."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (64, 64), PAPERS[seed % len(PAPERS)])
    draw = ImageDraw.Draw(picture)
    for _ in range(1 + seed % 2):
        x, y, radius = random.integers(14, 50), random.integers(14, 50), random.integers(7, 20)
        box = [int(x - radius), int(y - radius), int(x + radius), int(y + radius)]
        paint = PAINTS[int(random.integers(len(PAINTS)))]
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=paint)
    return np.array(picture.resize((side, side), Image.Resampling.LANCZOS))


def texture(seed: int, height: int = 512, width: int = 512, roughness: float = 1.3) -> Pixels:
    """Clouds of noise whose spectrum falls off like a photograph's."""
    random = np.random.default_rng(seed)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    radius = np.hypot(y, x)
    radius[0, 0] = 1
    shared = random.standard_normal((height, width))
    channels = []
    for _ in range(3):
        noise = np.fft.fft2(0.8 * shared + 0.6 * random.standard_normal((height, width)))
        cloud = np.fft.ifft2(noise / radius**roughness).real
        channels.append(128 + 45 * (cloud - cloud.mean()) / cloud.std())
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def resized(pixels: Pixels, factor: float, aspect: float = 1) -> Pixels:
    height, width = pixels.shape[:2]
    size = (round(width * factor * aspect), round(height * factor))
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def cropped(pixels: Pixels, area: float, seed: int = 0) -> Pixels:
    """A part with `area` of the picture, somewhere in it."""
    random = np.random.default_rng(seed)
    height, width = (int(n * area**0.5) for n in pixels.shape[:2])
    top = int(random.integers(0, pixels.shape[0] - height + 1))
    left = int(random.integers(0, pixels.shape[1] - width + 1))
    return pixels[top : top + height, left : left + width].copy()


def turned(pixels: Pixels, degrees: float) -> Pixels:
    turned_ = Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC)
    return np.array(turned_)


def mirrored(pixels: Pixels) -> Pixels:
    return pixels[:, ::-1].copy()
