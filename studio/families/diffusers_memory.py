"""How the diffusers family lives within a device's memory: placements, and what to do at its end.

Moving layers is the library's own work; here is only which of its ways is taken, and in which
order they are tried. Every retry happens outside the handler: a traceback holds the tensors of
the attempt that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from studio.errors import OutOfMemory
from studio.families import Spec

#: Tiles are this share of the picture's shorter side, and at least this many latents wide.
_TILE_SHARE = 0.5
_TILE_LATENTS = 16


def place(pipe: Any, device: str, placement: str) -> None:
    """Put the pipeline where `placement`, a rung of `studio.memory.LADDER`, says."""
    match placement:
        case "model-offload":
            pipe.enable_model_cpu_offload(device=device)
        case "group-offload":
            pipe.enable_group_offload(
                onload_device=torch.device(device),
                offload_type="leaf_level",
                use_stream=device.startswith("cuda"),
            )
        case "quantised":
            denoiser = getattr(pipe, "unet", None) or pipe.transformer
            denoiser.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=denoiser.dtype
            )
            pipe.to(device)
        case "cpu":
            pipe.to("cpu")
        case _:
            pipe.to(device)


def dtype_of(name: str, device: str) -> torch.dtype:
    """The card's precision, except that processors compute half precision badly or not at all."""
    return torch.float32 if (name, device) == ("float16", "cpu") else getattr(torch, name)


def device_and_dtype(spec: Spec, device: str, placement: str) -> tuple[str, torch.dtype]:
    """Where a model that is placed so computes, and in which precision."""
    where = "cpu" if placement == "cpu" else device
    return where, dtype_of(spec.dtype, where)


@contextmanager
def memory_errors(name: str) -> Iterator[None]:
    """Turn the ways of running out of memory into `OutOfMemory`."""
    message = ""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        message = f"Memory ran out while {name} was at work."
    if message:
        # Out here, so that no traceback holds the tensors of the failed attempt.
        raise OutOfMemory(
            message, hint="Ask for a smaller picture or fewer at once, or choose a smaller model."
        )


def _out_of_memory(error: BaseException) -> bool:
    # What the processor's allocator raises has no class of its own.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(
        error
    )


class Decoding:
    """Decodes finished latents again, with less at a time, when memory runs out over them.

    Denoising is not repeated: this happens inside the pipeline's own call of its decoder.
    """

    def __init__(self) -> None:
        #: How many of the ways were needed, by the latents' shape.
        self._needed: dict[tuple[int, ...], int] = {}
        #: Whether the last pictures were decoded in tiles, which changes them a little.
        self.tiled = False

    @contextmanager
    def of(self, pipe: Any, make_room: Callable[[], bool]) -> Iterator[None]:
        """While this lasts, `pipe` decodes so; `make_room` evicts others and says if it could."""
        self.tiled = False
        vae: Any = getattr(pipe, "vae", None)
        if not hasattr(vae, "enable_tiling"):
            yield
            return
        plain = vae.decode

        def decode(latents: torch.Tensor, *given: Any, **named: Any) -> Any:
            def tile() -> bool:
                self.tiled = True
                return _tile(vae, latents)

            def slices() -> bool:
                vae.enable_slicing()
                return latents.shape[0] > 1

            shape = tuple(latents.shape)
            ways: list[Callable[[], bool]] = [make_room, slices, tile]
            needed = self._needed.get(shape, 0)
            for way in ways[1:needed]:
                way()
            while True:
                try:
                    return plain(latents, *given, **named)
                except (MemoryError, RuntimeError) as error:
                    if not _out_of_memory(error):
                        raise
                    failure = str(error)
                # The next way that has something to offer, if there is one.
                while needed < len(ways):
                    needed += 1
                    if ways[needed - 1]():
                        break
                else:
                    raise torch.OutOfMemoryError(failure)
                self._needed[shape] = needed

        vae.decode = decode
        try:
            yield
        finally:
            # The library's own method, which this one had hidden.
            del vae.decode
            vae.disable_slicing()
            vae.disable_tiling()


def _tile(vae: Any, latents: torch.Tensor) -> bool:
    """Have the decoder work in tiles; whether these latents are large enough for more than one."""
    vae.enable_tiling()
    if not hasattr(vae, "tile_latent_min_size"):
        return True
    side = max(_TILE_LATENTS, int(min(latents.shape[-2:]) * _TILE_SHARE))
    vae.tile_latent_min_size = side
    vae.tile_sample_min_size = side * 2 ** (len(vae.config.block_out_channels) - 1)
    return max(latents.shape[-2:]) > side
