"""The film mark: the picture mark's texture, standing still while the film moves behind it.

A codec spends bits on what changes. So the texture is the same in every frame of a group, weighted
by how much the group as a whole hides at each place, and only as strong as the group needs: what
moves behind a still texture averages out over frames, and a faint one is enough. The strength is
predicted, not tried: the residual of a marked frame is close to its own residual plus the texture
times the gain that `canvas.suppressed` had there.

Reading adds up the residuals of frames from all over the film and reads the sum as one picture.
There is nothing to synchronise, so trimming and other frame rates change nothing; and whatever
turns or scales every frame alike is found as it is in pictures.

A film's number is the weakest of the marks: `scripts/attack_film.py` shows that H.264 at crf 28
mostly leaves it readable at full size but seldom at half size, and that at crf 23 the texture costs
1.2 to 2.2 times the bits. So the seal reads it back from the finished file, and a manifest names it
only if that worked. A wrong number is as unlikely as in a picture, whose code and check it has.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from studio.draft import Draft, pieces
from studio.provenance.marks import Found, Marked, MarkKey
from studio.provenance.marks.canvas import (
    Pixels,
    canonical,
    hiding,
    luma_of,
    psnr_between,
    residual,
    suppressed,
)
from studio.provenance.marks.code import PAYLOAD_BITS
from studio.provenance.marks.image import SMALLEST_SIDE, ImageMark
from studio.provenance.marks.lattice import Floats, as_halved
from studio.tasks.request import Kind

#: Frames that share one texture; so many are in memory at once.
GROUP = 32
#: Every which frame of a group is looked at before it is marked.
_LOOK = 4
#: Strengths to choose from, faintest first, as the noise of a fully textured frame in dB.
LADDER = (41.0, 40.0)
#: Correlation that the weakest quarter of every group should have before it is compressed.
WANTED_MARGIN = 14.0
#: Frames that are added up: at once, and in a thorough search.
_READ_FAST, _READ = 48, 192


@dataclass(frozen=True)
class _Texture:
    """What is added to every frame of a group."""

    #: Brightness, shape (height, width) of the frames.
    values: Floats
    margin: float


class FilmMark:
    """The studio's own mark for films; see `marks.Mark`."""

    alg = "org.colophon.lattice.film.v1"
    kind: Kind = "video"
    bits = PAYLOAD_BITS

    def __init__(self, keys: Sequence[MarkKey]) -> None:
        self._still = ImageMark(keys)
        self._key = keys[0].id

    def embed(self, draft: Draft, payload: int) -> Marked:
        """`draft` with `payload` (below 2**48) in its frames.

        Mapped frames are marked into a file beside theirs, a group at a time, and mapped again.
        """
        frames = draft.arrays["frames"]
        margins, noises = [], []

        def marking() -> Iterator[Pixels]:
            waiting = itertools.chain.from_iterable(pieces(frames, GROUP))
            for group, texture in self._textured(waiting, payload):
                margins.append(texture.margin)
                for frame in group:
                    marked = _laid_on(frame, texture)
                    noises.append(psnr_between(frame, marked))
                    yield marked

        if isinstance(frames, np.memmap):
            place = Path(str(frames.filename)).with_name("marked.npy")
            # Written, not mapped: a full disk is then an error and not the end of this process.
            with place.open("wb") as file:
                header = np.lib.format.header_data_from_array_1_0(frames)
                np.lib.format.write_array_header_1_0(file, header)
                for frame in marking():
                    file.write(frame.data)
            marked: Pixels = np.load(place, mmap_mode="r", allow_pickle=False)
        else:
            marked = np.stack(list(marking()))
        margin = min(margins)
        return Marked(
            draft=replace(draft, arrays={**draft.arrays, "frames": marked}),
            key=self._key,
            psnr=round(min(noises), 2),
            margin=round(margin, 2),
            weak=margin < WANTED_MARGIN or min(frames.shape[1:3]) < SMALLEST_SIDE,
        )

    def stream(self, frames: Iterable[Pixels], payload: int) -> Iterator[Pixels]:
        """Each of `frames`, uint8 (height, width, 3), marked; holds `GROUP` of them at a time."""
        for group, texture in self._textured(frames, payload):
            for frame in group:
                yield _laid_on(frame, texture)

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        """The number in frames taken evenly from `draft`; `thorough` takes more of them."""
        frames = draft.arrays["frames"]
        step = -(-len(frames) // (_READ if thorough else _READ_FAST))
        return self.read(frames[::step], thorough=thorough)

    def read(self, frames: Iterable[Pixels], *, thorough: bool) -> Found | None:
        """The number in all of `frames`, of which one is held at a time; None if there are none."""
        total: Floats | None = None
        for frame in frames:
            rest = as_halved(residual(frame))
            total = rest if total is None else total + rest
        return None if total is None else self._still.read(total, thorough=thorough)

    def _textured(
        self, frames: Iterable[Pixels], payload: int
    ) -> Iterator[tuple[tuple[Pixels, ...], _Texture]]:
        waiting = iter(frames)
        while group := tuple(itertools.islice(waiting, GROUP)):
            yield group, self._texture(group[::_LOOK], payload)

    def _texture(self, seen: Sequence[Pixels], payload: int) -> _Texture:
        """The faintest texture of the ladder that reads well enough from the frames `seen`."""
        planes = [canonical(luma_of(frame)[0]) for frame in seen]
        weight = np.mean([hiding(plane) for plane in planes], axis=0, dtype=np.float32)
        pattern = self._still.tiles(payload, planes[0].shape) * weight
        pattern /= float(np.sqrt(np.mean(np.square(pattern))))
        parts = [suppressed(plane) for plane in planes]
        rest = np.mean([rest for rest, _ in parts], axis=0, dtype=np.float32)
        seen_pattern = pattern * np.mean([gain for _, gain in parts], axis=0, dtype=np.float32)
        for psnr in LADDER:
            strength = 255 * 10 ** (-psnr / 20)
            margin = self._still.margin(as_halved(rest + strength * seen_pattern), payload)
            if margin >= WANTED_MARGIN:
                break
        size = seen[0].shape[1::-1]
        values = cv2.resize(pattern * strength, size, interpolation=cv2.INTER_CUBIC)
        return _Texture(np.asarray(values, np.float32), margin)


def _laid_on(frame: Pixels, texture: _Texture) -> Pixels:
    shifted = frame + texture.values[..., None]
    return np.clip(np.rint(shifted, out=shifted), 0, 255, out=shifted).astype(np.uint8)
