"""How often the picture mark's number comes back after each of 31 attacks, by kind of picture.

    python scripts/attack_marks.py [--photographs FOLDER] [--flat 40] [--textures 40] [--json FILE]

Each picture is marked with a number of its own, attacked, and searched thoroughly. A row gives the
share that came back, with its Wilson 95 % interval; a wrong number anywhere would be named below.
Flat pictures and textures are drawn from seeds; photographs are whatever lies in FOLDER.
"""

from __future__ import annotations

import io
import json
import math
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from studio.draft import Draft
from studio.provenance.marks import MarkKey
from studio.provenance.marks.image import ImageMark

Picture = Image.Image


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


def flat(seed: int) -> Picture:
    """Plain shapes on plain paper, drawn small and enlarged, as the starter model's pictures."""
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (4, 3))
    colours[0] = [255, 0, colours[0, 0]][seed % 3] if seed % 2 else colours[0]
    picture = Image.new("RGB", (64, 64), tuple(colours[0].tolist()))
    draw = ImageDraw.Draw(picture)
    for colour in colours[1 : 2 + seed % 3]:
        x, y, radius = (int(n) for n in random.integers((12, 12, 6), (52, 52, 22)))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape([x - radius, y - radius, x + radius, y + radius], fill=tuple(colour.tolist()))
    return picture.resize((512, 512), Image.Resampling.LANCZOS)


def texture(seed: int) -> Picture:
    """Clouds of noise, from smooth to rough."""
    random = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None])
    radius[0, 0] = 1
    noise = random.standard_normal((3, 512, 512)) * 0.6 + random.standard_normal((512, 512)) * 0.8
    clouds = np.fft.ifft2(np.fft.fft2(noise) / radius ** random.uniform(0.9, 1.8)).real
    clouds = 128 + random.uniform(30, 60) * clouds / clouds.std()
    return Image.fromarray(np.clip(clouds, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def photographs(folder: Path) -> Iterator[Picture]:
    """The square middle of every picture in `folder`, at 512 pixels."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
            yield ImageOps.fit(Image.open(path).convert("RGB"), (512, 512))


def interval(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, hits / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@click.command()
@click.option("--photographs", "folder", type=click.Path(path_type=Path, exists=True))
@click.option("--flat", "flats", default=40, show_default=True)
@click.option("--textures", default=40, show_default=True)
@click.option("--first-seed", default=10_000, show_default=True, help="Keep runs apart by this.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write the table here.")
def main(folder: Path | None, flats: int, textures: int, first_seed: int, out: Path | None) -> None:
    """Mark pictures, attack them, and count what comes back."""
    cv2.setNumThreads(1)
    mark = ImageMark([MarkKey("attack", secrets.token_bytes(32))])
    groups: dict[str, list[Picture]] = {
        "flat": [flat(first_seed + n) for n in range(flats)],
        "texture": [texture(first_seed + n) for n in range(textures)],
        "photograph": list(photographs(folder)) if folder else [],
    }
    hits: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(ATTACKS, 0))
    wrong, noise = 0, []
    for group, pictures in groups.items():
        for picture in pictures:
            number = secrets.randbits(48)
            marked = mark.embed(Draft("image", 0, 0, {"pixels": np.array(picture)}), number)
            noise.append(marked.psnr)
            for name, attack in ATTACKS.items():
                pixels = np.array(attack(Image.fromarray(marked.draft.arrays["pixels"])))
                found = mark.detect(Draft("image", 0, 0, {"pixels": pixels}), thorough=True)
                hits[group][name] += found is not None and found.payload == number
                wrong += found is not None and found.payload != number
    _report({group: len(pictures) for group, pictures in groups.items()}, hits, wrong, noise, out)


def _report(
    counts: dict[str, int],
    hits: dict[str, dict[str, int]],
    wrong: int,
    noise: list[float],
    out: Path | None,
) -> None:
    used = [group for group, count in counts.items() if count]
    click.echo("| attack | " + " | ".join(f"{g} (n={counts[g]})" for g in used) + " |")
    click.echo("|---|" + "---|" * len(used))
    for name in ATTACKS:
        cells = []
        for group in used:
            low, high = interval(hits[group][name], counts[group])
            cells.append(f"{hits[group][name] / counts[group]:.3f} [{low:.2f}, {high:.2f}]")
        click.echo(f"| {name} | " + " | ".join(cells) + " |")
    means = {g: sum(hits[g].values()) / counts[g] / len(ATTACKS) for g in used}
    click.echo("| **mean** | " + " | ".join(f"**{means[g]:.3f}**" for g in used) + " |")
    above = float(np.mean(np.array(noise) >= 40))
    click.echo(f"\nWrong numbers: {wrong}. PSNR: mean {np.mean(noise):.2f} dB, ≥40 on {above:.0%}.")
    if out is not None:
        table = {
            "pictures": counts,
            "recovered": hits,
            "mean": means,
            "wrong": wrong,
            "psnr": {"mean": float(np.mean(noise)), "at_least_40": above},
        }
        out.write_text(json.dumps(table, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
