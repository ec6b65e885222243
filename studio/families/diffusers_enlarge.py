"""Larger pictures from what a model draws small.

A model whose card says `upscale` may bring a network for that, in the folder `upscaler`: an
`AutoencoderTiny` that is given a picture and gives one, so that it is loaded like any other part.
Without one a plain filter does it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from PIL import Image

from studio.errors import Unavailable
from studio.families import Spec
from studio.families.weights import check_weights, first_line

Pixels = NDArray[np.uint8]


class Enlarger:
    """Makes pictures as many times larger as the card's `upscale` says."""

    def __init__(self, spec: Spec, folder: Path, device: str, dtype: torch.dtype) -> None:
        """With the network in `folder`, if it has one, in `dtype` on `device`.

        Raises:
            Unavailable: if that network is damaged or in a format that is refused.
        """
        self.factor = int(spec.options.get("upscale", 1))
        place = folder / "upscaler"
        self._network: Any = None
        if self.factor > 1 and place.is_dir():
            check_weights(place)
            try:
                loaded = AutoencoderTiny.from_pretrained(
                    place, dtype=dtype, use_safetensors=True, local_files_only=True
                )
            except (OSError, ValueError) as error:
                raise Unavailable(
                    f"The upscaler of {spec.name} cannot be loaded: {first_line(error)}",
                    hint=f"Fetch it again with `studio models get {spec.name}`.",
                ) from None
            self._network = loaded.to(device).eval()

    def __call__(self, pixels: Pixels) -> Pixels:
        """uint8 (height, width, 3) → the same, each side `factor` times as long."""
        if self.factor == 1:
            return pixels
        if self._network is None:
            height, width = pixels.shape[:2]
            size = (width * self.factor, height * self.factor)
            return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
        return self._drawn(pixels)

    @torch.inference_mode()
    def _drawn(self, pixels: Pixels) -> Pixels:
        network = self._network
        values = torch.from_numpy(pixels).to(network.device, network.dtype) / 127.5 - 1
        given = values.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
        large = network.decode(network.encode(given).latents).sample[0].permute(1, 2, 0)
        colours = ((large.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return np.ascontiguousarray(colours.cpu().numpy())
