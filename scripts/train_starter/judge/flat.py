"""The judge of flat shapes on plain paper: arithmetic on the pixels, nothing learned.

The paper's colour comes from the border; whatever differs from it falls into connected pieces; each
piece is named by the nearest colour (in CIE Lab) and by the shape whose silhouette overlaps it
best.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from world.colours import COLOURS
from world.drawing import Picture, fixed
from world.first import RELATIONS, FlatScene
from world.shapes import SHAPES, place

_SILHOUETTE = 28  # pixels across a normalised silhouette
_ENLARGED = 3  # pieces are cut out on a finer grid, so that thin shapes stay whole
_SMALLEST = 270 / (64 * 64 * _ENLARGED**2)  # share of the picture below which a piece is dirt


@dataclass(frozen=True, slots=True)
class Seen:
    """One piece: its names, its centre in unit coordinates, its share of the picture."""

    colour: str
    shape: str
    x: float
    y: float
    area: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be seen in a picture, largest piece first."""

    background: str
    pieces: tuple[Seen, ...]


def _lab(colours: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(colours.reshape(1, -1, 3).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]


@functools.cache
def _palette() -> np.ndarray:
    return _lab(np.array(list(COLOURS.values())))


def nearest_colour(rgb: np.ndarray) -> str:
    """The name of the colour that looks most like this one."""
    distance = np.linalg.norm(_palette() - _lab(rgb), axis=1)
    return tuple(COLOURS)[int(distance.argmin())]


def _silhouette(mask: np.ndarray) -> np.ndarray:
    """The piece cut out, centred on a square and scaled to one size."""
    x, y, width, height = cv2.boundingRect(mask)
    side = max(width, height)
    square = np.zeros((side, side), np.float32)
    left, top = (side - width) // 2, (side - height) // 2
    square[top : top + height, left : left + width] = mask[y : y + height, x : x + width]
    interpolation = cv2.INTER_AREA if side >= _SILHOUETTE else cv2.INTER_LINEAR
    return cv2.resize(square, (_SILHOUETTE, _SILHOUETTE), interpolation=interpolation)


@functools.cache
def _silhouettes() -> Mapping[str, np.ndarray]:
    known = {}
    for name, contours in SHAPES.items():
        mask = np.zeros((300, 300), np.uint8)
        cv2.fillPoly(mask, fixed(place(contours(), 0.5, 0.5, 0.37), 300), 1, cv2.LINE_8, 4)
        known[name] = _silhouette(mask)
    return MappingProxyType(known)


def name_shape(mask: np.ndarray) -> str:
    """The shape whose silhouette shares most with the mask (intersection over union)."""
    seen = _silhouette(mask)
    overlaps = {
        name: float(np.minimum(seen, known).sum() / np.maximum(seen, known).sum())
        for name, known in _silhouettes().items()
    }
    return max(overlaps, key=overlaps.__getitem__)


def _piece(picture: np.ndarray, mask: np.ndarray, area: float) -> Seen | None:
    height, width = picture.shape[:2]
    covered = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    inside = covered > 0.95  # edge pixels carry the paper's colour too
    if inside.sum() < 4:
        inside = covered > 0.6
    if not inside.any():
        return None
    x, y, across, down = cv2.boundingRect(mask)
    return Seen(
        colour=nearest_colour(np.median(picture[inside], axis=0)),
        shape=name_shape(mask),
        x=(x + across / 2) / mask.shape[1],
        y=(y + down / 2) / mask.shape[0],
        area=area,
    )


def read(picture: Picture) -> Reading:
    """Name the paper and every piece on it."""
    values = picture.astype(np.float32)
    edges = (values[:2], values[-2:], values[:, :2], values[:, -2:])
    paper = np.median(np.concatenate([edge.reshape(-1, 3) for edge in edges]), axis=0)
    difference = np.linalg.norm(values - paper, axis=-1)
    size = (picture.shape[1] * _ENLARGED, picture.shape[0] * _ENLARGED)
    enlarged = cv2.resize(difference, size, interpolation=cv2.INTER_CUBIC)
    threshold = max(24.0, min(60.0, 0.45 * float(np.percentile(enlarged, 98))))
    mask = (enlarged > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    pieces = []
    for label in range(1, count):
        area = float(stats[label, cv2.CC_STAT_AREA]) / mask.size
        if area < _SMALLEST:
            continue
        piece = _piece(values, (labels == label).astype(np.uint8), area)
        if piece is not None:
            pieces.append(piece)
    pieces.sort(key=lambda piece: -piece.area)
    return Reading(nearest_colour(paper), tuple(pieces))


def score(scene: FlatScene, reading: Reading) -> dict[str, list[bool]]:
    """Each measure with one verdict per thing it is asked of.

    `relation` asks whether the colours stand on the sides that the caption gives them, so it is
    only asked of two colours. A missing piece counts as a wrong colour and a wrong shape.
    """
    asked = list(scene.shapes)
    seen: list[Seen | None] = list(reading.pieces[: len(asked)])
    seen += [None] * (len(asked) - len(seen))
    if scene.relation:
        right, down = RELATIONS[scene.relation]
        seen.sort(
            key=lambda piece: piece.x * right + piece.y * down if piece else -9.0, reverse=True
        )
    colours = [
        piece is not None and piece.colour == shape.colour
        for shape, piece in zip(asked, seen, strict=True)
    ]
    shapes = [
        piece is not None and piece.shape == shape.kind
        for shape, piece in zip(asked, seen, strict=True)
    ]
    verdict = {
        "background": [reading.background == scene.background],
        "count": [len(reading.pieces) == len(asked)],
        "colour": colours,
        "shape": shapes,
    }
    verdict["all"] = [all(all(values) for values in verdict.values())]
    if len({shape.colour for shape in asked}) == 2:
        verdict["relation"] = [all(colours)]
    return verdict
