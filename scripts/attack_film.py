"""How often the film mark's number comes back after codecs and cuts, and what it costs in bits.

    python -m scripts.attack_film [--clips 12] [--first-seed 50000] [--only ATTACK] [--json FILE]

Clips are drawn here from seeds, 96 frames of 512 × 512 at 24 a second, three kinds taking turns:

- scene: a picture of the starter model's world through which a slow camera moves and zooms;
- pan: a cloud of noise that passes by, the hardest kind for a codec;
- still: a scene at rest with one ball that moves, the kind on which a mark costs most.

With `--photographs FOLDER`, slow zooms over the final photographs of `mark_pictures` follow. The
cost is the size of the marked clip over that of the same clip unmarked, same encoder and settings.
"""

from __future__ import annotations

import io
import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import click
import cv2
import numpy as np

from scripts.mark_pictures import photographs, scene, texture
from scripts.train_starter.measures import wilson
from studio.provenance.marks import MarkKey
from studio.provenance.marks.film import FilmMark

Clip = list[np.ndarray]

SIDE, FRAMES, RATE = 512, 96, 24
CODECS = {
    "H.264": ("libx264", {"preset": "medium"}),
    "H.265": ("libx265", {"preset": "fast", "x265-params": "log-level=none:pools=1"}),
    "VP9": ("libvpx-vp9", {"cpu-used": "5", "b": "0"}),
    "AV1": ("libsvtav1", {"preset": "9", "svtav1-params": "lp=1"}),
}


def encoded(clip: Clip, codec: str, crf: int) -> bytes:
    """A clip in Matroska, at a constant rate factor."""
    name, options = CODECS[codec]
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(name, rate=RATE, options={**options, "crf": str(crf)})
        stream.height, stream.width = clip[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def decoded(media: bytes) -> Clip:
    """The frames of a file."""
    with av.open(io.BytesIO(media)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def halved(clip: Clip) -> Clip:
    """At half the size."""
    size = (SIDE // 2, SIDE // 2)
    return [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in clip]


def moving(picture: np.ndarray, seed: int) -> Clip:
    """A slow camera over a picture: it shifts by some pixels, and comes nearer."""
    random = np.random.default_rng(seed)
    shift, nearer = random.uniform(-40, 40, 2), random.uniform(1.02, 1.2)
    clip = []
    for time in np.linspace(0, 1, FRAMES):
        zoom = 1.16 * nearer**time
        middle = (1 - zoom) * SIDE / 2 + time * shift
        frame = np.array([[zoom, 0, middle[0]], [0, zoom, middle[1]]])
        clip.append(cv2.warpAffine(picture, frame, (SIDE, SIDE), flags=cv2.INTER_CUBIC))
    return clip


def panning(seed: int) -> Clip:
    """A cloud that passes by, by one or two whole pixels a frame."""
    cloud = np.array(texture(seed, 1024))
    step = 1 + seed % 2
    return [cloud[t : t + SIDE, step * t : step * t + SIDE].copy() for t in range(FRAMES)]


def resting(seed: int) -> Clip:
    """A scene at rest, and a ball that crosses it."""
    picture = np.array(scene(seed))
    clip = []
    for time in range(FRAMES):
        frame = picture.copy()
        cv2.circle(frame, (40 + 4 * time, 300 + int(90 * np.sin(time / 9))), 24, (210, 60, 40), -1)
        clip.append(frame)
    return clip


def clips(count: int, first: int, folder: Path | None) -> Iterator[tuple[str, Clip]]:
    """Kind and frames."""
    for place in range(count):
        seed = first + place
        kind = ("scene", "pan", "still")[place % 3]
        if kind == "scene":
            yield kind, moving(np.array(scene(seed)), seed)
        else:
            yield kind, panning(seed) if kind == "pan" else resting(seed)
    if folder is not None:
        for place, picture in enumerate(photographs(folder, "final")):
            yield "photograph", moving(np.array(picture), first + place)


ATTACKS: dict[str, Callable[[Clip], Clip]] = {
    "crf 28, half size": lambda clip: decoded(encoded(halved(clip), "H.264", 28)),
    "crf 28": lambda clip: decoded(encoded(clip, "H.264", 28)),
    "trimmed to a third, crf 23": lambda clip: decoded(encoded(clip[30:62], "H.264", 23)),
    "10 frames a second, crf 23": lambda clip: decoded(
        encoded(clip[::3] + clip[1::5], "H.264", 23)
    ),
    "H.265 crf 28": lambda clip: decoded(encoded(clip, "H.265", 28)),
    "VP9 crf 33": lambda clip: decoded(encoded(clip, "VP9", 33)),
    "AV1 crf 35": lambda clip: decoded(encoded(clip, "AV1", 35)),
}


@click.command()
@click.option("--clips", "count", default=12, show_default=True)
@click.option("--first-seed", default=50_000, show_default=True)
@click.option("--photographs", "folder", type=click.Path(path_type=Path, exists=True))
@click.option("--only", multiple=True, help="Only these attacks.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write the table here.")
def main(
    count: int, first_seed: int, folder: Path | None, only: tuple[str, ...], out: Path | None
) -> None:
    """Mark clips, attack them, and count what comes back."""
    cv2.setNumThreads(1)
    mark = FilmMark([MarkKey("attack", secrets.token_bytes(32))])
    attacks = {name: attack for name, attack in ATTACKS.items() if not only or name in only}
    total, wrong = 0, 0
    hits = dict.fromkeys(attacks, 0)
    costs: dict[str, list[float]] = defaultdict(list)
    for kind, clip in clips(count, first_seed, folder):
        number = secrets.randbits(48)
        marked = list(mark.stream(clip, number))
        cost = len(encoded(marked, "H.264", 23)) / len(encoded(clip, "H.264", 23))
        costs[kind].append(cost)
        total += 1
        notes = []
        for name, attack in attacks.items():
            found = mark.read(attack(marked), thorough=True)
            right = found is not None and found.payload == number
            hits[name] += right
            wrong += found is not None and not right
            notes.append(f"{found.strength:.1f}" if found is not None and right else "lost")
        error = np.mean(np.square(np.stack(clip).astype(np.int16) - np.stack(marked)))
        psnr = 10 * np.log10(255**2 / error)
        click.echo(f"{kind:10} bits ×{cost:.2f}  {psnr:.1f} dB  {' '.join(notes)}")
        record = {
            "clips": total,
            "recovered": hits,
            "wrong": wrong,
            "bits_at_crf_23": {kind: [round(c, 3) for c in found] for kind, found in costs.items()},
        }
        if out is not None:
            out.write_text(json.dumps(record, indent=2), encoding="utf-8")
    for name, count in hits.items():
        back = wilson(count, total)
        click.echo(f"{name:30} {back.share:.3f} [{back.low:.2f}, {back.high:.2f}]  n = {total}")
    for kind, found in costs.items():
        click.echo(f"bits at crf 23, {kind}: mean ×{np.mean(found):.2f}, most ×{max(found):.2f}")
    click.echo(f"wrong numbers: {wrong}")


if __name__ == "__main__":
    main()
