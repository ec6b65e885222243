"""How often the picture mark's number comes back after each of 31 attacks, by kind of picture.

    python -m scripts.attack_marks [--set final] [--photographs FOLDER] [--json FILE] [--plot FILE]
    python -m scripts.attack_marks --null 100000 [--searches 5000] [--json FILE]
    python -m scripts.attack_marks --drawn-from scripts/results/marks.json --plot docs/marks.svg

Each picture (see `mark_pictures`) is marked with a number of its own, attacked, and searched
thoroughly. A row gives the share that came back, with its Wilson 95 % interval, one picture being
one trial; a wrong number anywhere is counted below. Every seventh picture also goes through
`invisible-watermark`'s dwtDctSvd with 48 bits, where that package is installed: once at its own
strength, and once at the one that changes the picture as much as our mark does. It counts as
recovered when all bits are right. With `--null`, unmarked pictures, each one new, are read at once
and a part of them searched, and whatever is found is false.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from PIL import Image

from scripts.mark_attacks import ATTACKS, CORE
from scripts.mark_pictures import DRAWN, FIRST_SEED, pictures, texture
from scripts.train_starter.measures import wilson
from studio.draft import Draft
from studio.provenance.marks import MarkKey
from studio.provenance.marks.canvas import psnr_between
from studio.provenance.marks.code import CHECK_BITS
from studio.provenance.marks.image import MOST_TRIES, ImageMark

#: How strong the other mark is: at our own noise, and as its package has it.
EQUAL, USUAL = "at equal PSNR", "at its own strength"
OTHER_STEP = 36.0
#: Where the seeds of unmarked pictures begin.
NULL_SEED = 9_000_000


@dataclass
class Noise:
    """How much marks changed their pictures, in decibels of peak signal to noise."""

    count: int = 0
    total: float = 0.0
    least: float = math.inf
    at_least_40: int = 0

    def add(self, psnr: float) -> None:
        """One more picture."""
        self.count += 1
        self.total += psnr
        self.least = min(self.least, psnr)
        self.at_least_40 += psnr >= 40

    def record(self) -> dict[str, float]:
        """As the JSON file has it."""
        return {
            "mean": self.total / self.count,
            "least": self.least,
            "at_least_40": self.at_least_40 / self.count,
        }

    @classmethod
    def of(cls, record: dict[str, float], count: int) -> Noise:
        """What `record` said of so many pictures."""
        high = round(record["at_least_40"] * count)
        return cls(count, record["mean"] * count, record["least"], high)


@dataclass
class Tally:
    """What came back so far."""

    counts: Counter[str] = field(default_factory=Counter)
    hits: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    wrong: int = 0
    noise: Noise = field(default_factory=Noise)
    #: The other mark's, by how strong it was.
    other_hits: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    other_noise: dict[str, Noise] = field(default_factory=lambda: defaultdict(Noise))

    @classmethod
    def of(cls, record: dict[str, Any]) -> Tally:
        """What `record` had counted, to be counted on."""
        counts = Counter(record["pictures"])
        hits = {kind: Counter(found) for kind, found in record["recovered"].items()}
        noise = Noise.of(record["psnr"], counts.total())
        tally = cls(counts, defaultdict(Counter, hits), record["wrong"], noise)
        if other := record.get("dwtDctSvd"):
            for strength in (EQUAL, USUAL):
                tally.other_hits[strength] = Counter(other[strength]["recovered"])
                total = other[strength]["psnr"] * other["pictures"]
                tally.other_noise[strength] = Noise(other["pictures"], total)
        return tally

    @property
    def others(self) -> int:
        """How many pictures the other mark has had."""
        return self.other_noise[EQUAL].count

    def record(self) -> dict[str, object]:
        """Everything, as the JSON file has it."""
        total = sum(self.counts.values())
        shares = {name: sum(h[name] for h in self.hits.values()) / total for name in ATTACKS}
        record: dict[str, object] = {
            "pictures": dict(self.counts),
            "recovered": {kind: {n: h[n] for n in ATTACKS} for kind, h in self.hits.items()},
            "mean": sum(shares.values()) / len(ATTACKS),
            "core": sum(shares[name] for name in CORE) / len(CORE),
            "wrong": self.wrong,
            "psnr": self.noise.record(),
        }
        if self.others:
            record["dwtDctSvd"] = {
                "pictures": self.others,
                **{strength: self.other(strength) for strength in (EQUAL, USUAL)},
            }
        return record

    def other(self, strength: str) -> dict[str, Any]:
        """What came back of the other mark at one strength."""
        hits = self.other_hits[strength]
        return {
            "recovered": {name: hits[name] for name in ATTACKS},
            "mean": sum(hits.values()) / self.others / len(ATTACKS),
            "psnr": self.other_noise[strength].total / self.others,
        }


@dataclass(frozen=True)
class OtherMark:
    """The other package's way to mark and to read 48 bits."""

    encoder: Any
    decoder: Any

    @classmethod
    def installed(cls) -> OtherMark | None:
        """None where the package is not."""
        try:
            from imwatermark import WatermarkDecoder, WatermarkEncoder
        except ImportError:
            return None
        return cls(WatermarkEncoder(), WatermarkDecoder("bits", 48))

    def embed(self, pixels: np.ndarray, bits: list[int], step: float) -> np.ndarray:
        """`pixels` with `bits` in steps of the size `step`."""
        self.encoder.set_watermark("bits", bits)
        backwards = pixels[..., ::-1].copy()
        marked = self.encoder.encode(backwards, "dwtDctSvd", scales=[0, step, 0])
        return np.asarray(marked[..., ::-1])

    def read(self, pixels: np.ndarray, step: float) -> list[int]:
        """The bits in `pixels`, whatever they are."""
        backwards = pixels[..., ::-1].copy()
        found = self.decoder.decode(backwards, "dwtDctSvd", scales=[0, step, 0])
        return [int(bit) for bit in found]

    def step_for(self, pixels: np.ndarray, bits: list[int], psnr: float) -> float:
        """The step that changes `pixels` about as much as `psnr` says."""
        step = OTHER_STEP
        for _ in range(3):
            noise = psnr_between(pixels, self.embed(pixels, bits, step))
            step *= 10 ** ((noise - psnr) / 20)
        return step


def as_draft(pixels: np.ndarray) -> Draft:
    """Pixels as a mark takes them."""
    return Draft("image", 0, 0, {"pixels": pixels})


def measure(which: str, counts: dict[str, int], folder: Path | None, out: Path | None) -> Tally:
    """Mark, attack and read every picture of a set; the JSON file grows as it goes.

    One that was begun goes on: its pictures come in the same order again.
    """
    mark = ImageMark([MarkKey("attack", secrets.token_bytes(32))])
    other = OtherMark.installed()
    tally = Tally()
    if out is not None and out.exists():
        before = json.loads(out.read_text(encoding="utf-8"))
        if before["set"] == which:
            tally = Tally.of(before)
    done = tally.counts.total()
    for place, (kind, picture) in enumerate(pictures(which, counts, folder)):
        if place < done:
            continue
        number = secrets.randbits(48)
        marked = mark.embed(as_draft(np.array(picture)), number)
        tally.counts[kind] += 1
        tally.noise.add(marked.psnr)
        for name, attack in ATTACKS.items():
            pixels = np.array(attack(Image.fromarray(marked.draft.arrays["pixels"])))
            found = mark.detect(as_draft(pixels), thorough=True)
            tally.hits[kind][name] += found is not None and found.payload == number
            tally.wrong += found is not None and found.payload != number
        if other is not None and place % 7 == 0:
            bits = [number >> bit & 1 for bit in range(48)]
            before = np.array(picture)
            steps = {EQUAL: other.step_for(before, bits, marked.psnr), USUAL: OTHER_STEP}
            for strength, step in steps.items():
                after = Image.fromarray(other.embed(before, bits, step))
                tally.other_noise[strength].add(psnr_between(before, np.array(after)))
                for name, attack in ATTACKS.items():
                    read = other.read(np.array(attack(after)), step)
                    tally.other_hits[strength][name] += read == bits
        if out is not None:
            record = {"set": which, "seed": FIRST_SEED[which], **tally.record()}
            out.write_text(json.dumps(record, indent=2), encoding="utf-8")
    return tally


def report(tally: Tally) -> None:
    """Print the table."""
    kinds, record = list(tally.counts), tally.record()
    total = sum(tally.counts.values())
    heads = [f"{kind} (n={tally.counts[kind]})" for kind in kinds] + [f"all (n={total})"]
    if tally.others:
        heads.append(f"dwtDctSvd (n={tally.others})")
    click.echo("| attack | " + " | ".join(heads) + " |\n|---|" + "---|" * len(heads))
    for name in ATTACKS:
        shares = [(tally.hits[kind][name], tally.counts[kind]) for kind in kinds]
        shares.append((sum(hits for hits, _ in shares), total))
        if tally.others:
            shares.append((tally.other_hits[EQUAL][name], tally.others))
        cells = []
        for hits, count in shares:
            back = wilson(hits, count)
            cells.append(f"{back.share:.3f} [{back.low:.2f}, {back.high:.2f}]")
        click.echo(f"| {name} | " + " | ".join(cells) + " |")
    noise = tally.noise.record()
    click.echo(
        f"\nMean {record['mean']:.4f} (goal 0.97), core {record['core']:.4f} (goal 0.99), wrong "
        f"numbers {tally.wrong} (goal 0), PSNR mean {noise['mean']:.2f} dB, "
        f"≥40 dB on {noise['at_least_40']:.1%} (goal 95 %)."
    )
    for strength in (EQUAL, USUAL) if tally.others else ():
        theirs = tally.other(strength)
        click.echo(f"dwtDctSvd {strength}: mean {theirs['mean']:.4f} at {theirs['psnr']:.2f} dB.")


def plot(record: dict[str, Any], path: Path) -> None:
    """Bars of what came back, as an SVG picture; `record` is what the JSON file has."""
    total = sum(record["pictures"].values())
    other = record.get("dwtDctSvd", {"pictures": 0})
    bars = []
    for row, name in enumerate(ATTACKS):
        ours = sum(hits[name] for hits in record["recovered"].values()) / total
        theirs = other[EQUAL]["recovered"][name] / other["pictures"] if other["pictures"] else 0
        y = 46 + 20 * row
        bars.append(
            f'<text x="190" y="{y + 9}" text-anchor="end">{name}</text>'
            f'<rect x="200" y="{y}" width="{400 * ours:.1f}" height="7" fill="#2b6cb0"/>'
            f'<rect x="200" y="{y + 8}" width="{400 * theirs:.1f}" height="5" fill="#c9a227"/>'
            f'<text x="610" y="{y + 9}">{ours:.2f}</text>'
        )
    height = 56 + 20 * len(ATTACKS)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="660" height="{height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="200" y="18" fill="#2b6cb0">Colophon, n = {total}</text>'
        f'<text x="200" y="34" fill="#8a6d10">dwtDctSvd {EQUAL}, n = {other["pictures"]}</text>'
        + "".join(bars)
        + "</svg>\n",
        encoding="utf-8",
    )


def null(count: int, searches: int, out: Path | None) -> None:
    """Read `count` unmarked pictures at once and search `searches` of them."""
    mark = ImageMark([MarkKey("null", secrets.token_bytes(32))])
    drawn = read = searched = false = 0
    began = time.monotonic()
    while read < count:
        # Clouds and scenes take turns; a large cloud gives 16 crops that share no pixel, a scene 4.
        seed = NULL_SEED + drawn
        whole = np.array(texture(seed, 1024) if drawn % 2 else DRAWN["scene"](seed))
        drawn += 1
        for top in range(0, whole.shape[0], 256):
            for left in range(0, whole.shape[1], 256):
                thorough = searched * count < searches * (read + 1)
                crop = whole[top : top + 256, left : left + 256]
                false += mark.detect(as_draft(crop), thorough=thorough) is not None
                read += 1
                searched += thorough
        record = {
            "read": read,
            "searched": searched,
            "false": false,
            "computed_bound_per_search": MOST_TRIES * 2.0**-CHECK_BITS,
        }
        click.echo(f"{time.monotonic() - began:.0f} s {json.dumps(record)}")
        if out is not None:
            out.write_text(json.dumps(record, indent=2), encoding="utf-8")


@click.command()
@click.option("--set", "which", type=click.Choice(["development", "final"]), default="development")
@click.option("--photographs", "folder", type=click.Path(path_type=Path, exists=True))
@click.option("--scenes", default=120, show_default=True)
@click.option("--flats", default=80, show_default=True)
@click.option("--textures", default=90, show_default=True)
@click.option("--null", "nulls", default=0, help="Read this many unmarked pictures instead.")
@click.option("--searches", default=0, help="How many of them are searched thoroughly.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write the table here.")
@click.option("--plot", "drawing", type=click.Path(path_type=Path), help="Also draw it here (SVG).")
@click.option(
    "--drawn-from", "earlier", type=click.Path(path_type=Path), help="Only draw this JSON."
)
def main(
    which: str,
    folder: Path | None,
    scenes: int,
    flats: int,
    textures: int,
    nulls: int,
    searches: int,
    out: Path | None,
    drawing: Path | None,
    earlier: Path | None,
) -> None:
    """Mark pictures, attack them, and count what comes back."""
    cv2.setNumThreads(1)
    if earlier is not None and drawing is not None:
        plot(json.loads(earlier.read_text(encoding="utf-8")), drawing)
        return
    if nulls:
        null(nulls, searches, out)
        return
    counts = {"scene": scenes, "flat": flats, "texture": textures}
    tally = measure(which, counts, folder, out)
    report(tally)
    if drawing is not None:
        plot(tally.record(), drawing)


if __name__ == "__main__":
    main()
