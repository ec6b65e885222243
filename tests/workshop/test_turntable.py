"""An object as it turns: what is seen from where, and in which colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from studio.draft import Draft
from tests.workshop.test_tools import made

RED, BLUE = (200, 0, 0), (0, 0, 200)


def two_balls() -> Draft:
    """A red ball at the right and a blue one at the left."""
    balls = [trimesh.creation.icosphere(2, 0.4).apply_translation((x, 0, 0)) for x in (0.6, -0.6)]
    both = trimesh.util.concatenate(balls)
    half = len(both.vertices) // 2
    arrays: dict[str, Any] = {
        "vertices": np.asarray(both.vertices, np.float32),
        "faces": np.asarray(both.faces, np.int32),
        "colours": np.array([RED] * half + [BLUE] * half, np.uint8),
    }
    return Draft("mesh", 0, 0, arrays)


def turned(folder: Path, mesh: Draft, **request: Any) -> Any:
    """The frames of a turn of one second, 128 pixels high and wide unless asked otherwise."""
    request = {"duration": 1.0, "fps": 8, "width": 128, "height": 128} | request
    draft = made("object-turntable", folder, {"object": mesh}, **request)
    assert draft.facts["fps"] == request["fps"]
    return draft.arrays["frames"].astype(int)


def column(frame: Any, channel: int) -> float:
    """Where what is lit in this colour alone is, from the left; no number if it is not seen."""
    coloured = frame[..., channel] > frame[..., [c for c in range(3) if c != channel]].max(-1) + 60
    return float(np.nonzero(coloured)[1].mean()) if coloured.any() else float("nan")


def test_it_turns_once_around_and_the_nearer_hides_the_farther(tmp_path: Path) -> None:
    frames = turned(tmp_path, two_balls(), elevation=0.0)
    assert frames.shape == (8, 128, 128, 3)
    assert column(frames[0], 0) > 80 > 48 > column(frames[0], 2)
    assert column(frames[4], 0) < 48 < 80 < column(frames[4], 2)
    # A quarter turn to either side: one ball stands before the other, and is alone.
    seen = [[np.isfinite(column(frames[n], channel)) for channel in (0, 2)] for n in (2, 6)]
    assert seen == [[False, True], [True, False]]


def test_from_above_what_is_behind_is_higher(tmp_path: Path) -> None:
    frames = turned(tmp_path, two_balls(), elevation=60.0)
    red, blue = (
        np.nonzero(frames[2][..., channel] > frames[2][..., 2 - channel] + 60)[0].mean()
        for channel in (0, 2)
    )
    assert red + 20 < blue, "the red one is behind now"


def test_it_fills_the_picture_whatever_its_size_and_place(tmp_path: Path) -> None:
    near = two_balls()
    moved = near.arrays["vertices"] * 50 + np.float32((7, -300, 2))
    far = Draft("mesh", 0, 0, {**near.arrays, "vertices": moved})
    one, other = turned(tmp_path / "a", near, width=256), turned(tmp_path / "b", far, width=256)
    assert np.abs(one - other).mean() < 0.5
    ink = (one[0] != one[0, 0, 0]).any(axis=-1)
    assert 90 < np.ptp(np.nonzero(ink)[1]) < 128


def test_an_object_without_colours_is_grey_and_lit_from_both_sides(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(3)
    faces = np.asarray(ball.faces, np.int32)
    shapes = [
        Draft("mesh", 0, 0, {"vertices": np.asarray(ball.vertices, np.float32), "faces": way})
        for way in (faces, faces[:, ::-1].copy())
    ]
    one, other = (turned(tmp_path / str(n), shape) for n, shape in enumerate(shapes))
    assert np.abs(one - other).mean() < 0.1
    drawn = one[0][64, 30:98]
    assert (np.ptp(drawn, axis=1) == 0).all(), "it is not grey"
    assert len(np.unique(drawn)) > 10, "it has no shape"


def test_a_flat_thing_is_drawn_too(tmp_path: Path) -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    flat = Draft("mesh", 0, 0, {"vertices": corners, "faces": np.array([[0, 1, 2]], np.int32)})
    frames = turned(tmp_path, flat)
    assert (frames[0] != frames[0, 0, 0]).any()
    assert pytest.approx(frames[0, 0, 0]) == (246, 241, 232)
