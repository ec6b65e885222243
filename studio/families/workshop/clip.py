"""Tools for finished films: one picture of them, more per second, loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from studio import mastering
from studio.draft import Array, Draft, blank_frames, with_sound
from studio.errors import InvalidRequest

Pixels = NDArray[np.uint8]
Flow = NDArray[np.float32]

#: Between frames that differ by more than this on average, of 255, there is a cut, and no motion.
_CUT = 60
#: The part of a film that fades from its end into its beginning, and its most in seconds.
_FADED, _MOST_FADED = 1 / 3, 1.0
#: The shortest side in pixels that motion is looked for in.
_LEAST_SIDE = 32


def still(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The picture that the film shows at a moment, or its last one.

    Raises:
        InvalidRequest: if it has ended by then.
    """
    frames, at = inputs["video"].arrays["frames"], request["at"]
    place = len(frames) - 1
    if at is not None:
        # The little more is for rates that binary fractions cannot hold.
        place = int(at * float(inputs["video"].facts["fps"]) + 1e-6)
    if place >= len(frames):
        seconds = len(frames) / float(inputs["video"].facts["fps"])
        raise InvalidRequest(
            f"at: this film lasts {seconds:.1f} seconds.", hint="Choose an earlier moment."
        )
    return {"pixels": np.array(frames[place])}, {}


def interpolate(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """As long as before, with more frames; where an old one falls on a new one, it stays as it is.

    Motion is dense optical flow both ways (DIS, Kroeger et al. 2016): two neighbours are drawn
    along it to the moment in between, and blended. What one hides and the other shows gets
    blurred, which is the method's limit. Across a cut nothing is made up.

    Raises:
        InvalidRequest: if the film already has as many.
    """
    film = inputs["video"]
    given, before, fps = film.arrays["frames"], float(film.facts["fps"]), int(request["fps"])
    if fps <= before:
        raise InvalidRequest(
            f"fps: this film already has {before:g} frames per second.", hint="Ask for more."
        )
    frames = blank_frames(round(len(given) * fps / before), *given.shape[1:3])
    at, between = -1, _Between(given[0], given[0], moving=False)
    for place, frame in enumerate(frames):
        here, share = divmod(place * before / fps, 1)
        if int(here) != at:
            at = min(int(here), len(given) - 1)
            after = given[min(at + 1, len(given) - 1)]
            between = _Between(given[at], after, moving=request["way"] == "motion")
        frame[:] = between.at(share)
        tell(place / len(frames))
    return with_sound(film, frames, fps)


def loop(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """A film whose last frame leads to its first: there and back without sound, or faded over.

    Raises:
        InvalidRequest: if the film has fewer than three frames.
    """
    film, times = inputs["video"], int(request["times"])
    given, fps = film.arrays["frames"], float(film.facts["fps"])
    if len(given) < 3:
        raise InvalidRequest(
            f"video: it has {len(given)} frames, too few to go round.", hint="Take a longer film."
        )
    faded = 0
    if request["way"] == "crossfade":
        faded = max(1, min(int(len(given) * _FADED), round(_MOST_FADED * fps)))
        order = list(range(len(given) - faded))
    else:
        order = [*range(len(given)), *range(len(given) - 2, 0, -1)]
    frames = blank_frames(times * len(order), *given.shape[1:3])
    for place, frame in enumerate(frames):
        number = place % len(order)
        frame[:] = given[order[number]]
        if number < faded:
            ending, share = given[len(given) - faded + number], (number + 1) / (faded + 1)
            frame[:] = cv2.addWeighted(np.asarray(ending), 1 - share, frame, share, 0)
        tell(place / len(frames))
    if request["way"] == "there and back" or "samples" not in film.arrays:
        return {"frames": frames}, {"fps": film.facts["fps"]}
    rate = int(film.facts["rate"])
    samples = np.zeros(
        (round(len(given) / fps * rate), film.arrays["samples"].shape[1]), np.float32
    )
    heard = film.arrays["samples"][: len(samples)]
    samples[: len(heard)] = heard
    once = mastering.loop(samples, rate, faded / fps)
    arrays: dict[str, Array] = {"frames": frames, "samples": np.tile(once, (times, 1))}
    return arrays, {"fps": film.facts["fps"], "rate": rate}


class _Between:
    """Two neighbouring frames, and what lies between them."""

    def __init__(self, one: Array, other: Array, *, moving: bool) -> None:
        """`moving` says whether to follow what moves; across a cut nothing does."""
        self._one, self._other = np.asarray(one), np.asarray(other)
        self._cut = moving and float(cv2.absdiff(self._one, self._other).mean()) > _CUT
        self._there: Flow | None = None
        self._back: Flow | None = None
        # Smaller than its patches, it cannot be followed.
        if moving and not self._cut and min(one.shape[:2]) >= _LEAST_SIDE:
            grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (self._one, self._other)]
            flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            self._there = flow.calc(grey[0], grey[1], None)
            self._back = flow.calc(grey[1], grey[0], None)

    def at(self, share: float) -> Pixels:
        """The frame at `share` of the way from one to the other; at 0 it is the one itself."""
        if share == 0 or (self._cut and share < 0.5):
            return self._one
        if self._cut:
            return self._other
        one, other = self._one, self._other
        if self._there is not None and self._back is not None:
            one = _drawn(one, self._there * -share)
            other = _drawn(other, self._back * (share - 1))
        return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0), np.uint8)


def _drawn(frame: Pixels, flow: Flow) -> Pixels:
    """The frame with each pixel taken from where `flow` (height, width, 2) points to."""
    height, width = frame.shape[:2]
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    moved = cv2.remap(
        frame,
        columns + flow[..., 0],
        rows + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.uint8)
