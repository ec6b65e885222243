"""The family `transformers-upscaling`: larger pictures and films from Swin2SR, by more than a
filter (Conde et al. 2022, arXiv 2209.11345).

The network enlarges as many times as it was trained to, in tiles, so that memory does not follow
the size of the picture; what is asked beyond or below that, a filter adds or takes away.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import Swin2SRForImageSuperResolution

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.larger import Pixels, Tell, enlarged, filtered
from studio.families.transformers_folder import model_of, opening
from studio.tasks import TASKS

#: Pixels of the given picture that a tile draws along each side, and how many more it sees.
_TILE, _AROUND = 128, 16
#: The most pixels that are drawn before a filter brings them to the size that was asked for.
_MOST = 2**28


class TransformersUpscaling:
    """Loads Swin2SR; its cards have no options."""

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            return Upscaler(
                spec.name, model_of(Swin2SRForImageSuperResolution, spec, device, placement)
            )


class Upscaler:
    """A model in memory that draws pictures larger."""

    def __init__(self, name: str, model: Any) -> None:
        self._name = name
        self._model = model

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """One draft per order; the same picture and factor give the same one, whatever the seed.

        A step is a tile.

        Raises:
            InvalidRequest: if a side would be longer than it can be, or there is too much to draw.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold a tile.
        """
        given = [
            {field: Draft.unspool(place) for field, place in order.inputs.items()}
            for order in batch
        ]
        tiles = [_tiles(*inputs.values()) for inputs in given]
        done, total = 0, sum(tiles)
        progress.step(done, total)
        for order, inputs, count in zip(batch, given, tiles, strict=True):

            def tell(share: float, begin: int = done, count: int = count) -> None:
                progress.step(begin + round(share * count), total)

            with memory_errors(self._name):
                arrays, facts = enlarged(order.request, inputs, self._draw, tell)
            done += count
            yield Draft(TASKS[order.task].makes, order.index, order.seed, arrays, facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _draw(self, pixels: Pixels, size: tuple[int, int], tell: Tell) -> Pixels:
        height, width = pixels.shape[:2]
        times = int(self._model.config.upscale)
        if height * width * times**2 > _MOST:
            raise InvalidRequest(
                f"{width} × {height} pixels are too many for {self._name}, which draws {times} "
                "times as many each way.",
                hint="Choose a model that enlarges less, or the workshop, which only filters.",
            )
        large = np.empty((height * times, width * times, 3), np.uint8)
        corners = _corners(height, width)
        for number, (y, x) in enumerate(corners):
            top, left = max(0, y - _AROUND), max(0, x - _AROUND)
            seen = pixels[top : y + _TILE + _AROUND, left : x + _TILE + _AROUND]
            drawn = self._tile(seen)[(y - top) * times :, (x - left) * times :]
            place = large[y * times : (y + _TILE) * times, x * times : (x + _TILE) * times]
            place[:] = drawn[: place.shape[0], : place.shape[1]]
            tell((number + 1) / len(corners))
        return filtered(large, size, lambda _: None) if large.shape[1::-1] != size else large

    @torch.inference_mode()
    def _tile(self, pixels: Pixels) -> Pixels:
        model, times = self._model, int(self._model.config.upscale)
        height, width = pixels.shape[:2]
        # It knows whole windows only; the library's own processor mirrors the picture to there.
        short = [(0, -side % model.config.window_size) for side in (height, width)]
        whole = np.pad(pixels, (*short, (0, 0)), mode="symmetric")
        given = torch.from_numpy(whole).permute(2, 0, 1)[None].to(model.device)
        values = model(given.to(model.dtype) / 255).reconstruction[0]
        if not bool(values.isfinite().all()):
            raise Unavailable(
                f"{self._name} computed values that are no numbers.",
                hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
            )
        colours = (values.float().clamp(0, 1) * 255).round().to(torch.uint8)
        return np.asarray(colours.permute(1, 2, 0).cpu()[: height * times, : width * times])


def _corners(height: int, width: int) -> list[tuple[int, int]]:
    """Where the tiles of a picture begin."""
    return [(y, x) for y in range(0, height, _TILE) for x in range(0, width, _TILE)]


def _tiles(given: Draft) -> int:
    """How many tiles a picture has, or a film."""
    shown = given.arrays["pixels"][None] if given.kind == "image" else given.arrays["frames"]
    return len(shown) * len(_corners(*shown.shape[1:3]))
