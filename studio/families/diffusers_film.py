"""Frames on their way into and out of diffusers' pipelines: which, how many, of what size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from numpy.typing import NDArray
from PIL import Image, ImageOps

from studio.draft import Array, Draft, blank_frames
from studio.families import Order, Spec
from studio.families.diffusers_enlarge import Enlarger
from studio.families.diffusers_steps import small_pictures
from studio.job import Preview


def drawn_frames(spec: Spec, order: Order) -> int:
    """How many frames the model draws: the least that it can that are enough."""
    rule = spec.options.get("frames", {})
    step, plus = int(rule.get("step", 1)), int(rule.get("plus", 0))
    enough = max(_asked(order), int(rule.get("least", 1)))
    return -(-max(enough - plus, 0) // step) * step + plus


def drawn_size(spec: Spec, request: Mapping[str, Any]) -> tuple[int, int]:
    """The width and height that the model draws."""
    factor, grid = int(spec.options.get("upscale", 1)), int(spec.options.get("grid", 8))
    width, height = (-(-side // (factor * grid)) * grid for side in _asked_size(request))
    return width, height


def pictures_of(order: Order) -> list[Image.Image]:
    """What the order's film shows at the moments of the frames that are asked for."""
    given = Draft.unspool(order.inputs["video"])
    rate, fps = float(given.facts["fps"]), int(order.request["fps"])
    frames = _at_rate(given.arrays["frames"], rate, fps, _asked(order))
    return [Image.fromarray(np.asarray(frame)) for frame in frames]


def last_frames(order: Order, count: int) -> list[Image.Image]:
    """The last `count` pictures of the order's film at the rate that is asked for; the last alone
    of a film that has fewer."""
    given = Draft.unspool(order.inputs["video"])
    frames, rate = given.arrays["frames"], float(given.facts["fps"])
    apart = rate / int(order.request["fps"])
    places = [round(len(frames) - 1 - apart * back) for back in reversed(range(count))]
    return [Image.fromarray(np.asarray(frames[at])) for at in (places if places[0] >= 0 else [-1])]


def finished(
    frames: NDArray[np.uint8], enlarge: Enlarger, order: Order, known: int
) -> NDArray[np.uint8]:
    """As many frames as were asked for, of exactly the size that was asked for; of the `known` ones
    that a film begins with, only one was."""
    frames = frames[: _asked(order) + known - 1]
    if enlarge.factor > 1:
        count, height, width = frames.shape[:3]
        large = np.empty((count, height * enlarge.factor, width * enlarge.factor, 3), np.uint8)
        for place, frame in zip(large, frames, strict=True):
            place[:] = enlarge(frame)
        frames = large
    width, height = _asked_size(order.request)
    top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
    return np.ascontiguousarray(frames[:, top : top + height, left : left + width])


def extended(
    order: Order, drawn: NDArray[np.uint8], known: int
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The order's film with what was `drawn` after it, as a draft's arrays and facts.

    It keeps its size and its sound; of the two rates it has the higher one. The `known` frames that
    were drawn first are the film's last ones once more, and are left out.
    """
    film, fps = Draft.unspool(order.inputs["video"]), int(order.request["fps"])
    given, own = film.arrays["frames"], float(film.facts["fps"])
    rate = max(own, fps)
    before, after = (
        round(count / each * rate) for count, each in ((len(given), own), (len(drawn) - known, fps))
    )
    height, width = given.shape[1:3]
    frames = blank_frames(before + after, height, width)
    for frame, shown_then in zip(frames, _at_rate(given, own, rate, before), strict=False):
        frame[:] = shown_then
    for frame, new in zip(frames[before:], _at_rate(drawn[known:], fps, rate, after), strict=True):
        frame[:] = ImageOps.fit(Image.fromarray(new), (width, height), Image.Resampling.LANCZOS)
    arrays: dict[str, Array] = {"frames": frames}
    facts: dict[str, Any] = {"fps": rate}
    if "samples" in film.arrays:
        heard, facts["rate"] = film.arrays["samples"], int(film.facts["rate"])
        length = round(len(frames) / rate * facts["rate"])
        arrays["samples"] = np.zeros((length, heard.shape[1]), np.float32)
        arrays["samples"][: len(heard)] = heard[:length]
    return arrays, facts


def film_of(
    pictures: Sequence[Image.Image], count: int, size: tuple[int, int]
) -> list[Image.Image]:
    """`count` frames of `size` (width, height), cut about their middles; the last one stays."""
    fitted = [ImageOps.fit(one, size, Image.Resampling.LANCZOS) for one in pictures[:count]]
    return fitted + fitted[-1:] * (count - len(fitted))


@contextmanager
def eight_bits(pipe: Any) -> Iterator[list[NDArray[np.uint8]]]:
    """While this lasts, decoded films land in the list as uint8 (n, height, width, 3).

    Every film pipeline of the library hands its decoded values to `postprocess_video`, whose own
    way goes by float32 pictures of the whole film. A film with values that are no numbers is left
    out.
    """
    films: list[NDArray[np.uint8]] = []

    def process(video: torch.Tensor, output_type: str = "np") -> None:
        for film in video:
            count, height, width = film.shape[1:]
            frames = np.empty((count, height, width, 3), np.uint8)
            for place, frame in zip(frames, film.unbind(1), strict=True):
                values = frame.float()
                if not values.isfinite().all():
                    return
                colours = ((values / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
                place[:] = colours.permute(1, 2, 0).cpu().numpy()
            films.append(frames)

    pipe.video_processor.postprocess_video = process
    try:
        yield films
    finally:
        # The library's own method, which this one had hidden.
        del pipe.video_processor.postprocess_video


def shown(pipe: Any) -> bool:
    """Whether `look` can make anything of this pipeline's latents."""
    return isinstance(pipe.vae, AutoencoderKL | AutoencoderTiny)


def look(pipe: Any, latents: torch.Tensor) -> list[Preview] | None:
    """A small picture of each film's middle, from latents (n, channels, frames, height, width)."""
    return small_pictures(pipe, latents[:, :, latents.shape[2] // 2])


def _asked(order: Order) -> int:
    """How many frames are to be drawn at least; of another film, no more than that has."""
    fps = int(order.request["fps"])
    count = max(1, round(float(order.request["duration"]) * fps))
    match order.task:
        case "video-extension":
            return max(2, count)
        case "video-to-video":
            given = Draft.unspool(order.inputs["video"])
            seconds = len(given.arrays["frames"]) / float(given.facts["fps"])
            return max(1, min(count, round(seconds * fps)))
        case _:
            return count


def _asked_size(request: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of the film."""
    return int(request["width"]), int(request["height"])


def _at_rate(frames: Array, own: float, rate: float, count: int) -> Iterator[Array]:
    """`count` frames at `rate` a second, each the one that is shown then at its `own` rate."""
    for place in range(count):
        # The little more is for rates that binary fractions cannot hold.
        yield frames[min(int(place / rate * own + 1e-6), len(frames) - 1)]
