"""Larger pictures and films: what is the same however each picture becomes larger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.draft import Array, Draft, blank_frames, with_sound
from studio.errors import InvalidRequest

Pixels = NDArray[np.uint8]
#: Is told which share of the work is done.
Tell = Callable[[float], None]
#: uint8 RGB (height, width, 3), and a width and a height → the picture of that size.
Draw = Callable[[Pixels, tuple[int, int], Tell], Pixels]

#: The longest side in pixels that a picture and a film can have.
_LONGEST = {"image": 8192, "video": 4096}


def enlarged(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], draw: Draw, tell: Tell
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The request's picture or film, wider and higher by its `factor`, as a draft's arrays and
    facts; a film keeps its sound and has an even number of pixels each way.

    Raises:
        InvalidRequest: if a side would be longer than it can be.
    """
    ((kind, given),) = inputs.items()
    if kind == "image":
        pixels = np.asarray(given.arrays["pixels"])
        size = _size(kind, pixels.shape[:2], float(request["factor"]), 1)
        drawn = draw(np.ascontiguousarray(pixels[..., :3]), size, tell)
        if pixels.shape[2] == 4:
            # How much of it is seen is no part of what it shows.
            seen = cv2.resize(pixels[..., 3], size, interpolation=cv2.INTER_CUBIC)
            drawn = np.dstack([drawn, seen])
        return {"pixels": drawn}, {}
    shown = given.arrays["frames"]
    width, height = _size(kind, shown.shape[1:3], float(request["factor"]), 2)
    frames = blank_frames(len(shown), height, width)
    for number, place in enumerate(frames):
        before = number / len(frames)

        def further(share: float, before: float = before) -> None:
            tell(before + share / len(frames))

        place[:] = draw(np.ascontiguousarray(shown[number]), (width, height), further)
    return with_sound(given, frames, given.facts["fps"])


def filtered(pixels: Pixels, size: tuple[int, int], tell: Tell) -> Pixels:
    """The picture in another size by a filter: Lanczos', or the mean over what becomes smaller."""
    way = cv2.INTER_AREA if size[0] < pixels.shape[1] else cv2.INTER_LANCZOS4
    drawn = cv2.resize(pixels, size, interpolation=way)
    tell(1.0)
    return np.asarray(drawn, np.uint8)


def _size(kind: str, shape: tuple[int, ...], factor: float, step: int) -> tuple[int, int]:
    height, width = (round(side * factor / step) * step for side in shape)
    longest = _LONGEST[kind]
    if max(width, height) > longest:
        raise InvalidRequest(
            f"factor: it would be {width} × {height} pixels; {longest} is the longest side.",
            hint=f"At most {longest / max(shape):.2f} times as large, then.",
        )
    return width, height
