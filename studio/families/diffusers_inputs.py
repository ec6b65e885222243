"""How the diffusers family works on given pictures, and between two prompts.

Pictures come from the order's spooled inputs, are brought to the size that the model draws, and go
to the library as Pillow images. What the mask leaves alone is put back bit by bit.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from studio.draft import Draft
from studio.families import Order

Pixels = NDArray[np.uint8]


def steps_of(order: Order, strength: float | None = None) -> tuple[int, int]:
    """How many steps to plan for an order, and how many of them a given picture leaves to make.

    `strength` is the request's own, unless it is given.
    """
    steps = int(order.request["steps"])
    strength = float(order.request.get("strength", 1.0)) if strength is None else strength
    # At least one must be left, or the library refuses.
    planned = max(steps, math.ceil(1 / strength))
    return planned, min(int(planned * strength), planned)


def given(group: Sequence[Order], size: tuple[int, int]) -> dict[str, Any]:
    """What a call takes beside the words: the group's pictures and masks, drawn at `size`.

    A picture to edit is cut about its middle to the shape of `size` (width, height); one to paint
    in is taken whole, for what is painted has to fit back into it.
    """
    first = group[0]
    match first.task:
        case "image-to-image" | "image-morphing":
            return {
                "strength": first.request["strength"],
                "image": [
                    ImageOps.fit(picture_of(one), size, Image.Resampling.LANCZOS) for one in group
                ],
            }
        case "inpainting":
            return {
                "strength": first.request["strength"],
                "image": [
                    picture_of(order).resize(size, Image.Resampling.LANCZOS) for order in group
                ],
                "mask_image": [_touched(order, size) for order in group],
            }
        case _:
            return {}


def setting(
    pipe: Any, group: Sequence[Order], size: tuple[int, int]
) -> AbstractContextManager[None]:
    """What has to be arranged around a call of `pipe`, which draws at `size`, for the task."""
    match group[0].task:
        case "inpainting":
            return _masking(pipe)
        case "latent-walk":
            return _walking(pipe, group)
        case "image-morphing":
            return _morphing(pipe, group, size)
        case _:
            return nullcontext()


def put_back(drawn: Pixels, order: Order) -> Pixels:
    """`drawn`, brought to the picture's size, inside the mask; outside it, the picture as it was.

    Where the picture is transparent the result is too: its alpha stays outside the mask, and
    what is painted is opaque.
    """
    original = np.asarray(Draft.unspool(order.inputs["image"]).arrays["pixels"])
    height, width, depth = original.shape
    image = Image.fromarray(drawn).resize((width, height), Image.Resampling.LANCZOS)
    if depth == 4:
        image.putalpha(255)
    return np.where(_mask(order)[..., None] >= 128, np.asarray(image), original)


@contextmanager
def _masking(pipe: Any) -> Iterator[None]:
    """While this lasts, `pipe` paints under a mask whatever number of channels its latents have.

    The library takes a UNet with four input channels for one that knows no masks, and refuses
    all others but nine; it goes by nothing but the number in the UNet's configuration.
    """
    unet: Any = getattr(pipe, "unet", None)
    if unet is None or unet.config.in_channels != pipe.vae.config.latent_channels:
        yield
        return
    channels = unet.config.in_channels
    unet.register_to_config(in_channels=4)
    try:
        yield
    finally:
        unet.register_to_config(in_channels=channels)


@contextmanager
def _walking(pipe: Any, group: Sequence[Order]) -> Iterator[None]:
    """While this lasts, `pipe` draws each order between its two prompts and its two noises.

    The walk begins as the first prompt with the request's seed would, and ends as the second
    prompt with the last output's seed. In between, embeddings and all noise turn on a sphere, where
    they keep the length that the model expects. Works on whatever a pipeline's own
    `encode_prompt` and `prepare_latents` return.
    """
    last, shares = _places(group)
    prompts = [str(order.request["prompt_2"]) for order in group]
    begin, end = _generators(group, [0] * len(group)), _generators(group, last)
    pipe.encode_prompt = _between(pipe.encode_prompt, shares, {}, {"prompt": prompts})
    pipe.prepare_latents = _between(
        pipe.prepare_latents, shares, {"generator": begin}, {"generator": end}
    )
    try:
        with _noise_between(pipe, shares, begin, end):
            yield
    finally:
        # The library's own methods, which these had hidden.
        del pipe.encode_prompt, pipe.prepare_latents


@contextmanager
def _morphing(pipe: Any, group: Sequence[Order], size: tuple[int, int]) -> Iterator[None]:
    """While this lasts, `pipe` redraws each order from between its two pictures.

    What is mixed are the pictures' latents with the same noise on both, at the strength's step: the
    model draws one picture from it, where a mixture of pixels would show both.
    """
    _, shares = _places(group)
    ends = [
        ImageOps.fit(picture_of(one, "image_2"), size, Image.Resampling.LANCZOS) for one in group
    ]
    other = pipe.image_processor.preprocess(ends, height=size[1], width=size[0])
    begin, end = (_generators(group, [0] * len(group)) for _ in range(2))
    pipe.prepare_latents = _between(
        pipe.prepare_latents, shares, {"generator": begin}, {"generator": end, "image": other}
    )
    try:
        with _noise_between(pipe, shares, begin, end):
            yield
    finally:
        # The library's own method, which this one had hidden.
        del pipe.prepare_latents


def _places(group: Sequence[Order]) -> tuple[list[int], list[float]]:
    """The last place of each order's walk, and how far along it the order is, in [0, 1]."""
    lasts = [int(order.request["count"]) - 1 for order in group]
    return lasts, [order.index / last for order, last in zip(group, lasts, strict=True)]


def _generators(group: Sequence[Order], places: Sequence[int]) -> list[torch.Generator]:
    """For each order the noise of its walk's output at a place."""
    seeds = [int(one.request["seed"]) + place for one, place in zip(group, places, strict=True)]
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


@contextmanager
def _noise_between(
    pipe: Any,
    shares: Sequence[float],
    begin: list[torch.Generator],
    end: list[torch.Generator],
) -> Iterator[None]:
    """While this lasts, what noise `pipe`'s scheduler adds in its steps lies between two noises.

    Some schedulers add none. Where each picture of a walk had noise of its own, it would have
    nothing in common with the next one. A process runs one pipeline at a time, so that its
    scheduler's module is nobody else's.
    """
    module = sys.modules[type(pipe.scheduler).__module__]
    own = getattr(module, "randn_tensor", None)
    if own is None:
        yield
        return

    def between(shape: Any, generator: Any = None, **more: Any) -> torch.Tensor:
        here, there = (own(shape, generator=one, **more) for one in (begin, end))
        return _slerp(here, there, shares)  # type: ignore[no-any-return]

    module.randn_tensor = between  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.randn_tensor = own  # type: ignore[attr-defined]


def picture_of(order: Order, field: str = "image") -> Image.Image:
    """The picture in `field` of `order`, in RGB; what is transparent lies on white."""
    image = Image.fromarray(np.asarray(Draft.unspool(order.inputs[field]).arrays["pixels"]))
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _mask(order: Order) -> Pixels:
    """Where to paint: uint8 (height, width) of the picture's size, 255 where it may change."""
    return np.asarray(Draft.unspool(order.inputs["mask"]).arrays["mask"])


def _touched(order: Order, size: tuple[int, int]) -> Image.Image:
    """The mask at `size`, with whatever it touches: a thin stroke must not vanish."""
    small = Image.fromarray(_mask(order)).resize(size, Image.Resampling.BOX)
    return small.point(lambda value: 255 if value else 0)


def _between(
    method: Callable[..., Any],
    shares: Sequence[float],
    here: Mapping[str, Any],
    there: Mapping[str, Any],
) -> Callable[..., Any]:
    """`method` called twice, with the arguments `here` and `there`, and what lies between."""
    signature = inspect.signature(method)

    def call(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named).arguments
        more = bound.pop("kwargs", {})
        begin = method(**{**bound, **more, **here})
        end = method(**{**bound, **more, **there})
        if isinstance(begin, torch.Tensor):
            return _slerp(begin, end, shares)
        return tuple(_slerp(one, other, shares) for one, other in zip(begin, end, strict=True))

    return call


def _slerp(begin: Any, end: Any, shares: Sequence[float]) -> Any:
    """Each row of two tensors (n, …), turned from one towards the other by its share."""
    if not isinstance(begin, torch.Tensor) or torch.equal(begin, end):
        return begin
    rows = [_turned(*row) for row in zip(begin, end, shares, strict=True)]
    return torch.stack(rows)


def _turned(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    """The tensor that lies at `share` between two, on the arc and not on the chord."""
    if share in (0.0, 1.0):
        # Exactly what it would be without a walk.
        return other if share else one
    if not one.is_floating_point():
        return torch.maximum(one, other)  # which words count: those of either prompt
    here, there = one.float(), other.float()
    angle = torch.arccos(
        (here.flatten() @ there.flatten() / here.norm() / there.norm()).clamp(-1, 1)
    )
    if not angle > 1e-3:  # or no number, where one of them is nought
        return torch.lerp(one, other, share)
    arc = torch.sin((1 - share) * angle) * here + torch.sin(share * angle) * there
    return (arc / torch.sin(angle)).to(one.dtype)
