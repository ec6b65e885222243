"""The family of the diffusers library: pictures from latent diffusion and flow models.

Everything runs through the library's real pipelines, loaded from a folder, safetensors only.

A card's `options` for this family, all of them optional:

- `upscale`: how many times smaller than the request the model draws; the draft is enlarged by the
  folder's `upscaler`, if it has one (`diffusers_enlarge`). For models that draw small.
- `grid`: the drawn sides are rounded up to a multiple of this many pixels, and the draft is cut
  back to what was asked. 8 unless said otherwise; 16 for models that pack their latents.
- `batch`: the most orders that are drawn in one call; 1 unless said otherwise.
- `quantised`: whether the denoiser may be stored in 8 bits where memory is short.
- `scheduler`: a scheduler class of the library, built from the folder's own configuration.
- `guidance`: the call's argument that takes the request's guidance: `guidance_scale` unless said
  otherwise, `true_cfg_scale` for some flow models.
- `arguments`: further arguments of every call, as they are; a `negative_prompt` among them is for
  orders without one, where guidance would do nothing otherwise.
- `without`: components of the folder's index to leave out, such as `safety_checker`.
- `attention`: how the denoiser computes attention: a backend of the library that is installed here,
  such as `_native_flash` or `sage`; torch's own choice unless said otherwise.
- `compile`: true, or arguments for `torch.compile`: the denoiser's repeated blocks are compiled.
  The first run of each size then takes minutes.
- `cache`: `{kind: FirstBlockCache, threshold: 0.1}`, or another of the library's caches that skip
  work where little changes between two steps; for transformers only. It costs likeness.

A draft says which of the last three it was made with.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray

from studio.draft import Draft
from studio.errors import InvalidRequest, OutOfMemory, Refused
from studio.families import Order, Progress, Spec
from studio.families.diffusers_enlarge import Enlarger
from studio.families.diffusers_folder import (
    Shared,
    calling,
    check_folder,
    give_back,
    no_numbers,
    open_folder,
)
from studio.families.diffusers_forecast import forecast
from studio.families.diffusers_inputs import given, put_back, setting, steps_of
from studio.families.diffusers_memory import (
    Decoding,
    device_and_dtype,
    dtype_of,
    memory_errors,
    place,
)
from studio.families.diffusers_speed import Embeddings, hasten
from studio.families.diffusers_steps import Follower, small_pictures
from studio.families.diffusers_walk import WALKS, films
from studio.job import Preview

#: The library's finders of pipelines, by task; every other task draws from text.
_DRAWS = "AutoPipelineForText2Image"
_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "image-to-image": "AutoPipelineForImage2Image",
        "image-morphing": "AutoPipelineForImage2Image",
        "inpainting": "AutoPipelineForInpainting",
    }
)


class Diffusers:
    """Loads pipelines of the diffusers library."""

    def __init__(self) -> None:
        self._shared = Shared()

    def load(self, spec: Spec, device: str, placement: str) -> Pipeline:
        """The pipeline in `spec.folder`; see `studio.families.Family.load`."""
        with memory_errors(spec.name):
            pipe = _for_text_to_image(open_folder(spec, device, placement, shared=self._shared))
            pipe.set_progress_bar_config(disable=True)
            ways = hasten(pipe, spec)
            place(pipe, device, placement)
            enlarge = Enlarger(spec, spec.folder, *device_and_dtype(spec, device, placement))
        return Pipeline(pipe, spec, device, placement, enlarge, ways)

    def forecast(self, spec: Spec, batch: Sequence[Order], device: str) -> int | None:
        """See `studio.families.Foreseeing`."""
        check_folder(spec.folder, tuple(spec.options.get("without", ())))
        together = batch[: int(spec.options.get("batch", 1))]
        size = _drawn_size(spec, together[0].request)
        try:
            return forecast(spec, together, device, size, dtype_of(spec.dtype, device))
        except (RuntimeError, TypeError, ValueError):
            # Something in it cannot do without data; the card has a figure, too.
            return None


class Pipeline:
    """One pipeline in memory; see `studio.families.Model`."""

    def __init__(
        self,
        pipe: Any,
        spec: Spec,
        device: str,
        placement: str,
        enlarge: Enlarger,
        ways: tuple[str, ...] = (),
    ) -> None:
        """`pipe` draws from text, on `device` as `placement` says; `ways` is what `hasten` did."""
        self._pipe = pipe
        self._role = _DRAWS
        self._spec = spec
        self._device = device
        self._placement = placement
        self._enlarge = enlarge
        self._ways = ways
        self._decoding = Decoding()
        self._embeddings = Embeddings()
        #: The most orders that could be drawn in one call, where that was found to be fewer.
        self._together: dict[tuple[Any, ...], int] = {}
        # Elsewhere than on the device the decoder would be moved about for each.
        self._previews = placement == "full" and getattr(pipe, "vae", None) is not None
        self._takes = inspect.signature(pipe.__call__).parameters

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """One image draft per order, `pixels` uint8 (height, width, 3); for a walk one film.

        Raises:
            InvalidRequest: if the pipeline refuses the request.
            Unavailable: if the model computes no numbers.
            Refused: if the model's own safety checker withholds a picture.
        """
        if batch[0].task in WALKS:
            return films(batch, progress, self._pictures)
        return self._pictures(batch, progress)

    def _pictures(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        most = int(self._spec.options.get("batch", 1))
        groups = deque(_groups(batch, most, self._together))
        before, done = 0, 0
        while groups:
            group = groups.popleft()
            total = done + sum(steps_of(each[0])[1] for each in (group, *groups))
            self._become(group[0].task)
            follower = Follower(
                progress,
                steps=steps_of(group[0])[1],
                done=done,
                total=total,
                before=before,
                after=len(batch) - before - len(group),
                look=partial(self.preview, request=group[0].request) if self._previews else None,
            )
            try:
                drawn = self._draw(group, follower)
            except OutOfMemory:
                if len(group) == 1:
                    raise
                drawn = None
            if drawn is None:
                if progress.make_room():
                    groups.appendleft(group)
                    continue
                half = -(-len(group) // 2)
                self._together[_shape(group[0])] = half
                groups.extendleft((group[half:], group[:half]))
                continue
            pictures, flags = drawn
            before += len(group)
            done += follower.steps
            for order, picture, flagged in zip(group, pictures, flags, strict=True):
                if flagged:
                    raise Refused(
                        "The model's own safety checker withheld the picture.",
                        hint="Change the prompt or the seed.",
                    )
                pixels = self._finish(picture, order)
                yield Draft("image", order.index, order.seed, {"pixels": pixels}, self._facts())

    def unload(self) -> None:
        """Free the weights and give the memory back to the system."""
        self._pipe.remove_all_hooks()
        del self._pipe, self._enlarge
        give_back()

    def _facts(self) -> dict[str, Any]:
        """What was done that changes the picture a little, if anything was."""
        done = {
            "decoded in tiles": self._decoding.tiled,
            "weights in 8 bits": self._placement == "quantised",
        }
        names = [*(name for name in done if done[name]), *self._ways]
        return {"made with": names} if names else {}

    def _become(self, task: str) -> None:
        """Turn the pipeline into the library's own for `task`; its parts in memory stay."""
        role = _ROLES.get(task, _DRAWS)
        if role == self._role:
            return
        try:
            pipe = getattr(diffusers, role).from_pipe(self._pipe)
        except ValueError:
            raise InvalidRequest(
                f"{self._spec.name} cannot do {task}: there is no pipeline of its kind for it.",
                hint="Choose another model for it.",
            ) from None
        pipe.set_progress_bar_config(disable=True)
        if self._placement == "model-offload":
            # The parts' hooks belong to the pipeline that was there before.
            with memory_errors(self._spec.name):
                place(pipe, self._device, self._placement)
        self._pipe, self._role = pipe, role
        self._takes = inspect.signature(pipe.__call__).parameters

    def _draw(
        self, group: Sequence[Order], follower: Follower
    ) -> tuple[NDArray[np.float32], Sequence[bool]]:
        """Pictures of the group, float32 (n, height, width, 3) in [0, 1], and who was flagged."""
        with (
            calling(self._pipe, self._spec),
            follower.hooks(self._pipe, self._takes) as hooks,
            self._decoding.of(self._pipe, follower.make_room),
            self._embeddings.of(self._pipe),
            setting(self._pipe, group, _drawn_size(self._spec, group[0].request)),
        ):
            made = self._pipe(**self._arguments(group), **hooks)
        if not np.isfinite(made.images).all():
            raise no_numbers(self._spec.name)
        flags = getattr(made, "nsfw_content_detected", None) or [False] * len(group)
        return made.images, flags

    def _arguments(self, group: Sequence[Order]) -> dict[str, Any]:
        first, options = group[0].request, self._spec.options
        width, height = _drawn_size(self._spec, first)
        arguments = {
            "prompt": [order.request["prompt"] for order in group],
            "width": width,
            "height": height,
            "num_inference_steps": steps_of(group[0])[0],
            options.get("guidance", "guidance_scale"): first["guidance"],
            "generator": [torch.Generator("cpu").manual_seed(order.seed) for order in group],
            "output_type": "np",
            **options.get("arguments", {}),
        }
        arguments |= given(group, (width, height))
        negative = self._takes.get("negative_prompt")
        # A card may have one for where a person has none.
        text = first.get("negative_prompt") or arguments.get("negative_prompt")
        if negative is not None and text:
            # A list, except where the library's own signature says that it must be one text.
            one = isinstance(negative.default, str)
            arguments["negative_prompt"] = text if one else [text] * len(group)
        return {name: value for name, value in arguments.items() if name in self._takes}

    def _finish(self, picture: NDArray[np.float32], order: Order) -> NDArray[np.uint8]:
        """The picture as 8-bit pixels of exactly the size that was asked for.

        An inpainting has its picture's size: what was asked for is how large the model draws.
        """
        pixels = self._enlarge((picture * 255).round().astype(np.uint8))
        width, height = int(order.request["width"]), int(order.request["height"])
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        pixels = np.ascontiguousarray(pixels[top : top + height, left : left + width])
        return put_back(pixels, order) if order.task == "inpainting" else pixels

    def preview(self, latents: torch.Tensor, request: Mapping[str, Any]) -> list[Preview] | None:
        """A small picture of each latent, or None where latents are of a kind not known here."""
        pipe = self._pipe
        if latents.ndim == 3 and hasattr(pipe, "_unpack_latents"):
            width, height = _drawn_size(self._spec, request)
            latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
        if latents.ndim != 4:
            return None
        return small_pictures(pipe, latents)


def _for_text_to_image(pipe: Any) -> Any:
    """The model's own pipeline for this task, where its folder names one that edits pictures."""
    if "image" not in inspect.signature(pipe.__call__).parameters:
        return pipe
    # The library loads its classes when they are named; this one loads every pipeline there is.
    return diffusers.AutoPipelineForText2Image.from_pipe(pipe)


def _drawn_size(spec: Spec, request: Mapping[str, Any]) -> tuple[int, int]:
    """The width and height that the model draws."""
    factor, grid = int(spec.options.get("upscale", 1)), int(spec.options.get("grid", 8))
    width, height = (
        -(-int(request[side]) // (factor * grid)) * grid for side in ("width", "height")
    )
    return width, height


def _groups(
    batch: Sequence[Order], most: int, together: Mapping[tuple[Any, ...], int]
) -> Iterator[list[Order]]:
    """The batch cut into calls: neighbours that differ in words and seed only, `most` at once,
    or as many as `together` says for their shape."""
    group: list[Order] = []
    for order in batch:
        shape = _shape(order)
        if group and (len(group) == together.get(shape, most) or shape != _shape(group[0])):
            yield group
            group = []
        group.append(order)
    if group:
        yield group


def _shape(order: Order) -> tuple[Any, ...]:
    names = ("width", "height", "steps", "strength", "guidance", "negative_prompt")
    return order.task, *(order.request.get(name) for name in names)
