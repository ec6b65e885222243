"""The pictures that the picture mark is measured with, in two sets that share none.

Development pictures may be looked at and tuned for; final ones are run once per version of the
mark. Both come from seeds, far apart, and are drawn here:

- scenes: the starter model's training world at 512 pixels, in all its styles;
- flat: plain shapes on plain paper, drawn at 64 pixels and enlarged;
- texture: clouds of noise, from smooth to rough, the hardest kind.

Photographs are those that scikit-image, scikit-learn and Matplotlib ship in their wheels: one
picture per file, its square middle at 512 pixels, so that no two share pixels except the stereo
pair's. The prototype of the method had been developed with thirteen of scikit-image's.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

sys.path.append(str(Path(__file__).parent / "train_starter"))

from world.layout import sample_scene
from world.render import render

Picture = Image.Image

SIDE = 512
FIRST_SEED = {"development": 10_000, "final": 7_000_000}
#: Inside the folder that holds the three packages; drawings and diagrams are left out.
PHOTOGRAPHS = {
    "development": ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "ihc.png"),
    "final": (
        *("brick.png", "camera.png", "cell.png", "coins.png", "grass.png", "gravel.png"),
        *("hubble_deep_field.jpg", "microaneurysms.png", "moon.png", "motorcycle_left.png"),
        *("motorcycle_right.png", "page.png", "retina.jpg", "text.png", "china.jpg"),
        *("flower.jpg", "grace_hopper.jpg", "Minduka_Present_Blue_Pack.png"),
    ),
}
_FOLDERS = ("skimage/data", "sklearn/datasets/images", "matplotlib/mpl-data/sample_data")


def scene(seed: int) -> Picture:
    """A scene of the starter model's world."""
    drawn = render(sample_scene(random.Random(seed)), SIDE)
    return Image.fromarray(np.asarray(drawn)).convert("RGB")


def flat(seed: int) -> Picture:
    """Plain shapes on plain paper, drawn small and enlarged, as a small model's pictures."""
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (4, 3))
    colours[0] = [255, 0, colours[0, 0]][seed % 3] if seed % 2 else colours[0]
    picture = Image.new("RGB", (64, 64), tuple(colours[0].tolist()))
    draw = ImageDraw.Draw(picture)
    for colour in colours[1 : 2 + seed % 3]:
        x, y, radius = (int(n) for n in random.integers((12, 12, 6), (52, 52, 22)))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape([x - radius, y - radius, x + radius, y + radius], fill=tuple(colour.tolist()))
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def texture(seed: int, side: int = SIDE) -> Picture:
    """Clouds of noise, from smooth to rough."""
    random = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    radius[0, 0] = 1
    noise = (
        random.standard_normal((3, side, side)) * 0.6 + random.standard_normal((side, side)) * 0.8
    )
    clouds = np.fft.ifft2(np.fft.fft2(noise) / radius ** random.uniform(0.9, 1.8)).real
    clouds = 128 + random.uniform(30, 60) * clouds / clouds.std()
    return Image.fromarray(np.clip(clouds, 0, 255).astype(np.uint8).transpose(1, 2, 0))


DRAWN = {"scene": scene, "flat": flat, "texture": texture}


def photographs(folder: Path, which: str) -> Iterator[Picture]:
    """The photographs of a set, from a folder into which the three packages were installed."""
    for name in PHOTOGRAPHS[which]:
        path = next(p for p in (folder / place / name for place in _FOLDERS) if p.exists())
        yield ImageOps.fit(Image.open(path).convert("RGB"), (SIDE, SIDE))


def pictures(
    which: str, counts: dict[str, int], folder: Path | None
) -> Iterator[tuple[str, Picture]]:
    """Kind and picture, the kinds taking turns, so that a run cut short is still a fair sample."""
    waiting = {
        # `map` takes the function now; an expression would look it up when the loop is over.
        kind: map(DRAWN[kind], range(FIRST_SEED[which], FIRST_SEED[which] + count))
        for kind, count in counts.items()
    }
    if folder is not None:
        waiting["photograph"] = photographs(folder, which)
    while waiting:
        for kind in list(waiting):
            picture = next(waiting[kind], None)
            if picture is None:
                del waiting[kind]
            else:
                yield kind, picture
