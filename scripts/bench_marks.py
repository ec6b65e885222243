"""How long marking, signing and sealing take, and what they cost in bytes; on one core.

    python -m scripts.bench_marks [--json scripts/results/seal.json]

Each figure is processor time, the best of several runs, since everything else on the machine only
adds to it. The seal is compared with the same picture written by Pillow at PNG level 6 alone: once
its marking, encoding and signing, and once all of it, with the reading back and the ledger.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import click
import cv2
import numpy as np
from PIL import Image

from scripts.results import Row, publish
from studio.cards import Card
from studio.catalog import card_folder
from studio.draft import Draft
from studio.formats import FORMATS
from studio.job import Job
from studio.provenance import open_provenance
from studio.provenance.encode import encode_picture
from studio.provenance.manifest import Statement, sign
from studio.provenance.marks import MarkKey
from studio.provenance.marks.image import ImageMark
from studio.settings import Settings

SIDE, RUNS = 1024, 7


def clouds(side: int) -> np.ndarray:
    """A textured picture, uint8 (side, side, 3), whose spectrum falls off like a photograph's."""
    random = np.random.default_rng(1)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    radius[0, 0] = 1
    noise = np.fft.fft2(random.standard_normal((3, side, side))) / radius**1.3
    channels = np.fft.ifft2(noise).real
    channels = 128 + 45 * channels / channels.std()
    return np.ascontiguousarray(np.clip(channels, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def best(call: Callable[[], object]) -> float:
    """Milliseconds of processor time of the quickest of `RUNS` calls."""
    times = []
    for _ in range(RUNS):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return round(min(times) * 1000, 1)


def measure(home: Path) -> list[Row]:
    """All figures for a picture of `SIDE` × `SIDE` pixels."""
    pixels = clouds(SIDE)
    draft = Draft("image", 0, 0, {"pixels": pixels})
    mark = ImageMark([MarkKey("bench", b"b" * 32)])
    marked = mark.embed(draft, 1).draft
    provenance = open_provenance(Settings(home=home))
    card = Card.read(next(p for p in sorted(card_folder().glob("*.md")) if p.stem != "README"))

    def seal() -> None:
        job = Job(token_hex(16), "bench", "text-to-image", card.name, {"format": "png"}, 0, 0.0)
        provenance.sealer.seal(draft, job=job, card=card, revision="embedded", batch=1, versions={})

    def plain() -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", compress_level=6)
        return file.getvalue()

    encoded, signed = home / "encoded.png", home / "signed.png"
    encoded.write_bytes(plain())
    statement = Statement(
        studio="bench",
        version="0",
        task="text-to-image",
        card=card.name,
        revision="embedded",
        licence=card.licence,
        notice=card.studio.notice,
        allow_training=False,
    )
    key = provenance.keys.signing()

    def sign_alone() -> bytes:
        signed.unlink(missing_ok=True)
        return sign(encoded, signed, "image/png", statement, key)

    def mark_encode_sign() -> None:
        encode_picture(mark.embed(draft, 1).draft, FORMATS["image", "png"], encoded)
        sign_alone()

    alone = best(plain)
    goals = {
        "put a picture's mark in": (best(lambda: mark.embed(draft, 1)), "≤60", "ms"),
        "read a picture's mark at once": (
            best(lambda: mark.detect(marked, thorough=False)),
            "≤60",
            "ms",
        ),
        "search a picture without a mark": (
            best(lambda: mark.detect(draft, thorough=True)),
            "≤1000",
            "ms",
        ),
        "sign a picture": (best(sign_alone), "≤5", "ms"),
        "mark, encode and sign a picture": (best(mark_encode_sign) / alone, "≤1.3", "× encoding"),
        "seal a picture, all of it": (best(seal) / alone, "≤1.3", "× encoding"),
        "manifest of a picture": (len(sign_alone()), "≤8000", "bytes"),
    }
    return [
        Row(f"{name}, {SIDE}²", round(value, 2), goal, unit)
        for name, (value, goal, unit) in goals.items()
    ]


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path), help="Where the rows go.")
def main(path: Path | None) -> None:
    """Measure marking, signing and sealing on this machine."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        publish(measure(Path(folder)), path)


if __name__ == "__main__":
    main()
