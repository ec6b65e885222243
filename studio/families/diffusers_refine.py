"""The frames of a film, each drawn a little anew by a model of pictures.

A small model that draws all frames at once learns motion long before it learns form. Where it moves
the latents of a picture model, that one knows the form: it is given each frame with some noise
(SDEdit, Meng et al. 2021, arXiv 2108.01073), the same noise for all, so that what does not move
stays as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from numpy.typing import NDArray
from PIL import Image

from studio.families import Order, Spec
from studio.families.diffusers_folder import calling, no_numbers, open_folder
from studio.families.diffusers_memory import place
from studio.families.diffusers_steps import Follower
from studio.vocabulary import leave_out, mentions, read_vocabulary

#: How many frames are drawn at once.
_AT_ONCE = 8


class Refiner:
    """Draws frames anew as far as the card's `refine` says: its `strength` and `guidance`, and the
    `steps` that the whole of a picture would take.

    It is told the film's prompt, but not what is said in its words of the group `without`: how
    something moves is no part of a picture. Films of what is named in `unless` it leaves alone.
    """

    def __init__(self, spec: Spec, folder: Path, vae: Any, device: str, placement: str) -> None:
        """With the pictures' model in `folder`, whose decoder may be in memory as `vae`.

        Raises:
            Unavailable: if a file is missing or is in a format that is refused.
        """
        options: Mapping[str, Any] = spec.options["refine"]
        self._spec = spec
        self._strength, self._guidance = float(options["strength"]), float(options["guidance"])
        self._planned = int(options["steps"])
        self._made = int(self._planned * self._strength)
        self._unsaid = read_vocabulary(spec.folder).get(str(options.get("without", "")), ())
        self._unless = tuple(options.get("unless", ()))
        # Offloaded parts have hooks of the one pipeline that they belong to.
        parts = {"vae": vae} if placement in ("full", "cpu") else {}
        kind = StableDiffusionImg2ImgPipeline
        self._pipe = open_folder(spec, device, placement, kind, folder, **parts)
        self._pipe.set_progress_bar_config(disable=True)
        place(self._pipe, device, placement)

    def steps(self, order: Order, count: int) -> int:
        """How many steps it makes for `count` frames of the order's film; none for some films."""
        left = mentions(str(order.request["prompt"]), self._unless)
        return 0 if left else self._made * -(-count // _AT_ONCE)

    def __call__(
        self, frames: NDArray[np.uint8], order: Order, follower: Follower
    ) -> NDArray[np.uint8]:
        """uint8 (n, height, width, 3) → the same, drawn anew after what `follower` has followed.

        Raises:
            Unavailable: if the model computes no numbers.
        """
        prompt = leave_out(str(order.request["prompt"]), self._unsaid)
        unwanted = str(order.request["negative_prompt"] or "")
        takes = inspect.signature(self._pipe.__call__).parameters
        drawn = []
        with calling(self._pipe, self._spec):
            for at in range(0, len(frames), _AT_ONCE):
                part = frames[at : at + _AT_ONCE]
                follower = follower.then(self._made)
                with follower.hooks(self._pipe, takes) as hooks:
                    made = self._pipe(
                        prompt=[prompt] * len(part),
                        negative_prompt=[unwanted] * len(part),
                        image=[Image.fromarray(frame) for frame in part],
                        strength=self._strength,
                        num_inference_steps=self._planned,
                        guidance_scale=self._guidance,
                        generator=[torch.Generator("cpu").manual_seed(order.seed) for _ in part],
                        output_type="np",
                        **hooks,
                    )
                drawn.append(made.images)
        values = np.concatenate(drawn)
        if not np.isfinite(values).all():
            raise no_numbers(self._spec.name)
        pixels: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
        return pixels

    def unload(self) -> None:
        """Let go of what only this one holds."""
        self._pipe.remove_all_hooks()
