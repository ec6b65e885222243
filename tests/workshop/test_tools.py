"""Tools without a model: what they do to sounds and pictures, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import mastering
from studio.draft import Draft
from studio.errors import Cancelled, InvalidRequest
from studio.families import Order, Spec
from studio.families.workshop.family import TOOLS, Workshop
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import Recorder

RATE = 8000


def tone(seconds: float, level: float = 0.3, pitch: float = 220.0, rate: int = RATE) -> Draft:
    time = np.arange(round(seconds * rate)) / rate
    samples = (level * np.sin(2 * np.pi * pitch * time)).astype(np.float32)[:, None]
    return Draft("audio", 0, 0, {"samples": samples}, {"rate": rate})


def silence(seconds: float) -> Draft:
    return Draft("audio", 0, 0, {"samples": np.zeros((round(seconds * RATE), 1), np.float32)},
                 {"rate": RATE})  # fmt: skip


def grey(width: int = 320, height: int = 240) -> Draft:
    return Draft("image", 0, 0, {"pixels": np.full((height, width, 3), 128, np.uint8)})


def made(task: str, folder: Path, inputs: dict[str, Draft], **request: Any) -> Draft:
    """What the workshop makes of an order whose inputs lie in `folder`."""
    bench = Workshop().load(Spec("workshop", folder, "float32", None, {}), "cpu", "full")
    values = build(TASKS[task].request, {**dict.fromkeys(inputs, "id"), **request}).model_dump()
    folders = {field: draft.spool(folder / field) for field, draft in inputs.items()}
    progress = Recorder()
    (draft,) = bench.generate([Order("job", 0, task, values, 7, folders)], progress)
    assert progress.steps[-1] == (100, 100)
    return draft


def test_every_task_on_the_card_has_a_tool(card_tasks: tuple[str, ...]) -> None:
    # Slips of the pen have a card of their own: one order may want many, each by its seed.
    assert {*card_tasks, "text-noising"} == set(TOOLS)


def test_mastering_cuts_trims_and_sets_the_loudness(tmp_path: Path) -> None:
    parts = [silence(1).arrays["samples"], tone(4).arrays["samples"], silence(1).arrays["samples"]]
    sound = Draft("audio", 0, 0, {"samples": np.concatenate(parts)}, {"rate": RATE})
    draft = made("audio-mastering", tmp_path, {"audio": sound}, trim=True, loudness=-20.0,
                 end=5.5, fade_out=0.5)  # fmt: skip
    samples = draft.arrays["samples"]
    assert len(samples) / RATE == pytest.approx(4.1, abs=0.02)
    assert mastering.measure(samples, RATE).loudness == pytest.approx(-20, abs=0.6)
    assert np.abs(samples[-40:]).max() < np.abs(samples[: 2 * RATE]).max() / 10


def test_mastering_changes_the_rate_and_keeps_the_pitch(tmp_path: Path) -> None:
    draft = made("audio-mastering", tmp_path, {"audio": tone(2)}, rate="16000", loudness=None)
    assert draft.facts["rate"] == 16_000
    spectrum = np.abs(np.fft.rfft(draft.arrays["samples"][:, 0]))
    assert spectrum.argmax() / 2 == pytest.approx(220, abs=1)


def test_the_music_steps_back_while_somebody_speaks(tmp_path: Path) -> None:
    spoken = np.concatenate([silence(2).arrays["samples"], tone(2, 0.5, 700).arrays["samples"]])
    voice = Draft("audio", 0, 0, {"samples": spoken}, {"rate": RATE})
    draft = made("audio-mixing", tmp_path, {"voice": voice, "music": tone(1, 0.3, 100, 16_000)},
                 duck=20.0, music_level=0.0)  # fmt: skip
    assert draft.facts["rate"] == 16_000
    mixed = draft.arrays["samples"][:, 0]
    assert len(mixed) / 16_000 == pytest.approx(5, abs=0.01)

    def music(begin: float) -> float:
        part = mixed[round(begin * 16_000) :][:8000]
        return float(np.abs(np.fft.rfft(part))[50])

    assert 15 < 20 * np.log10(music(1.0) / music(3.5)) < 21


@pytest.mark.parametrize("place", ["top", "middle", "bottom"])
def test_a_text_is_written_where_it_should_be_and_nowhere_else(tmp_path: Path, place: str) -> None:
    draft = made(
        "image-lettering", tmp_path, {"image": grey()}, text="Ein Boot für Zoë", place=place
    )
    changed = (draft.arrays["pixels"] != 128).any(axis=(1, 2)).nonzero()[0]
    assert {"top": changed[0] == 0, "bottom": changed[-1] == 239,
            "middle": abs(changed[0] + changed[-1] - 239) <= 1}[place]  # fmt: skip
    assert len(changed) < 120
    assert draft.arrays["pixels"].max() == 255, "no letter is to be seen"


def test_a_long_text_gets_smaller_letters_and_more_lines(tmp_path: Path) -> None:
    draft = made("image-lettering", tmp_path, {"image": grey()}, text="many words " * 25)
    ink = (draft.arrays["pixels"].min(axis=2) > 200).nonzero()
    assert ink[1].min() > 0
    assert ink[1].max() < 319


@pytest.mark.parametrize(
    ("task", "inputs", "request_", "says"),
    [
        ("audio-mastering", {"audio": silence(1)}, {}, "no loudness"),
        ("audio-mastering", {"audio": tone(1)}, {"begin": 3.0}, "left of a sound of 1.0"),
        (
            "audio-mastering",
            {"audio": tone(1)},
            {"begin": 0.8, "end": 0.2},
            "left of a sound of 1.0",
        ),
        ("audio-mixing", {"voice": tone(1), "music": silence(1)}, {}, "music: it is silent"),
        ("image-lettering", {"image": grey()}, {"text": "漢字"}, "no 字 漢"),
        ("image-lettering", {"image": grey(16, 16)}, {"text": "word " * 50}, "does not fit"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, task: str, inputs: dict[str, Draft], request_: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        made(task, tmp_path, inputs, **request_)


def test_a_cancelled_order_makes_nothing(tmp_path: Path) -> None:
    folders = {"image": grey().spool(tmp_path / "image")}
    values = build(TASKS["image-lettering"].request, {"image": "id", "text": "word"}).model_dump()
    order = Order("job", 0, "image-lettering", values, 7, folders)
    bench = Workshop().load(Spec("workshop", tmp_path, "float32", None, {}), "cpu", "full")
    with pytest.raises(Cancelled):
        list(bench.generate([order], Recorder(stop_at=1)))


def test_a_picture_becomes_larger_with_what_shines_through(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[:, 15:] = 255
    draft = made(
        "image-upscaling", tmp_path, {"image": Draft("image", 0, 0, {"pixels": pixels})}, factor=1.5
    )
    large = draft.arrays["pixels"]
    assert large.shape == (30, 45, 4)
    assert (large[:, :18] == 0).all()
    assert (large[:, 27:] == 255).all()


def test_a_picture_cannot_become_larger_than_pictures_are(tmp_path: Path) -> None:
    wide = Draft("image", 0, 0, {"pixels": np.zeros((8, 4096, 3), np.uint8)})
    with pytest.raises(InvalidRequest, match="longest side"):
        made("image-upscaling", tmp_path, {"image": wide}, factor=2.5)
