"""How long marking, signing and sealing take, and what they cost in bytes; on one core.

    python -m scripts.bench_marks [--json]

Each figure is the best of several runs, since everything else on the machine only adds to it.
The seal is compared with the same picture written by Pillow at PNG level 6 alone.
"""

from __future__ import annotations

import io
import json
import os
import platform
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

from studio.cards import Card
from studio.catalog import card_folder
from studio.draft import Draft
from studio.job import Job
from studio.provenance import open_provenance
from studio.provenance.manifest import Statement, sign
from studio.provenance.marks import MarkKey
from studio.provenance.marks.image import ImageMark
from studio.settings import Settings

RUNS = 7


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


def measure(side: int, home: Path) -> dict[str, float]:
    """All figures for one size."""
    pixels = clouds(side)
    draft = Draft("image", 0, 0, {"pixels": pixels})
    mark = ImageMark([MarkKey("bench", b"b" * 32)])
    marked = mark.embed(draft, 1).draft
    provenance = open_provenance(Settings(home=home))
    card = Card.read(next(p for p in sorted(card_folder().glob("*.md")) if p.stem != "README"))

    def seal() -> Path:
        job = Job(token_hex(16), "bench", "text-to-image", card.name, {"format": "png"}, 0, 0.0)
        artifact = provenance.sealer.seal(
            draft, job=job, card=card, revision="embedded", batch=1, versions={}
        )
        return provenance.store.path(artifact.id)

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

    def sign_alone() -> None:
        signed.unlink(missing_ok=True)
        sign(encoded, signed, "image/png", statement, key)

    path = seal()
    stripped = io.BytesIO()
    with Image.open(path) as picture:
        picture.save(stripped, "PNG", compress_level=4)
    return {
        "embed_ms": best(lambda: mark.embed(draft, 1)),
        "detect_fast_ms": best(lambda: mark.detect(marked, thorough=False)),
        "detect_search_without_result_ms": best(lambda: mark.detect(draft, thorough=True)),
        "seal_ms": best(seal),
        "sign_ms": best(sign_alone),
        "pillow_level_6_ms": best(plain),
        "manifest_bytes": path.stat().st_size - len(stripped.getvalue()),
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(as_json: bool) -> None:
    """Measure marking, signing and sealing on this machine."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        results = {side: measure(side, Path(folder) / str(side)) for side in (512, 1024)}
    if as_json:
        click.echo(json.dumps({"machine": platform.processor(), "results": results}, indent=2))
        return
    click.echo("| figure | " + " | ".join(f"{side}²" for side in results) + " |")
    click.echo("|---|" + "---|" * len(results))
    for figure in results[512]:
        cells = " | ".join(str(values[figure]) for values in results.values())
        click.echo(f"| {figure} | {cells} |")


if __name__ == "__main__":
    main()
