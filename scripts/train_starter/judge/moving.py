"""The judge of films of the first world: it follows the thing that moves, by arithmetic alone.

On plain paper `judge.flat` names the largest piece of every frame. In a landscape the thing is the
largest patch of its colour: a sun above the land, a boat by its sail.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
from world.colours import COLOURS
from world.motion import Moving

from judge import flat

#: The least way, in sides of the picture, and the least growth that count as a motion.
_WAY, _GROWTH = 0.12, 1.25
#: How far from its paint a patch may be, in CIE Lab.
_NEAR = 15.0
#: The share of the picture below which a patch is dirt, and of the frames that must show the thing:
#: a sun is behind the land for a while.
_SPECK, _PRESENT = 0.002, 0.6


@dataclass(frozen=True, slots=True)
class Track:
    """Where the thing was in each frame (unit coordinates), and its share of the picture."""

    x: np.ndarray
    y: np.ndarray
    area: np.ndarray
    #: What it looked like in most frames; empty in a landscape, where only its colour is known.
    shape: str = ""
    colour: str = ""
    background: str = ""
    #: Of all frames, the share in which it was there.
    present: float = 0.0


def follow(frames: np.ndarray, scene: Moving) -> Track:
    """The thing's track through uint8 frames (n, height, width, 3)."""
    if scene.background:
        readings = [flat.read(frame) for frame in frames]
        seen = [reading.pieces[0] for reading in readings if reading.pieces]
        if not seen:
            return _nothing()
        return Track(
            *(np.array([getattr(one, name) for one in seen]) for name in ("x", "y", "area")),
            shape=_most([one.shape for one in seen]),
            colour=_most([one.colour for one in seen]),
            background=_most([reading.background for reading in readings]),
            present=len(seen) / len(frames),
        )
    found = [place for frame in frames if (place := _patch(frame, scene.colour)) is not None]
    if not found:
        return _nothing()
    x, y, area = (np.array(values) for values in zip(*found, strict=True))
    return Track(x, y, area, colour=scene.colour, present=len(found) / len(frames))


def motion_of(track: Track) -> str:
    """The motion that the track is most like, one of `world.motion.VERBS`; empty for none."""
    if len(track.x) < 4:
        return ""
    third = max(1, len(track.x) // 4)

    def way(values: np.ndarray) -> float:
        return float(values[-third:].mean() - values[:third].mean())

    across, down, growth = way(track.x), way(track.y), way(np.log(np.sqrt(track.area)))
    if abs(across) < _WAY and _turns(track.y) >= 2:
        return "bounce"
    if abs(growth) > np.log(_GROWTH) and max(abs(across), abs(down)) < _WAY:
        return "grow" if growth > 0 else "shrink"
    if max(abs(across), abs(down)) < _WAY:
        return ""
    if abs(across) > abs(down):
        return "right" if across > 0 else "left"
    return "down" if down > 0 else "up"


def score(scene: Moving, frames: np.ndarray) -> dict[str, list[bool]]:
    """Each measure with its verdict; a landscape is asked for its motion and its thing alone."""
    track = follow(frames, scene)
    there = track.present >= _PRESENT
    verdict = {"present": [there], "motion": [there and motion_of(track) == scene.motion]}
    if scene.background:
        verdict["colour"] = [track.colour == scene.colour]
        verdict["shape"] = [track.shape == scene.kind]
        verdict["background"] = [track.background == scene.background]
    verdict["all"] = [all(all(values) for values in verdict.values())]
    return verdict


def flicker(frames: np.ndarray) -> float:
    """How much the picture's border, where nothing moves, changes from frame to frame: the mean
    difference of neighbours in 8-bit levels."""
    values = frames.astype(np.float32)
    edge = max(2, frames.shape[1] // 32)
    border = np.concatenate(
        [
            values[:, :edge].reshape(len(values), -1, 3),
            values[:, -edge:].reshape(len(values), -1, 3),
        ],
        axis=1,
    )
    return float(np.abs(np.diff(border, axis=0)).mean())


def _turns(values: np.ndarray) -> int:
    """How often a value turns back after a way that counts."""
    turns, heading, extreme = 0, 0, float(values[0])
    for value in map(float, values[1:]):
        if (heading >= 0 and value > extreme) or (heading <= 0 and value < extreme):
            if heading == 0 and abs(value - extreme) < _WAY:
                continue
            heading = heading or (1 if value > extreme else -1)
            extreme = value
        elif abs(value - extreme) > _WAY:
            turns, heading, extreme = turns + 1, -heading, value
    return turns


def _patch(frame: np.ndarray, colour: str) -> tuple[float, float, float] | None:
    lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    paint = cv2.cvtColor(np.array([[COLOURS[colour]]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    mask = (np.linalg.norm(lab - paint, axis=-1) < _NEAR).astype(np.uint8)
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=4)
    # A haze of the same colour reaches across; the paper's own piece is number 0.
    areas = [
        int(stats[label, cv2.CC_STAT_AREA])
        if label and stats[label, cv2.CC_STAT_WIDTH] < mask.shape[1] / 2
        else 0
        for label in range(count)
    ]
    best = int(np.argmax(areas))
    area = areas[best] / mask.size
    if area < _SPECK:
        return None
    x, y = centres[best]
    return float(x) / mask.shape[1], float(y) / mask.shape[0], area


def _most(names: list[str]) -> str:
    return Counter(names).most_common(1)[0][0]


def _nothing() -> Track:
    return Track(*(np.zeros(0) for _ in range(3)))
