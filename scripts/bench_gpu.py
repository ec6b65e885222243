"""What an accelerator makes of the studio: full-size models come, work, are foreseen and go.

    python -m scripts.bench_gpu [--json scripts/results/gpu.json]
    python -m scripts.bench_gpu --tiny --device cpu

The models have their real shapes and random weights, since speed does not depend on the values:
the denoisers of SDXL, FLUX and CogVideoX-2b, a language model of eight billion parameters, and
MusicGen-large's decoder. Each is brought in from main memory, which is compared with the same bytes
at the measured speed of the bus, runs a step, and leaves. SDXL is also loaded and run by the
studio's own family from a folder, and its memory compared with what was foreseen.

`--tiny` runs the same code on small shapes, and proves nothing but that it runs.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")

import click
import torch

from scripts.results import Row, publish
from studio.families import Order, Spec
from studio.families.diffusers import Diffusers
from studio.testing import Recorder
from studio.worker.device import Device, open_device
from tests.families import tiny


@dataclass(frozen=True)
class Shape:
    """A model by its configuration, and one step of it."""

    name: str
    build: Callable[[bool], Any]
    #: Runs one step of the model on a device.
    step: Callable[[Any, str], Any]


def sdxl(small: bool) -> Any:
    """SDXL's UNet: 2.6 billion parameters."""
    from diffusers import UNet2DConditionModel

    sizes: dict[str, Any] = {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "projection_class_embeddings_input_dim": 2816,
    }
    if small:
        sizes |= {
            "sample_size": 8,
            "block_out_channels": (32, 32, 32),
            "transformer_layers_per_block": 1,
            "attention_head_dim": 8,
        }
    return UNet2DConditionModel(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        **sizes,
    )


def sdxl_step(model: Any, device: str) -> Any:
    """A step with guidance, of the model's own size."""
    kind = {"device": device, "dtype": model.dtype}
    side = model.config.sample_size
    return model(
        torch.randn(2, 4, side, side, **kind),
        torch.tensor(1, device=device),
        encoder_hidden_states=torch.randn(2, 77, 2048, **kind),
        added_cond_kwargs={
            "text_embeds": torch.randn(2, 1280, **kind),
            "time_ids": torch.zeros(2, 6, **kind),
        },
    )


def flux(small: bool) -> Any:
    """FLUX's transformer: 12 billion parameters."""
    from diffusers import FluxTransformer2DModel

    if not small:
        return FluxTransformer2DModel(guidance_embeds=True)
    return FluxTransformer2DModel(
        num_layers=1, num_single_layers=1, num_attention_heads=1, guidance_embeds=True
    )


def flux_step(model: Any, device: str) -> Any:
    """A step at 1024 x 1024."""
    kind = {"device": device, "dtype": model.dtype}
    places = 4096 if model.config.num_layers > 1 else 64
    return model(
        hidden_states=torch.randn(1, places, 64, **kind),
        encoder_hidden_states=torch.randn(1, 128, model.config.joint_attention_dim, **kind),
        pooled_projections=torch.randn(1, model.config.pooled_projection_dim, **kind),
        timestep=torch.ones(1, **kind),
        guidance=torch.ones(1, **kind),
        img_ids=torch.zeros(places, 3, device=device),
        txt_ids=torch.zeros(128, 3, device=device),
    )


def language(small: bool) -> Any:
    """A language model of the Llama kind: 8 billion parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32}
    if small:
        sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8}
    vocabulary = 1000 if small else 128256
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **sizes, **heads))


def language_step(model: Any, device: str) -> Any:
    """Sixteen tokens after sixteen."""
    words = torch.ones(1, 16, dtype=torch.long, device=device)
    return model.generate(
        words,
        attention_mask=words,
        max_new_tokens=16,
        min_new_tokens=16,
        do_sample=False,
        pad_token_id=0,
    )


def music(small: bool) -> Any:
    """MusicGen-large's decoder: 3.3 billion parameters."""
    from transformers import MusicgenForCausalLM
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

    sizes = {"hidden_size": 2048, "ffn_dim": 8192, "num_hidden_layers": 48}
    if small:
        sizes = {"hidden_size": 64, "ffn_dim": 64, "num_hidden_layers": 1}
    return MusicgenForCausalLM(MusicgenDecoderConfig(num_attention_heads=32, **sizes))


def music_step(model: Any, device: str) -> Any:
    """One second at once: fifty frames of four codebooks."""
    return model(torch.ones(4, 50, dtype=torch.long, device=device))


def film(small: bool) -> Any:
    """CogVideoX-2b's transformer: 1.7 billion parameters."""
    from diffusers import CogVideoXTransformer3DModel

    if not small:
        return CogVideoXTransformer3DModel()
    return CogVideoXTransformer3DModel(num_layers=1, num_attention_heads=1, time_embed_dim=8)


def film_step(model: Any, device: str) -> Any:
    """A step of the model's own size: 49 frames of 720 x 480."""
    kind = {"device": device, "dtype": model.dtype}
    height, width = (60, 90) if model.config.num_layers > 1 else (8, 8)
    return model(
        hidden_states=torch.randn(1, 13, 16, height, width, **kind),
        encoder_hidden_states=torch.randn(1, 226, model.config.text_embed_dim, **kind),
        timestep=torch.ones(1, device=device),
    )


SHAPES = (
    Shape("SDXL", sdxl, sdxl_step),
    Shape("CogVideoX-2b", film, film_step),
    Shape("MusicGen-large", music, music_step),
    Shape("LLM of 8B", language, language_step),
    Shape("FLUX", flux, flux_step),
)


class Bench:
    """The measurements on one device."""

    def __init__(self, device: Device, small: bool) -> None:
        self._device = device
        self._small = small
        self._cuda = device.name.startswith("cuda")
        #: Seconds in which the bus brings a byte in from pinned memory.
        self._byte = self._bus()

    def seconds(self, call: Callable[[], Any]) -> float:
        """How long a call takes until the device is done with it."""
        self._settle()
        begun = time.perf_counter()
        call()
        self._settle()
        return time.perf_counter() - begun

    def comes_works_goes(self, shape: Shape) -> list[Row]:
        """Brings a model in, lets it make steps, and evicts it."""
        torch.set_default_dtype(torch.bfloat16 if self._cuda else torch.float32)
        try:
            # On the device: filling billions of weights with noise takes a processor minutes.
            with torch.device(self._device.name), torch.inference_mode():
                model = shape.build(self._small).eval().requires_grad_(False)
        finally:
            torch.set_default_dtype(torch.float32)
        size = sum(weight.nbytes for weight in model.parameters())
        model.to("cpu")
        self._device.release()
        arrival = self.seconds(partial(model.to, self._device.name))
        with torch.inference_mode():
            step = partial(shape.step, model, self._device.name)
            quickest = min(self.seconds(step) for _ in range(4))
        print(f"{shape.name}: {size / 1e9:.2f} GB, a step takes {1000 * quickest:.1f} ms")
        del model, step
        departure = self.seconds(self._device.release)
        ratio = arrival / (size * self._byte)
        return [
            Row(f"{shape.name}: swap-in / bytes at pinned speed", ratio, "≤1.2", ""),
            Row(f"{shape.name}: evict", 1000 * departure, "≤50", "ms"),
        ]

    def family(self, place: Path) -> list[Row]:
        """The studio's own family on a whole SDXL: what it foresees, and what it takes."""
        tiny.stable_diffusion_xl(place)
        if not self._small:
            self._enlarge(place)
        side = 64 if self._small else 1024
        spec = Spec("sdxl", place, "bfloat16" if self._cuda else "float32", None, {"batch": 2})
        request = {"prompt": "a", "width": side, "height": side, "steps": 3, "guidance": 5.0}
        family = Diffusers()
        rows: list[Row] = []
        models: list[Any] = []
        orders = [Order("job", n, "text-to-image", request, n) for n in range(2)]
        foreseen = [family.forecast(spec, orders[:n], self._device.name) for n in (1, 2)]
        load = self.seconds(lambda: models.append(family.load(spec, self._device.name, "full")))

        def draw(number: int) -> None:
            list(models[0].generate(orders[:number], Recorder()))

        print(f"SDXL, whole: loaded by the family in {load:.2f} s")
        for number, bytes_foreseen in enumerate(foreseen, 1):
            draw(number)
            gauge = self._device.gauge()
            drawn = self.seconds(partial(draw, number))
            peak = gauge.peak()
            print(f"SDXL, {number} at once: {drawn / number:.3f} s each, {peak / 1e9:.2f} GB")
            if bytes_foreseen is not None and peak:
                ratio = bytes_foreseen / peak
                rows.append(
                    Row(f"SDXL, {number} at once: foreseen / true peak", ratio, "≥0.95", "")
                )
                rows.append(Row(f"SDXL, {number} at once: foreseen / true peak", ratio, "≤1.2", ""))
        leave = self.seconds(lambda: models.pop().unload())
        return [*rows, Row("SDXL, whole: evict by the family", 1000 * leave, "≤50", "ms")]

    def _enlarge(self, place: Path) -> None:
        """Put the full-size denoiser and decoder, and towers of their width, into the folder."""
        from diffusers import AutoencoderKL
        from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

        def tower(width: int, layers: int) -> CLIPTextConfig:
            return CLIPTextConfig(
                hidden_size=width,
                intermediate_size=4 * width,
                num_hidden_layers=layers,
                num_attention_heads=width // 64,
                projection_dim=width,
            )

        torch.set_default_dtype(torch.bfloat16)
        try:
            with torch.device(self._device.name):
                parts = {
                    "unet": sdxl(False),
                    "text_encoder": CLIPTextModel(tower(768, 12)),
                    "text_encoder_2": CLIPTextModelWithProjection(tower(1280, 32)),
                    "vae": AutoencoderKL(
                        block_out_channels=(128, 256, 512, 512),
                        layers_per_block=2,
                        down_block_types=("DownEncoderBlock2D",) * 4,
                        up_block_types=("UpDecoderBlock2D",) * 4,
                        sample_size=1024,
                        force_upcast=False,
                    ),
                }
        finally:
            torch.set_default_dtype(torch.float32)
        for name, part in parts.items():
            for weights in (place / name).glob("*.safetensors"):
                weights.unlink()
            part.save_pretrained(place / name)
        del parts, part
        self._device.release()

    def _bus(self) -> float:
        size = 2**20 if self._small else 2**32
        source = torch.ones(size, dtype=torch.uint8, pin_memory=self._cuda)
        target = torch.empty(size, dtype=torch.uint8, device=self._device.name)
        seconds = min(self.seconds(lambda: target.copy_(source)) for _ in range(5))
        print(f"from pinned memory to {self._device.title}: {size / seconds / 1e9:.1f} GB/s")
        return seconds / size

    def _settle(self) -> None:
        if self._cuda:
            torch.cuda.synchronize(self._device.name)


@click.command()
@click.option("--device", "name", default="cuda:0", show_default=True)
@click.option("--tiny", "small", is_flag=True, help="Small shapes: only whether it runs.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the rows there.")
def main(name: str, small: bool, path: Path | None) -> None:
    """Measure this machine's accelerator."""
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here: nothing was measured, nothing is written.")
    if not small and not name.startswith("cuda"):
        raise SystemExit("Full-size models are for a CUDA device; a processor takes --tiny.")
    bench = Bench(open_device(name), small)
    rows = [row for shape in SHAPES for row in bench.comes_works_goes(shape)]
    with tempfile.TemporaryDirectory() as place:
        rows += bench.family(Path(place))
    publish(rows, path)


if __name__ == "__main__":
    main()
