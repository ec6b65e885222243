"""The picture mark: a 48-bit number as a faint repeating texture, without trained weights.

Embedding. The number becomes 352 signs (`code`), repeated over the 2 × carriers real and imaginary
parts of the lattice points (`lattice`), scrambled and turned by phases that the key decides. The
inverse transform of those points is one tile, laid over the whole canonical picture, weighted by
how much the picture hides at each place and scaled to a signal-to-noise ratio. Then the detector
itself reads the picture as a whole and in quarters; where a quarter reads too weakly, the mark is
made stronger, down to `FLOOR_PSNR`.

Detecting. The picture's own content is noise to the mark. A band-pass with clipping and division
by the local variance (the matched filter for noise whose strength varies from place to place)
suppresses most of it; whitening the spectrum does the rest. Then the points are read at the poses
that `lattice` proposes, the shift is found from the pilots, and the code is decoded. A reading
counts if its checksum is right and its correlation with the ideal mark is at least `THRESHOLD`.

Chance. One assumption: the key was drawn independently of the picture. Its sign flips are uniform,
and the code is linear, so the message decoded from any unmarked picture at any pose is uniform in
its checksum: each reading passes with a chance of exactly 2⁻³² (the threshold, which makes that
rarer still, is not counted). A full search makes at most `MOST_TRIES` readings, whatever the number
of keys: below 2 × 10⁻⁷ in all.

Marking again. A picture that already carries a mark of ours, such as an edit that kept most of its
pixels, would carry two on the same points. The old one is read first and taken out, place by place
as strongly as it is there; `Marked.psnr` then counts the removal too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.draft import Draft
from studio.provenance.marks import Found, Marked, MarkKey
from studio.provenance.marks.canvas import (
    Pixels,
    add,
    canonical,
    hiding,
    luma_of,
    psnr_between,
    residual,
    suppressed,
)
from studio.provenance.marks.code import CHECK_BITS, LENGTH, PAYLOAD_BITS, Code
from studio.provenance.marks.lattice import (
    PERIOD,
    Complexes,
    Floats,
    Lattice,
    Pose,
    Spectrum,
    as_halved,
    near,
)
from studio.tasks.request import Kind

#: Where the closed loop starts and ends, in dB.
FIRST_PSNR, FLOOR_PSNR = 40.25, 37.0
_PSNR_STEP = 0.75
#: Correlation that every quarter of a marked picture should have.
WANTED_MARGIN = 5.8
#: Correlation below which no reading counts.
THRESHOLD = 8.0
#: Pictures with a shorter side than this hold too few periods of the tile.
SMALLEST_SIDE = 256
#: Ratios of width to height, against the original, at which a thorough search looks.
_STRETCHES = (1.0, 0.9, 1 / 0.9, 0.95, 1 / 0.95)
#: Candidates that are decoded, each at nine places around it: at once, and per stretch.
_BEST_FAST, _BEST = 4, 12
#: Readings of one full search at most; each has a chance of 2 ** -CHECK_BITS to be wrong.
MOST_TRIES = 9 * (_BEST_FAST + _BEST * len(_STRETCHES))
#: How often an older mark is taken out at most, and over what square, in canonical pixels.
_REMOVALS, _REMOVAL_SIDE = 3, 129


class ImageMark:
    """The studio's own mark for pictures; see `marks.Mark`."""

    alg = "org.colophon.lattice.v1"
    kind: Kind = "image"
    bits = PAYLOAD_BITS

    def __init__(self, keys: Sequence[MarkKey]) -> None:
        self._lattice = Lattice()
        self._code = Code()
        # Newest first: it embeds, and all of them detect.
        self._keys = [_Scramble.of(key, self._lattice) for key in keys]

    def embed(self, draft: Draft, payload: int) -> Marked:
        """`draft` with `payload` (below 2**48) in its pixels, as strong as it needs to be."""
        pixels = draft.arrays["pixels"]
        scramble = self._keys[0]
        clean = self._without_mark(pixels)
        luma, opacity = luma_of(clean)
        plane = canonical(luma)
        pattern = self.tiles(payload, plane.shape) * hiding(plane)
        pattern = cv2.resize(pattern, luma.shape[::-1], interpolation=cv2.INTER_CUBIC) * opacity
        psnr = FIRST_PSNR
        while True:
            marked = add(clean, pattern, psnr)
            margin = self.margin(as_halved(residual(marked)), payload)
            if margin >= WANTED_MARGIN or psnr - _PSNR_STEP < FLOOR_PSNR:
                break
            psnr -= _PSNR_STEP
        return Marked(
            draft=replace(draft, arrays={**draft.arrays, "pixels": marked}),
            key=scramble.key,
            psnr=round(psnr_between(pixels, marked), 2),
            margin=round(margin, 2),
            weak=margin < WANTED_MARGIN or min(luma.shape) < SMALLEST_SIDE,
        )

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        """The number in `draft`'s pixels: at their own scale, or `thorough`ly at any."""
        return self.read(as_halved(residual(draft.arrays["pixels"])), thorough=thorough)

    def read(self, rest: Floats, *, thorough: bool) -> Found | None:
        """The number in a residual at half the canonical size."""
        spectrum = Spectrum.of(rest)
        found, tries = self._read(spectrum, [Pose(1.0, 0.0)], best=_BEST_FAST, tries=0)
        if found is not None or not thorough:
            return found
        for stretch in _STRETCHES:
            poses = self._lattice.search(spectrum, 24, stretch)
            found, tries = self._read(spectrum, poses, best=_BEST, tries=tries)
            if found is not None:
                return found
        return None

    def _without_mark(self, pixels: Pixels) -> Pixels:
        """`pixels` without the marks of ours that they carry upright and at their own scale."""
        for _ in range(_REMOVALS):
            found = self.detect(Draft("image", 0, 0, {"pixels": pixels}), thorough=False)
            if found is None:
                break
            scramble = next(s for s in self._keys if s.key == found.key)
            luma, opacity = luma_of(pixels)
            plane = canonical(luma)
            pattern = _tiles(self._tile(scramble, found.payload), plane.shape) * hiding(plane)
            rest, gain = suppressed(plane)
            seen = pattern * gain
            around = (_REMOVAL_SIDE, _REMOVAL_SIDE)
            # Least squares: how much of the pattern each neighbourhood contains.
            amount = cv2.blur(rest * seen, around) / (cv2.blur(np.square(seen), around) + 1e-9)
            pattern *= -np.maximum(amount, 0)
            pattern = cv2.resize(pattern, luma.shape[::-1], interpolation=cv2.INTER_CUBIC) * opacity
            changed = np.clip(np.rint(pixels[..., :3] + pattern[..., None]), 0, 255)
            pixels = np.dstack([changed.astype(np.uint8), pixels[..., 3:]])
        return pixels

    def _signs(self, scramble: _Scramble, payload: int) -> Floats:
        """What each carrier dimension should be, ±1, in the order of the code word."""
        return np.resize(self._code.encode(payload), scramble.order.size) * scramble.flips

    def tiles(self, payload: int, shape: tuple[int, ...]) -> Floats:
        """The newest key's mark over a canonical plane of `shape`, before weighting and scaling."""
        return _tiles(self._tile(self._keys[0], payload), shape)

    def _tile(self, scramble: _Scramble, payload: int) -> Floats:
        """One period of the mark, shape (PERIOD, PERIOD)."""
        signs = self._signs(scramble, payload)
        dimensions = np.empty_like(signs)
        dimensions[scramble.order] = signs
        points = np.empty(len(self._lattice.points), np.complex64)
        points[self._lattice.carriers] = dimensions.view(np.complex64)
        points[self._lattice.pilots] = np.sqrt(2)
        points *= scramble.phases
        waves = np.zeros((PERIOD, PERIOD), np.complex64)
        u, v = self._lattice.points.T
        waves[v, u] = points
        waves[-v, -u] = np.conj(points)
        return np.asarray(np.fft.ifft2(waves).real, np.float32)

    def margin(self, rest: Floats, payload: int) -> float:
        """How well the newest key's mark reads from the weakest quarter of a halved residual."""
        scramble = self._keys[0]
        signs = self._signs(scramble, payload)
        height, width = (n // 2 for n in rest.shape)
        margins = []
        for rows in (slice(None, height), slice(height, None)):
            for columns in (slice(None, width), slice(width, None)):
                spectrum = Spectrum.of(rest[rows, columns])
                samples = self._lattice.sample(spectrum, [Pose(1.0, 0.0)])
                _, soft = self._soft(samples, scramble)
                margins.append(float(_strength(soft, signs[None])[0]))
        return min(margins)

    def _soft(self, samples: Complexes, scramble: _Scramble) -> tuple[Floats, Floats]:
        """Pilot agreement and carrier dimensions in code order, for samples (readings, points)."""
        known = samples * np.conj(scramble.phases)
        agreement, undo = self._lattice.find_shift(known[:, self._lattice.pilots])
        carriers = np.ascontiguousarray((known * undo)[:, self._lattice.carriers], np.complex64)
        return agreement, carriers.view(np.float32)[:, scramble.order]

    def _read(
        self, spectrum: Spectrum, poses: list[Pose], best: int, tries: int
    ) -> tuple[Found | None, int]:
        """Read at the `best` of `poses`, in every symmetry and with every key, then around them."""
        candidates = []
        images = self._lattice.symmetric(self._lattice.sample(spectrum, poses))
        for scramble in self._keys:
            agreement, _ = self._soft(images.reshape(-1, images.shape[-1]), scramble)
            candidates += [(a, *divmod(n, 8), scramble) for n, a in enumerate(agreement.tolist())]
        candidates.sort(key=lambda candidate: -candidate[0])
        strongest: Found | None = None
        for _, place, symmetry, scramble in candidates[:best]:
            around = [
                near(poses[place], ds * 0.0008, np.deg2rad(da * 0.06))
                for ds in (0, -1, 1)
                for da in (0, -1, 1)
            ]
            samples = self._lattice.symmetric(self._lattice.sample(spectrum, around))
            _, soft = self._soft(samples[:, symmetry], scramble)
            payloads, strengths = self._decode(soft, scramble)
            tries += len(around)
            for pose, payload, strength in zip(around, payloads, strengths, strict=True):
                if payload is None or strength < max(
                    THRESHOLD, strongest.strength if strongest else 0
                ):
                    continue
                strongest = Found(
                    payload,
                    scramble.key,
                    round(strength, 2),
                    tries,
                    tries * 2.0**-CHECK_BITS,
                    _geometry(pose, symmetry),
                )
            if strongest is not None:
                break
        return strongest, tries

    def _decode(self, soft: Floats, scramble: _Scramble) -> tuple[list[int | None], list[float]]:
        """Payload and strength of each reading (readings, dimensions)."""
        clean = soft * scramble.flips
        clean = clean / (clean.std(axis=1, keepdims=True) + 1e-9)
        folded = clean[:, :LENGTH].copy()
        folded[:, : clean.shape[1] - LENGTH] += clean[:, LENGTH:]
        payloads = self._code.decode(folded)
        ideal = np.stack([self._signs(scramble, payload or 0) for payload in payloads])
        return payloads, _strength(soft, ideal).tolist()


@dataclass(frozen=True)
class _Scramble:
    """What a key decides: the phase of every point, and order and sign of the dimensions."""

    key: str
    phases: Complexes
    order: NDArray[np.int64]
    flips: Floats

    @staticmethod
    def of(key: MarkKey, lattice: Lattice) -> _Scramble:
        points, dimensions = len(lattice.points), 2 * len(lattice.carriers)
        # An extendable hash, not a generator of numpy's: those streams may change with its version.
        stream = hashlib.shake_256(b"colophon lattice v1" + key.secret)
        words = np.frombuffer(stream.digest(8 * (points + 2 * dimensions)), "<u8")
        angles, places, signs = np.split(words, [points, points + dimensions])
        return _Scramble(
            key.id,
            np.exp(2j * np.pi * (angles / 2.0**64)).astype(np.complex64),
            np.argsort(places, kind="stable"),
            (1 - 2 * (signs & 1).astype(np.float32)),
        )


def _tiles(tile: Floats, shape: tuple[int, ...]) -> Floats:
    """`tile` repeated over `shape`, whole in its middle."""
    rows, columns = ((np.arange(n) - n // 2) % PERIOD for n in shape)
    return tile[np.ix_(rows, columns)]


def _strength(soft: Floats, ideal: Floats) -> Floats:
    norm = np.sqrt(np.square(soft).sum(axis=1)) + 1e-9
    return np.asarray((soft * ideal).sum(axis=1) / norm, np.float32)


def _geometry(pose: Pose, symmetry: int) -> dict[str, float | bool]:
    return {
        "scale": round(pose.scale, 3),
        "turn": round(float(np.rad2deg(pose.angle)) + 90 * (symmetry % 4), 2) % 360,
        "mirrored": symmetry >= 4,
        "stretch": round(pose.stretch, 3),
    }
