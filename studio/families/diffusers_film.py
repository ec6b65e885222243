"""Frames on their way into and out of diffusers' pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from numpy.typing import NDArray
from PIL import Image, ImageOps

from studio.families.diffusers_steps import small_pictures
from studio.job import Preview


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
