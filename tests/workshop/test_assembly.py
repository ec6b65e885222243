"""Films of scenes and sheets of pictures, from drafts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.draft import Draft
from studio.errors import Cancelled, InvalidRequest
from studio.families import Order, Spec
from studio.families.workshop.family import Workshop
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import Recorder
from tests.workshop.test_tools import silence, tone

RED, BLUE = (200, 0, 0), (0, 0, 200)


def picture(colour: tuple[int, int, int], width: int = 96, height: int = 64) -> Draft:
    return Draft("image", 0, 0, {"pixels": np.full((height, width, 3), colour, np.uint8)})


def film(frames: int, fps: int, sound: Draft | None = None) -> Draft:
    """A film that grows lighter from frame to frame."""
    grey = np.linspace(20, 220, frames).astype(np.uint8)
    arrays: dict[str, Any] = {
        "frames": np.broadcast_to(grey[:, None, None, None], (frames, 64, 96, 3))
    }
    facts: dict[str, Any] = {"fps": fps}
    if sound is not None:
        arrays["samples"], facts["rate"] = sound.arrays["samples"], sound.facts["rate"]
    return Draft("video", 0, 0, arrays, facts)


def assembled(
    folder: Path, inputs: dict[str, list[Draft] | Draft], progress: Recorder | None = None,
    task: str = "film-assembly", **request: Any,
) -> Draft:  # fmt: skip
    """What comes of these inputs; a film is 64 × 64 at 10 frames a second."""
    if task == "film-assembly":
        request = {"width": 64, "height": 64, "fps": 10, **request}
    named = {
        f: ["id"] * len(given) if isinstance(given, list) else "id" for f, given in inputs.items()
    }
    values = build(TASKS[task].request, {**named, **request}).model_dump()
    folders = {}
    for field, given in inputs.items():
        for number, draft in enumerate(given if isinstance(given, list) else [given]):
            name = f"{field}.{number}" if isinstance(given, list) else field
            folders[name] = draft.spool(folder / name)
    bench = Workshop().load(Spec("workshop", folder, "float32", None, {}), "cpu", "full")
    order = Order("job", 0, task, values, 7, folders)
    (draft,) = bench.generate([order], progress or Recorder())
    return draft


def test_scenes_follow_each_other_with_a_cut(tmp_path: Path) -> None:
    draft = assembled(
        tmp_path, {"scenes": [picture(RED), film(40, 20)]}, seconds=1, transition="cut"
    )
    frames = draft.arrays["frames"]
    assert frames.shape == (30, 64, 64, 3)
    assert (frames[:10] == RED).all()
    # The film keeps its length at another frame rate.
    assert frames[10, 0, 0, 0] == 20
    assert 200 < frames[29, 0, 0, 0] <= 220
    assert (np.diff(frames[10:, 0, 0, 0].astype(int)) > 0).all()
    assert "samples" not in draft.arrays


def test_a_crossfade_goes_from_one_to_the_other(tmp_path: Path) -> None:
    draft = assembled(tmp_path, {"scenes": [picture(RED), picture(BLUE)]}, seconds=3)
    frames = draft.arrays["frames"]
    assert len(frames) == 60 - 6
    red, blue = frames[:, 32, 32, 0].astype(int), frames[:, 32, 32, 2].astype(int)
    assert (np.diff(red) <= 0).all()
    assert (np.diff(blue) >= 0).all()
    assert ((red > 0) & (blue > 0)).sum() == 6


def test_a_picture_is_moved_in_on_if_it_is_to_be(tmp_path: Path) -> None:
    cross = np.zeros((64, 64, 3), np.uint8)
    cross[16:48, 16:48] = 255
    shown = Draft("image", 0, 0, {"pixels": cross})
    moved = assembled(tmp_path / "a", {"scenes": [shown]}, seconds=2).arrays["frames"]
    still = assembled(tmp_path / "b", {"scenes": [shown]}, seconds=2, motion=False).arrays["frames"]
    assert (still == still[0]).all()
    areas = (moved[..., 0] > 127).sum(axis=(1, 2))
    assert (np.diff(areas.astype(int)) >= 0).all()
    assert areas[-1] > 1.1 * areas[0]


def test_a_scene_lasts_until_what_is_said_in_it_ends(tmp_path: Path) -> None:
    inputs: dict[str, list[Draft] | Draft] = {
        "scenes": [picture(RED), picture(BLUE)],
        "narration": [tone(3.0, 0.4, 700)],
        "soundtrack": tone(2.0, 0.2, 100),
    }
    draft = assembled(tmp_path, inputs, seconds=2, transition="cut", captions=["One.", "Two."])
    assert len(draft.arrays["frames"]) == 38 + 20
    samples, rate = draft.arrays["samples"], draft.facts["rate"]
    assert len(samples) / rate == pytest.approx(5.8)
    assert draft.facts["cues"] == [
        {"start": 0.0, "end": 3.8, "text": "One."},
        {"start": 3.8, "end": 5.8, "text": "Two."},
    ]

    def level(second: float, pitch: int) -> float:
        part = samples[round(second * rate) :][: rate // 5, 0]
        return float(np.abs(np.fft.rfft(part))[pitch // 5])

    assert level(2.0, 700) > 20 * level(3.55, 700), "it is not said where it should be"
    assert level(2.0, 100) < level(4.1, 100) / 3, "the music does not step back"


def test_a_films_own_sound_stays(tmp_path: Path) -> None:
    draft = assembled(tmp_path, {"scenes": [film(20, 10, tone(2.0)), picture(RED)]}, seconds=1)
    assert np.abs(draft.arrays["samples"][: 2 * 44_100]).max() > 0.2
    assert np.abs(draft.arrays["samples"][-22_050:]).max() == 0


def test_captions_are_burnt_in_only_if_they_are_to_be(tmp_path: Path) -> None:
    given: dict[str, list[Draft] | Draft] = {"scenes": [picture((100, 100, 100), 256, 256)]}
    large = {"seconds": 0.3, "captions": ["Sail away"], "width": 256, "height": 256}
    plain = assembled(tmp_path / "a", given, **large).arrays["frames"]
    burnt = assembled(tmp_path / "b", given, burnt=True, **large).arrays["frames"]
    assert (plain == 100).all()
    assert burnt[0, :150].max() == 100
    assert burnt[0, 200:].max() == 255


def test_cancelling_stops_within_a_second_of_film(tmp_path: Path) -> None:
    progress = Recorder(stop_at=10)
    with pytest.raises(Cancelled):
        assembled(tmp_path, {"scenes": [picture(RED)]}, progress, seconds=100)
    assert progress.steps[-1][0] <= 11


@pytest.mark.parametrize(
    ("inputs", "request_", "says"),
    [
        ({"scenes": [picture(RED)], "narration": [tone(1), tone(1)]}, {}, "2, and only 1 scenes"),
        ({"scenes": [picture(RED)]}, {"captions": ["a", "b"]}, "2, and only 1 scenes"),
        ({"scenes": [picture(RED)]}, {"captions": ["漢"], "burnt": True}, "no 漢"),
    ],
)
def test_what_does_not_go_together_is_said(
    tmp_path: Path, inputs: dict[str, Any], request_: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        assembled(tmp_path, inputs, **request_)


def test_silence_is_music_too(tmp_path: Path) -> None:
    inputs: dict[str, list[Draft] | Draft] = {"scenes": [picture(RED)], "soundtrack": silence(1)}
    draft = assembled(tmp_path, inputs, seconds=2)
    assert len(draft.arrays["samples"]) == 2 * draft.facts["rate"]
    assert not draft.arrays["samples"].any()


def test_a_sheet_shows_every_picture_with_its_line(tmp_path: Path) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)]
    sheet = assembled(
        tmp_path, {"images": [picture(colour, 96, 64) for colour in colours]},
        task="contact-sheet", columns=3, side=96, title="Five", captions=["a long line " * 9, "b"],
    ).arrays["pixels"]  # fmt: skip
    seen = [tuple(map(int, colour)) for colour in np.unique(sheet.reshape(-1, 3), axis=0)]
    assert set(colours) <= set(seen)
    places = [np.argwhere((sheet == colour).all(axis=2)).mean(axis=0) for colour in colours]
    assert places[0][0] == places[1][0] == places[2][0] < places[3][0] == places[4][0]
    assert places[0][1] == places[3][1] < places[1][1] < places[2][1]
    assert all((sheet == colour).all(axis=2).sum() == 96 * 64 for colour in colours)
