"""Tools for finished films: more frames, loops, larger ones; what stays, and what is refused."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from tests.workshop.test_tools import made, tone

SIDE = 96


def moving(frames: int = 5, fps: float = 8, step: int = 8, sound: bool = False) -> Draft:
    """A light square that goes right by `step` pixels a frame, over a soft pattern."""
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    ground = (60 + 20 * np.sin(columns / 5) * np.cos(rows / 7)).astype(np.uint8)
    shown = np.repeat(ground[None, ..., None], frames, axis=0).repeat(3, axis=3)
    for number, frame in enumerate(shown):
        left = 16 + number * step
        frame[32:64, left : left + 32] = (230, 210, 190)
    arrays: dict[str, Any] = {"frames": shown}
    facts: dict[str, Any] = {"fps": fps}
    if sound:
        heard = tone(frames / fps)
        arrays["samples"], facts["rate"] = heard.arrays["samples"], heard.facts["rate"]
    return Draft("video", 0, 0, arrays, facts)


def middle(frame: Any) -> float:
    """Where the square's middle is, from the left."""
    light = frame[..., 0].astype(int) > 150
    return float(np.nonzero(light)[1].mean())


def test_a_picture_of_a_film_is_the_one_that_is_seen_then(tmp_path: Path) -> None:
    film = moving()
    shown = film.arrays["frames"]
    for number, (at, place) in enumerate([(None, 4), (0.0, 0), (0.25, 2), (0.37, 2)]):
        draft = made("video-still", tmp_path / str(number), {"video": film}, at=at)
        assert (draft.kind, (draft.arrays["pixels"] == shown[place]).all()) == ("image", True)
    with pytest.raises(InvalidRequest, match=r"lasts 0\.6 seconds"):
        made("video-still", tmp_path / "late", {"video": film}, at=0.625)


def test_more_frames_show_what_moves_on_its_way(tmp_path: Path) -> None:
    film = moving(sound=True)
    draft = made("video-interpolation", tmp_path, {"video": film}, fps=24)
    frames = draft.arrays["frames"]
    assert (len(frames), draft.facts["fps"]) == (15, 24)
    assert (frames[::3] == film.arrays["frames"]).all(), "a frame that was there has changed"
    places = [middle(frame) for frame in frames[:13]]
    assert np.allclose(np.diff(places), 8 / 3, atol=0.7)
    assert np.array_equal(draft.arrays["samples"], film.arrays["samples"])
    blended = made("video-interpolation", tmp_path / "b", {"video": film}, fps=24, way="blend")
    # Blended, the square is in both places at once, and half there.
    assert abs(int(blended.arrays["frames"][1, 48, 18, 0]) - int(frames[1, 48, 18, 0])) > 30


def test_rates_that_are_no_multiples_keep_the_length(tmp_path: Path) -> None:
    draft = made("video-interpolation", tmp_path, {"video": moving(12, fps=23.976, step=3)}, fps=25)
    frames = draft.arrays["frames"]
    assert len(frames) / 25 == pytest.approx(12 / 23.976, abs=0.5 / 25)
    assert (np.diff([middle(frame) for frame in frames]) >= -0.1).all()


def test_across_a_cut_nothing_is_made_up(tmp_path: Path) -> None:
    shown = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    shown[1] = 200
    film = Draft("video", 0, 0, {"frames": shown}, {"fps": 4})
    frames = made("video-interpolation", tmp_path, {"video": film}, fps=16).arrays["frames"]
    assert np.unique(frames).tolist() == [0, 200]
    assert len(frames) == 8


def test_a_film_that_has_as_many_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="already has 24 frames"):
        made("video-interpolation", tmp_path, {"video": moving(fps=24)}, fps=24)


def test_there_and_back_shows_no_frame_twice_in_a_row(tmp_path: Path) -> None:
    film = moving(sound=True)
    draft = made("video-looping", tmp_path, {"video": film}, times=2)
    assert [round(middle(one) / 8) for one in draft.arrays["frames"]] == [
        4,
        5,
        6,
        7,
        8,
        7,
        6,
        5,
    ] * 2
    assert "samples" not in draft.arrays


def test_a_crossfade_leads_from_the_end_to_the_beginning(tmp_path: Path) -> None:
    grey = np.linspace(0, 240, 25).astype(np.uint8)
    shown = np.broadcast_to(grey[:, None, None, None], (25, SIDE, SIDE, 3))
    heard = tone(2.4)
    arrays = {"frames": shown, "samples": heard.arrays["samples"]}
    film = Draft("video", 0, 0, arrays, {"fps": 10, "rate": heard.facts["rate"]})
    draft = made("video-looping", tmp_path, {"video": film}, way="crossfade", times=2)
    frames = draft.arrays["frames"][:, 0, 0, 0].astype(int)
    assert len(frames) == 2 * (25 - 8)
    assert frames[17] == frames[0]
    jump = np.abs(np.diff(frames)).max()
    assert jump < 40, f"there is a jump by {jump} in a film that goes from 0 to 240"
    assert len(draft.arrays["samples"]) / draft.facts["rate"] == pytest.approx(3.4, abs=0.01)


def test_two_frames_do_not_go_round(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="too few"):
        made("video-looping", tmp_path, {"video": moving(2)})


def test_a_film_becomes_larger_and_keeps_the_rest(tmp_path: Path) -> None:
    film = moving(sound=True)
    draft = made("video-upscaling", tmp_path, {"video": film}, factor=2.5)
    frames = draft.arrays["frames"]
    assert frames.shape == (5, 240, 240, 3)
    assert middle(frames[0]) == pytest.approx(2.5 * middle(film.arrays["frames"][0]), abs=1.5)
    assert draft.facts["fps"] == 8
    assert np.array_equal(draft.arrays["samples"], film.arrays["samples"])


def test_a_film_cannot_become_larger_than_films_are(tmp_path: Path) -> None:
    wide = Draft("video", 0, 0, {"frames": np.zeros((1, 64, 2048, 3), np.uint8)}, {"fps": 8})
    with pytest.raises(InvalidRequest, match="longest side") as caught:
        made("video-upscaling", tmp_path, {"video": wide}, factor=3.0)
    assert "2.00 times" in caught.value.hint


def test_a_film_that_the_disk_has_no_room_for_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**5))
    with pytest.raises(Unavailable, match="no room") as caught:
        made("video-upscaling", tmp_path, {"video": moving()})
    assert caught.value.retry
