"""How long it takes until a model is usable, against a mere touch of the same bytes; one core.

    python -m scripts.bench_load [--megabytes 800] [--json scripts/results/load.json]

A Stable Diffusion pipeline with random weights of about that size is written once. Each run then
drops the file from the page cache and touches every page of it (mmap), or loads it with the
studio's own family; both read from the same disk, in turns. The best of five of each counts.
Anonymous memory is what the load adds to the process beside the mapped file.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import click
import torch

from scripts.results import Row, publish
from studio.families import Spec
from studio.families.diffusers import Diffusers, Pipeline
from tests.families import tiny

RUNS = 5


def write(folder: Path, megabytes: int) -> None:
    """A tiny pipeline whose denoiser has about `megabytes` of weights."""
    from diffusers import UNet2DConditionModel

    tiny.stable_diffusion(folder)
    # By count, a block of this width has about 218 times its square in weights.
    width = int((megabytes * 1e6 / 4 / 218) ** 0.5) // 32 * 32
    UNet2DConditionModel(
        block_out_channels=(width,),
        layers_per_block=2,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        cross_attention_dim=32,
        attention_head_dim=32,
    ).save_pretrained(folder / "unet")


def forget(folder: Path) -> None:
    """Drop the folder's files from the page cache."""
    for path in folder.rglob("*.safetensors"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def touch(folder: Path) -> None:
    """Read one byte of every page."""
    for path in folder.rglob("*.safetensors"):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
            for offset in range(0, len(pages), mmap.PAGESIZE):
                pages[offset]


def load(folder: Path) -> Pipeline:
    """Load with the family, and touch every weight, since loading only maps them."""
    model = Diffusers().load(Spec("load", folder, "float32", None, {}), "cpu", "full")
    for weight in model._pipe.unet.parameters():
        weight.detach().flatten()[:: mmap.PAGESIZE // 4].sum()
    return model


def anonymous() -> int:
    """Bytes of anonymous memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise LookupError("RssAnon")


def seconds(folder: Path, call: Callable[[Path], Pipeline | None]) -> float:
    """Wall time of one call, the page cache cold; what it loaded is unloaded after that."""
    forget(folder)
    begun = time.perf_counter()
    model = call(folder)
    taken = time.perf_counter() - begun
    if model is not None:
        model.unload()
    return taken


@click.command()
@click.option("--megabytes", default=800, help="Size of the weights.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the rows there.")
def main(megabytes: int, path: Path | None) -> None:
    """Measure loading on this machine."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, megabytes)
        size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
        # The first load imports what it needs.
        load(folder).unload()
        pairs = [(seconds(folder, touch), seconds(folder, load)) for _ in range(RUNS)]
        before = anonymous()
        model = Diffusers().load(Spec("load", folder, "float32", None, {}), "cpu", "full")
        grown = anonymous() - before
        model.unload()
    mapped, usable = (min(times) for times in zip(*pairs, strict=True))
    publish(
        [
            Row(
                f"loading {size / 1e6:.0f} MB from disk until usable / merely touching them",
                usable / mapped,
                "≤1.2",
                "",
            ),
            Row(
                "memory that loading takes beside the mapped file / the weights",
                grown / size,
                "≤0.02",
                "",
            ),
        ],
        path,
    )


if __name__ == "__main__":
    main()
