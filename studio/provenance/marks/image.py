"""The picture mark: a 48-bit number as a faint repeating texture, without trained weights.

Embedding. The number becomes 304 signs (`code`), repeated over the 2 × carriers real and imaginary
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
from studio.provenance.marks.code import CHECK_BITS, LENGTH, PAYLOAD_BITS, Code
from studio.provenance.marks.lattice import (
    PERIOD,
    SIDE,
    Complexes,
    Floats,
    Lattice,
    Pose,
    Spectrum,
    as_halved,
    near,
)
from studio.tasks.request import Kind

Pixels = NDArray[np.uint8]

#: Where the closed loop starts and ends, in dB.
FIRST_PSNR, FLOOR_PSNR = 40.25, 37.0
_PSNR_STEP = 0.75
#: Correlation that every quarter of a marked picture should have.
WANTED_MARGIN = 6.0
#: Correlation below which no reading counts.
THRESHOLD = 8.0
#: Pictures with a shorter side than this hold too few periods of the tile.
SMALLEST_SIDE = 256
#: Longest canonical side that is read, in short sides; the middle of longer pictures is enough.
_LONGEST = 3


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
        luma, opacity = _luma(pixels)
        canonical = _canonical(luma)
        signs = self._signs(scramble, payload)
        pattern = self._pattern(scramble, signs, canonical)
        pattern = cv2.resize(pattern, luma.shape[::-1], interpolation=cv2.INTER_CUBIC) * opacity
        psnr = FIRST_PSNR
        while True:
            marked = _add(pixels, pattern, psnr)
            margin = self._margin(_residual(marked), scramble, signs)
            if margin >= WANTED_MARGIN or psnr - _PSNR_STEP < FLOOR_PSNR:
                break
            psnr -= _PSNR_STEP
        return Marked(
            draft=replace(draft, arrays={**draft.arrays, "pixels": marked}),
            key=scramble.key,
            psnr=round(_psnr(pixels, marked), 2),
            margin=round(margin, 2),
            weak=margin < WANTED_MARGIN or min(luma.shape) < SMALLEST_SIDE,
        )

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        """The number in `draft`'s pixels: at their own scale, or `thorough`ly at any."""
        spectrum = Spectrum.of(as_halved(_residual(draft.arrays["pixels"])))
        found, tries = self._read(spectrum, [Pose(1.0, 0.0)], best=4, tries=0)
        if found is not None or not thorough:
            return found
        for stretch in (1.0, 0.9, 1 / 0.9, 0.95, 1 / 0.95):
            poses = self._lattice.search(spectrum, 24, stretch)
            found, tries = self._read(spectrum, poses, best=8, tries=tries)
            if found is not None:
                return found
        return None

    def _signs(self, scramble: _Scramble, payload: int) -> Floats:
        """What each carrier dimension should be, ±1, in the order of the code word."""
        return np.resize(self._code.encode(payload), scramble.order.size) * scramble.flips

    def _pattern(self, scramble: _Scramble, signs: Floats, canonical: Floats) -> Floats:
        """The mark over the whole canonical picture, before it is scaled."""
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
        tile = np.fft.ifft2(waves).real.astype(np.float32)
        height, width = canonical.shape
        rows = (np.arange(height) - height // 2) % PERIOD
        columns = (np.arange(width) - width // 2) % PERIOD
        return tile[np.ix_(rows, columns)] * _hiding(canonical)

    def _margin(self, residual: Floats, scramble: _Scramble, signs: Floats) -> float:
        """How well the mark reads from the weakest quarter of the picture."""
        halved = as_halved(residual)
        height, width = (n // 2 for n in halved.shape)
        margins = []
        for rows in (slice(None, height), slice(height, None)):
            for columns in (slice(None, width), slice(width, None)):
                spectrum = Spectrum.of(halved[rows, columns])
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


def _luma(pixels: Pixels) -> tuple[Floats, Floats | float]:
    """Brightness, float32 in 0–255, of the picture on white paper; and its opacity in 0–1."""
    luma = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    if pixels.shape[2] == 3:
        return luma.astype(np.float32), 1.0
    opacity: Floats = pixels[..., 3].astype(np.float32) / np.float32(255)
    return np.asarray(255 + (luma - 255.0) * opacity, np.float32), opacity


def _canonical(luma: Floats) -> Floats:
    height, width = luma.shape
    factor = SIDE / min(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(luma, size, interpolation=how), np.float32)


def _residual(pixels: Pixels) -> Floats:
    """What is left of a picture when its own content is suppressed, at canonical size."""
    luma, _ = _luma(pixels)
    height, width = luma.shape
    longest = _LONGEST * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    high, deviation = _detail(_canonical(luma[top : top + longest, left : left + longest]))
    limit = 2.5 * deviation + 1
    clipped = np.clip(high, -limit, limit)
    return np.asarray(clipped * np.sqrt(deviation + 4) / (np.square(deviation) + 9), np.float32)


def _detail(canonical: Floats) -> tuple[Floats, Floats]:
    """The picture's fine detail, and its local standard deviation."""
    high = cv2.GaussianBlur(canonical - _smooth(canonical), (5, 5), 0.9)
    # The box filter's running sums leave tiny negative numbers where a picture is flat.
    return high, np.sqrt(np.maximum(_smooth(np.square(high)), 0))


def _smooth(values: Floats) -> Floats:
    # Two boxes are close to the Gaussian of deviation 6, in a tenth of the time.
    return np.asarray(cv2.blur(cv2.blur(values, (15, 15)), (15, 15)), np.float32)


def _hiding(canonical: Floats) -> Floats:
    """How much mark each place of the picture hides: more in texture, less on flat ground."""
    _, deviation = _detail(canonical)
    return np.asarray(np.clip((deviation + 2) ** 0.6, 1.5, 6), np.float32)


def _add(pixels: Pixels, pattern: Floats, psnr: float) -> Pixels:
    """`pixels` with `pattern` on them, scaled so that their error is the one that `psnr` means."""
    wanted = 255 * 10 ** (-psnr / 20)
    strength = wanted / max(float(np.sqrt(np.mean(np.square(pattern)))), 1e-6)
    marked = pixels.copy()
    for _ in range(2):
        shifted = pixels[..., :3] + (pattern * np.float32(strength))[..., None]
        marked[..., :3] = np.clip(np.rint(shifted, out=shifted), 0, 255, out=shifted)
        lost = _psnr(pixels, marked) - psnr
        if lost < 0.2:
            break
        # White and black places cut off half of the mark: let the other half make up for it.
        strength *= min(10 ** (lost / 20), 1.5)
    return marked


def _psnr(before: Pixels, after: Pixels) -> float:
    error = np.mean(np.square(before[..., :3].astype(np.float32) - after[..., :3]))
    return float(10 * np.log10(255**2 / max(float(error), 1e-9)))
