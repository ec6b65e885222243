"""Where the picture mark lives, and how to find it again in a picture that was cropped or turned.

The mark is a pattern that repeats every `PERIOD` pixels of the *canonical* picture, the one scaled
to a short side of `SIDE`. A repeating pattern has a spectrum of isolated points, one per whole
number of waves (u, v) in a period; the mark uses the points with `INNER` ≤ √(u² + v²) ≤ `OUTER`,
coarse enough to survive compression and fine enough not to be seen. Four properties follow:

- Resizing the file changes nothing, because the canonical picture stays the same.
- Cropping to a part only turns the phase of each point by an amount linear in (u, v): one shift in
  two dimensions, which the *pilot* points reveal, since their phases are known in advance.
- Scaling by s and turning by θ (a crop scales, too) moves every point radially by 1/s and around
  by θ. In log-polar coordinates that is a plain shift, found for all s and θ at once by one
  correlation of the power spectrum with the pattern of points. No key is needed for that, so
  several keys do not make it slower.
- The lattice of points is its own mirror image and the same after a quarter turn. So θ is known up
  to 90°, and each reading is tried in the eight symmetries of the square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Complexes = NDArray[np.complex64]

#: Short side of the canonical picture, in pixels.
SIDE = 512
#: Pixels of the canonical picture after which the mark repeats.
PERIOD = 80
INNER, OUTER = 4, 13
#: The residual is halved before the transform: the mark's band ends at 0.18 cycles per pixel.
HALVING = 2
#: Highest frequency kept of a spectrum, in cycles per canonical pixel.
_BAND = 0.2
#: Side of the square of spectral bins over which the local power is averaged.
_WHITENING = 41
#: No single bin counts for more than this many times the local power.
_POWER_LIMIT = 6.0
#: Places per period, in each direction, at which a shift is looked for.
_SHIFTS = 128

SMALLEST_SCALE, LARGEST_SCALE = 0.9, 1.75
_LOG_STEP = 0.004
_ANGLE_STEP = np.deg2rad(0.25)
_QUARTER = 360  # angle steps in a quarter turn


@dataclass(frozen=True)
class Spectrum:
    """The whitened spectrum of a residual, its zero frequency in the middle."""

    #: Shape (2m + 1, 2n + 1): one row and column per bin; the local mean power is 1.
    values: Complexes
    #: Bins per cycle per canonical pixel, across and down.
    across: float
    down: float

    @staticmethod
    def of(residual: Floats) -> Spectrum:
        """The spectrum of a residual that was already halved, with phases seen from its centre."""
        height, width = residual.shape
        rows, columns = (cv2.getOptimalDFTSize(2 * n) for n in (height, width))
        padded = np.zeros((rows, columns), np.float32)
        padded[:height, :width] = residual
        padded = np.roll(padded, (-(height // 2), -(width // 2)), (0, 1))
        half = _transform(padded)[:, : columns // 2 + 1]
        down, across = HALVING * rows, HALVING * columns
        m, n = int(_BAND * down), int(_BAND * across)
        right = np.concatenate([half[-m:, : n + 1], half[: m + 1, : n + 1]])
        # The residual is real: the left half mirrors the right one.
        values = np.concatenate([np.conj(right[::-1, :0:-1]), right], axis=1)
        power = np.square(values.real) + np.square(values.imag)
        local = cv2.blur(power, (_WHITENING, _WHITENING)) + 1e-9
        return Spectrum((values / np.sqrt(local)).astype(np.complex64), across, down)

    def places(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Fractional columns and rows of frequencies in cycles per canonical pixel."""
        rows, columns = self.values.shape
        return (
            (x * self.across + columns // 2).astype(np.float32),
            (y * self.down + rows // 2).astype(np.float32),
        )

    def at(self, x: Floats, y: Floats) -> Complexes:
        """The spectrum at frequencies (x, y), interpolated; same shape as `x`, two-dimensional."""
        pairs = self.values.view(np.float32).reshape(*self.values.shape, 2)
        found = cv2.remap(pairs, *self.places(x, y), cv2.INTER_LINEAR)
        return np.ascontiguousarray(found).view(np.complex64)[..., 0]

    def power(self) -> Floats:
        """Power per bin, limited so that the picture's own lines do not drown the mark's points."""
        power = np.square(self.values.real) + np.square(self.values.imag)
        return np.asarray(np.minimum(power, _POWER_LIMIT), np.float32)


@dataclass(frozen=True)
class Pose:
    """How the canonical picture came to lie in the one at hand, but for symmetry and shift."""

    #: Above 1 the content is larger than it was, as after a crop.
    scale: float
    #: Angle in radians, within a quarter turn.
    angle: float
    #: Width over height, relative to the original.
    stretch: float = 1.0


class Lattice:
    """The mark's points, their symmetries and the filters that find them; built once."""

    def __init__(self) -> None:
        around = np.arange(-OUTER, OUTER + 1)
        u, v = np.meshgrid(around, around)
        radius = np.hypot(u, v)
        # A real pattern has u, v and -u, -v in common: keep one of each pair.
        keep = (radius >= INNER) & (radius <= OUTER) & ((v > 0) | ((v == 0) & (u > 0)))
        order = np.lexsort((np.arctan2(v[keep], u[keep]), radius[keep]))
        #: Waves per period across and down, shape (points, 2), from coarse to fine.
        self.points = np.stack([u[keep], v[keep]], axis=1)[order]
        everyone = np.arange(len(self.points))
        #: Every fourth point is a pilot; the others carry the code word.
        self.pilots = everyone[::4]
        self.carriers = everyone[everyone % 4 != 0]
        self._symmetries = self._find_symmetries()
        self._template = np.conj(_transform(self._draw_template()))
        self._shifts = self._shift_filters()

    def _find_symmetries(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which point each point becomes, and whether conjugated, shape (8, points) each."""
        where = {(int(u), int(v)): place for place, (u, v) in enumerate(self.points)}
        quarter = np.array([[0, -1], [1, 0]])
        turns = [np.linalg.matrix_power(quarter, turn) for turn in range(4)]
        index, mirrored = [], []
        for symmetry in [*turns, *(turn @ np.diag([-1, 1]) for turn in turns)]:
            images = [(int(u), int(v)) for u, v in self.points @ symmetry.T]
            index.append([where.get((u, v), where.get((-u, -v), 0)) for u, v in images])
            mirrored.append([(u, v) not in where for u, v in images])
        return np.array(index), np.array(mirrored)

    def _draw_template(self) -> Floats:
        """The points of a quarter turn in log-polar coordinates, at scale 1 and angle 0."""
        template = np.zeros((self._rows, _QUARTER), np.float32)
        u, v = self.points.T
        first = (u > 0) & (v >= 0)
        row = np.log(np.hypot(u, v)[first] / PERIOD / self._lowest) / _LOG_STEP
        column = np.arctan2(v, u)[first] / _ANGLE_STEP
        np.add.at(template, (np.rint(row).astype(int), np.rint(column).astype(int)), 1)
        return template

    def _shift_filters(self) -> Floats:
        """One filter per shift in a period, shape (2 × pilots, _SHIFTS²): real, then imaginary."""
        y, x = np.divmod(np.arange(_SHIFTS**2), _SHIFTS)
        u, v = self.points[self.pilots].T
        phase = 2 * np.pi / _SHIFTS * (np.outer(u, x) + np.outer(v, y))
        return np.concatenate([np.cos(phase), -np.sin(phase)]).astype(np.float32)

    @property
    def _lowest(self) -> float:
        return INNER / PERIOD / LARGEST_SCALE

    @property
    def _rows(self) -> int:
        return int(np.log(OUTER / INNER * LARGEST_SCALE / SMALLEST_SCALE) / _LOG_STEP) + 3

    def sample(self, spectrum: Spectrum, poses: list[Pose]) -> Complexes:
        """The spectrum at every point under every pose, shape (poses, points)."""
        return spectrum.at(*self._frequencies(poses))

    def _frequencies(self, poses: list[Pose]) -> tuple[Floats, Floats]:
        scale, angle, stretch = np.array([[p.scale, p.angle, p.stretch] for p in poses]).T[
            ..., None
        ]
        u, v = self.points.T / PERIOD
        x = (u * np.cos(angle) - v * np.sin(angle)) / scale
        y = (u * np.sin(angle) + v * np.cos(angle)) / scale
        root = np.sqrt(stretch)
        return (x / root).astype(np.float32), (y * root).astype(np.float32)

    def symmetric(self, samples: Complexes) -> Complexes:
        """`samples` (poses, points) as they would be in each symmetry: (poses, 8, points)."""
        index, mirrored = self._symmetries
        images = samples[:, index]
        return np.where(mirrored, np.conj(images), images)

    def find_shift(self, pilots: Complexes) -> tuple[Floats, Complexes]:
        """How well the pilots agree on one shift, and the phases of all points that undo it.

        `pilots` has shape (readings, pilots), each divided by its known phase. Returns the
        agreement (about 0 ± 1 for one random shift) and phases of shape (readings, points).
        """
        limited = pilots / np.maximum(np.abs(pilots), 1)
        flat = np.concatenate([limited.real, limited.imag], axis=1).astype(np.float32)
        response = flat @ self._shifts
        best = response.argmax(axis=1)
        y, x = np.divmod(best, _SHIFTS)
        phase = 2 * np.pi / _SHIFTS * (self.points @ np.stack([x, y])).T
        agreement = response[np.arange(len(best)), best] / np.sqrt(len(self.pilots) / 2)
        return agreement, np.exp(1j * phase).astype(np.complex64)

    def search(self, spectrum: Spectrum, limit: int, stretch: float = 1.0) -> list[Pose]:
        """The `limit` likeliest poses, best first: peaks of the log-polar correlation, refined."""
        power = spectrum.power()
        radius = self._lowest * np.exp(_LOG_STEP * np.arange(self._rows))[:, None]
        angle = _ANGLE_STEP * np.arange(2 * _QUARTER)
        root = np.sqrt(stretch)
        x, y = radius * np.cos(angle) / root, radius * np.sin(angle) * root
        halves = cv2.remap(power, *spectrum.places(x, y), cv2.INTER_LINEAR)
        quarter = halves[:, :_QUARTER] + halves[:, _QUARTER:]
        product = (_transform(quarter) * self._template).view(np.float32)
        score = cv2.idft(
            product.reshape(*quarter.shape, 2), flags=cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE
        )
        # Row -k of the correlation is the scale exp(k × step); only these keep all points inside.
        steps = np.arange(
            int(np.ceil(np.log(SMALLEST_SCALE) / _LOG_STEP)),
            int(np.log(LARGEST_SCALE) / _LOG_STEP) + 1,
        )
        score = np.ascontiguousarray(score[-steps], np.float32)
        peaks = score == cv2.dilate(score, np.ones((5, 5), np.uint8))
        rows, columns = np.nonzero(peaks)
        best = np.argsort(-score[rows, columns])[:limit]
        poses = [
            Pose(float(np.exp(steps[r] * _LOG_STEP)), float(c * _ANGLE_STEP), stretch)
            for r, c in zip(rows[best], columns[best], strict=True)
        ]
        return self._refine(spectrum, power, poses)

    def _refine(self, spectrum: Spectrum, power: Floats, poses: list[Pose]) -> list[Pose]:
        """Each pose moved by less than a step to where its points have the most power."""
        around = [
            near(pose, ds * _LOG_STEP / 4, da * _ANGLE_STEP / 4)
            for pose in poses
            for ds in range(-3, 4)
            for da in range(-3, 4)
        ]
        there = cv2.remap(power, *spectrum.places(*self._frequencies(around)), cv2.INTER_LINEAR)
        total = there.sum(axis=1).reshape(len(poses), -1)
        best = total.argmax(axis=1) + np.arange(len(poses)) * total.shape[1]
        return [around[place] for place in best]


def near(pose: Pose, log_scale: float, angle: float) -> Pose:
    """`pose` with its scale times exp(`log_scale`) and its angle plus `angle`."""
    return Pose(pose.scale * float(np.exp(log_scale)), pose.angle + angle, pose.stretch)


def _transform(values: Floats) -> Complexes:
    """The whole discrete Fourier transform of real values; OpenCV's, since SciPy is large."""
    pairs = cv2.dft(np.ascontiguousarray(values, np.float32), flags=cv2.DFT_COMPLEX_OUTPUT)
    return np.ascontiguousarray(pairs).view(np.complex64)[..., 0]


def as_halved(residual: Any) -> Floats:
    """`residual` at half size, as `Spectrum.of` takes it."""
    height, width = residual.shape
    size = (max(1, width // HALVING), max(1, height // HALVING))
    return np.asarray(cv2.resize(residual, size, interpolation=cv2.INTER_AREA), np.float32)
