"""How well the memory of a run is foreseen, and how little beyond the least it takes; one core.

    python -m scripts.bench_memory [--json scripts/results/memory.json]

On the processor, with its allocator's own count. For each model and size: what the family foresees
before anything is loaded, what a run of the studio's own pipeline took at its highest point, and
the least that it could have: the denoiser's or the decoder's own activations, called alone. The
first ratio is of activations, the second of activations and weights. What the host learns after a
few runs comes from the worker's own gauge of the whole process, which is compared as well.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["DIFFUSERS_VERBOSITY"] = "error"

import click
import torch

from scripts.results import Row, publish
from studio.catalog import card_folder
from studio.families import Order, Spec
from studio.families.diffusers import Diffusers
from studio.testing import Recorder
from studio.worker.gauge import Gauge
from tests.families import tiny


def middle(folder: Path) -> None:
    """A Stable Diffusion pipeline of about a fifth of the usual width."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    tiny.stable_diffusion(folder)
    UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(64, 128, 256, 256),
        attention_head_dim=8,
        cross_attention_dim=32,
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        latent_channels=4,
        block_out_channels=(32, 64, 128, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).save_pretrained(folder / "vae")


def highest(call: Callable[[], object]) -> int:
    """Bytes that the allocator had handed out at the highest point of `call`, beside before."""
    with torch.profiler.profile(profile_memory=True) as profile:
        call()
    found = [one for one in profile.profiler.kineto_results.events() if one.name() == "[memory]"]
    now = most = 0
    for event in sorted(found, key=lambda one: one.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def measure(name: str, spec: Spec, side: int, count: int) -> list[Row]:
    """The rows of one model at one size."""
    request = {"prompt": "a star", "width": side, "height": side, "steps": 2, "guidance": 5.0}
    orders = [
        Order("job", number, "text-to-image", request | {"count": count, "seed": 1}, number)
        for number in range(count)
    ]
    family = Diffusers()
    foreseen = family.forecast(spec, orders, "cpu") or 0
    model = family.load(spec, "cpu", "full")
    model._previews = False
    pipe = model._pipe
    calls: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {}

    def keep(part: str) -> Callable[..., None]:
        def hook(_: object, given: tuple[object, ...], named: dict[str, object]) -> None:
            calls[part] = given, named

        return hook

    parts = {"unet": pipe.unet, "decoder": pipe.vae.decoder}
    if (network := model._enlarge._network) is not None:
        parts |= {"small": network.encoder, "large": network.decoder}
    hooks = [
        part.register_forward_pre_hook(keep(name), with_kwargs=True) for name, part in parts.items()
    ]
    list(model.generate(orders, Recorder()))
    for hook in hooks:
        hook.remove()
    taken = highest(lambda: list(model.generate(orders, Recorder())))
    gauge = Gauge("cpu")
    list(model.generate(orders, Recorder()))
    gauged = gauge.peak()
    with torch.no_grad():
        least = max(
            highest(lambda part=part: parts[part](*calls[part][0], **calls[part][1]))
            for part in parts
        )
    weights = sum(
        one.nbytes for part in (pipe.unet, pipe.vae, pipe.text_encoder) for one in part.parameters()
    )
    model.unload()
    title = f"{name}, {count} of {side} px, {taken / 1e6:.0f} MB"
    return [
        Row(f"memory foreseen / taken, not too much: {title}", foreseen / taken, "≤1.2", ""),
        Row(f"memory foreseen / taken, not too little: {title}", foreseen / taken, "≥0.95", ""),
        Row(
            f"memory taken / needed at least, with the weights: {title}",
            (weights + taken) / (weights + least),
            "≤1.1",
            "",
        ),
        Row(f"memory by the worker's own gauge / taken: {title}", gauged / taken, "≥0.95", ""),
    ]


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the rows there.")
def main(path: Path | None) -> None:
    """Measure memory on this machine."""
    torch.set_num_threads(1)
    starter = card_folder().parent / "studio" / "starter" / "pictures"
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for name, make in {"tiny": tiny.stable_diffusion, "middle": middle}.items():
            make(Path(place) / name)
        options = {"batch": 4}
        for name, folder, sides, more in (
            ("a tiny model", Path(place) / "tiny", [(256, 1), (256, 4)], {}),
            ("a small model", Path(place) / "middle", [(256, 1), (512, 1)], {}),
            ("starter pictures", starter, [(512, 1), (512, 4)], {"upscale": 4}),
        ):
            spec = Spec(name, folder, "float32", None, {**options, **more})
            for side, count in sides:
                rows += measure(name, spec, side, count)
    publish(rows, path)


if __name__ == "__main__":
    main()
