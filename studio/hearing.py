"""Hearing: where in a sound something is said, so that a listener can take it in piece by piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.draft import pieces
from studio.errors import InvalidRequest
from studio.mastering import SILENCE, Samples

#: Seconds of a frame, over which loudness is measured.
_FRAME = 0.02
#: Seconds of quiet that part two sayings; a shorter pause belongs to the words around it.
_PAUSE = 0.3
#: Seconds of quiet that a saying keeps at both ends, so that no soft sound is lost.
_MARGIN = 0.12
#: Seconds; what is shorter is a click.
_SHORTEST = 0.06


@dataclass(frozen=True)
class Span:
    """A part of a sound, in seconds."""

    begin: float
    end: float

    def of(self, samples: Samples, rate: int) -> Samples:
        """That part of the sound, float32 (samples, channels)."""
        return samples[round(self.begin * rate) : round(self.end * rate)]


def sayings(samples: Samples, rate: int, longest: float) -> list[Span]:
    """The parts of a sound between its pauses, each `longest` seconds at most; none for silence.

    What goes on for longer without a pause is cut where it is quietest.

    Raises:
        InvalidRequest: if a sample is not a finite number.
    """
    loudness = _loudness(samples, rate)
    if not len(loudness):
        return []
    low, high = np.quantile(loudness, (0.1, 0.95))
    # Of a sound with noise in it, quiet is what is little louder than its quietest tenth.
    quiet = max(SILENCE, min(2 * low, high / 10))
    length = len(samples) / rate
    found: list[Span] = []
    for begin, end in _runs(loudness > quiet, round(_PAUSE / _FRAME)):
        if (end - begin) * _FRAME < _SHORTEST:
            continue
        for first, last in _cut(loudness, begin, end, int((longest - 2 * _MARGIN) / _FRAME)):
            before = found[-1].end if found else 0.0
            found.append(
                Span(max(before, first * _FRAME - _MARGIN), min(length, last * _FRAME + _MARGIN))
            )
    return found


def joined(spans: list[Span], longest: float) -> list[Span]:
    """The spans, as many in each as `longest` seconds hold."""
    found: list[Span] = []
    for span in spans:
        if found and span.end - found[-1].begin <= longest:
            span = Span(found.pop().begin, span.end)
        found.append(span)
    return found


def _loudness(samples: Samples, rate: int) -> NDArray[np.float64]:
    """The root mean square of each frame of the loudest channel; a rest at the end is left out."""
    size = max(1, round(_FRAME * rate))
    # In pieces of half a minute, so that a sound of hours takes no more memory than a short one.
    parts = [np.zeros(0)]
    for piece in pieces(samples, 1500 * size):
        whole = len(piece) // size
        frames = np.asarray(piece[: whole * size], np.float64).reshape(
            whole, size, samples.shape[1]
        )
        parts.append(np.sqrt((frames**2).mean(axis=1)).max(axis=-1))
    loudness = np.concatenate(parts)
    if not np.isfinite(loudness).all():
        raise InvalidRequest("The sound holds values that are no numbers.")
    return loudness


def _runs(heard: NDArray[np.bool_], pause: int) -> list[tuple[int, int]]:
    """Where something is heard, from and to which frame; pauses of fewer frames are passed over."""
    frames = np.flatnonzero(heard)
    if not len(frames):
        return []
    breaks = np.flatnonzero(np.diff(frames) > pause)
    begins = [frames[0], *frames[breaks + 1]]
    ends = [*frames[breaks], frames[-1]]
    return [(int(begin), int(end) + 1) for begin, end in zip(begins, ends, strict=True)]


def _cut(loudness: NDArray[np.float64], begin: int, end: int, most: int) -> list[tuple[int, int]]:
    """A run in parts of at most so many frames."""
    parts = []
    while end - begin > most:
        half = begin + most // 2
        place = half + int(loudness[half : begin + most].argmin())
        parts.append((begin, place))
        begin = place
    return [*parts, (begin, end)]
