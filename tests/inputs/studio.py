"""A small host whose model edits and paints, and pictures of every ugly kind to give to it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.host import Host
from tests.fake_lane import FakeLane
from tests.hosts import settings_for

CARD = """---
license: mit
studio:
  title: Edits
  family: none
  tasks: [text-to-image, image-to-image, inpainting]
  source: {path: starter/pictures}
  memory: {weights: 1, working: 1}
  defaults: {width: 128, height: 128}
  limits:
    width: {minimum: 64, maximum: 256}
    height: {minimum: 64, maximum: 256}
---
What the lane without a device makes.
"""
EDIT = {"model": "edits", "prompt": "a yellow star"}


def editing_host(home: Path, **values: Any) -> tuple[Host, FakeLane]:
    """A host whose only model edits; `values` are settings."""
    settings = settings_for(home, **values)
    folder = home / "model_cards"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "edits.md").write_text(CARD)
    lane = FakeLane(settings)
    return Host(settings, lanes=[lane]), lane


def write(place: Path, content: bytes) -> Path:
    place.write_bytes(content)
    return place


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(width: int = 64, height: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: to be turned to the right
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (0, 0, 20, 20))
    return encoded(picture, exif=exif)


def _moving() -> bytes:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def _deep() -> bytes:
    return encoded(Image.fromarray(np.array([[0, 0x7FFF, 0xFFFF]], np.uint16).repeat(4, 0)))


#: Each with what its top left and bottom right pixels are, upright, and its shape.
PICTURES: Mapping[str, tuple[Callable[[], bytes], Any, Any, tuple[int, ...]]] = {
    "one pixel": (
        lambda: encoded(Image.new("RGB", (1, 1), "red")),
        [255, 0, 0], [255, 0, 0], (1, 1, 3),
    ),
    "ink": (
        lambda: encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"),
        [255, 0, 0], [255, 0, 0], (8, 8, 3),
    ),
    "sixteen bits": (_deep, [0, 0, 0], [255, 255, 255], (4, 3, 3)),
    "moving": (_moving, [255, 0, 0], [255, 0, 0], (20, 20, 3)),
    "see-through": (
        lambda: encoded(Image.new("RGBA", (8, 8), (1, 2, 3, 4))),
        [1, 2, 3, 4], [1, 2, 3, 4], (8, 8, 4),
    ),
    "turned": (_turned, [0, 0, 255], [255, 0, 0], (40, 20, 3)),
    "grey": (lambda: encoded(Image.new("L", (8, 8), 9)), [9, 9, 9], [9, 9, 9], (8, 8, 3)),
    "of few colours": (
        lambda: encoded(Image.new("RGB", (8, 8), "red").quantize(2), "GIF"),
        [255, 0, 0], [255, 0, 0], (8, 8, 3),
    ),
    "without a manifest's place": (
        lambda: encoded(Image.new("RGB", (8, 8), "red"), "BMP"),
        [255, 0, 0], [255, 0, 0], (8, 8, 3),
    ),
}  # fmt: skip
