"""The buttons below a result."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from studio.draft import Draft
from studio.families import Order
from studio.score import Note, Score
from tests.discord.fake import ADA, BOB, Interaction
from tests.discord.fake.acts import walk
from tests.discord.stage import Stage
from tests.hosts import until

EPHEMERAL = 1 << 6
WALTZ = Score(90.0, "3/4", "Bb minor", 1, {"melody": "piano"}, (Note(0, 480, 70, 90, "melody"),))


def waltz(order: Order) -> Draft:
    """A second of a quiet hum, with the notes of `WALTZ`."""
    hum = np.sin(np.arange(44100) / 20, dtype=np.float32)[:, None] * np.float32(0.1)
    facts = {"rate": 44100, "score": WALTZ.record()}
    return Draft("audio", order.index, order.seed, {"samples": hum}, facts)


async def grid(stage: Stage, **more: Any) -> Interaction:
    """A grid of four, done."""
    order = await stage.discord.slash("imagine", prompt="a red circle", model="noise", **more)
    await order.files(4)
    return order


def labels(message: dict[str, Any]) -> list[str]:
    return [one["label"] for one in walk(message.get("components", [])) if "label" in one]


def test_a_grid_has_all_the_buttons_and_they_work_after_a_restart(
    stage: Stage, tmp_path: Path
) -> None:
    async def scene() -> None:
        order = await grid(stage)
        assert labels(order.message)[:8] == ["U1", "U2", "U3", "U4", "V1", "V2", "V3", "V4"]
        await stage.restart()
        large = await stage.discord.press(order.message, "U2")
        files = await large.files(1)
        assert files[0]["filename"] == order.message["attachments"][1]["filename"]
        assert stage.discord.messages.file(files[0]) == stage.discord.messages.file(
            order.message["attachments"][1]
        )
        assert await stage.verified(files[0], tmp_path) == "signed"
        assert {"Vary", "Again", "Remix", "Favourite"} <= set(labels(large.message))

    stage.play(scene())


def test_variations_begin_with_the_picture_that_was_chosen(stage: Stage) -> None:
    async def scene() -> None:
        order = await grid(stage)
        varied = await stage.discord.press(order.message, "V3")
        await varied.files(4)
        ordered = (await stage.client().jobs(limit=2))[::-1]
        assert [job.task for job in ordered] == ["text-to-image", "image-to-image"]
        assert ordered[1].request["image"] == ordered[0].artifacts[2]
        assert ordered[1].request["prompt"] == "a red circle"

    stage.play(scene())


def test_again_is_the_same_order_with_another_seed(stage: Stage) -> None:
    async def scene() -> None:
        order = await grid(stage, guidance=3.5)
        again = await stage.discord.press(order.message, "Again", who=BOB)
        await again.files(4)
        mine, theirs = (
            (await stage.client().jobs(limit=1))[0],
            (await stage.client(BOB).jobs(limit=1))[0],
        )
        assert mine.request["seed"] != theirs.request["seed"]
        assert {**mine.request, "seed": 0} == {**theirs.request, "seed": 0}

    stage.play(scene())


def test_remix_asks_for_other_words_and_survives_a_restart(stage: Stage) -> None:
    async def scene() -> None:
        order = await grid(stage)
        asked = await stage.discord.press(order.message, "Remix")
        kind, modal, _ = await asked.answer()
        assert kind == 9
        assert modal["components"][0]["component"]["value"] == "a red circle"
        await stage.restart()
        changed = await stage.discord.fill_in(modal, prompt="a blue square")
        await changed.files(4)
        assert "**a blue square**" in changed.said

    stage.play(scene())


def test_a_favourite_is_starred_in_the_gallery_by_its_owner_alone(stage: Stage) -> None:
    async def scene() -> None:
        order = await grid(stage)
        large = await stage.discord.press(order.message, "U1")
        await large.files(1)
        star = await stage.discord.press(large.message, "Favourite")
        await star.says("among your favourites now")
        job = (await stage.client().jobs(limit=1))[0]
        assert (await stage.client().artifact(job.artifacts[0])).keeping.starred
        other = await stage.discord.press(large.message, "Favourite", who=BOB)
        await other.says("no such job")
        star = await stage.discord.press(large.message, "Favourite")
        await star.says("not among your favourites")

    stage.play(scene())


def test_a_job_is_stopped_by_its_owner_and_by_nobody_else(stage: Stage) -> None:
    async def scene() -> None:
        stage.lane.go.clear()
        order = await stage.discord.slash("imagine", prompt="x", model="noise")
        await order.until(lambda one: "Stop" in labels(one.message))
        job = (await stage.client().jobs(limit=1))[0]
        other = await stage.discord.press(order.message, "Stop", who=BOB)
        await until(lambda: other.followups)
        assert "no such job" in other.followups[0]["content"]
        assert other.followups[0]["flags"] & EPHEMERAL
        assert not (await stage.client().job(job.id)).state.final
        await (await stage.discord.press(order.message, "Stop", who=ADA)).answer()
        stage.lane.go.set()
        await order.says("Stopped")
        assert labels(order.message) == ["Again"]

    stage.play(scene())


def test_what_a_result_can_become_is_offered_below_it(stage: Stage) -> None:
    async def scene() -> None:
        order = await grid(stage)
        large = await stage.discord.press(order.message, "U4")
        await large.files(1)
        steps = {"Image to image", "Image to video", "Image lettering", "Image conversion"}
        assert steps <= set(labels(large.message))
        asked = await stage.discord.press(large.message, "Image lettering")
        _, modal, _ = await asked.answer()
        assert [row["component"]["custom_id"] for row in modal["components"]] == ["text"]
        asked = await stage.discord.press(large.message, "Image to image")
        _, modal, _ = await asked.answer()
        made = await stage.discord.fill_in(modal, prompt="at night")
        await made.files(4)
        last, before = await stage.client().jobs(limit=2)
        assert last.request["image"] == before.artifacts[3]

    stage.play(scene())


def test_the_notes_of_a_piece_come_as_a_midi_file_and_as_a_sheet(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        picture = await stage.discord.slash("imagine", prompt="x", model="noise", count=1)
        await picture.files(1)
        assert "Score" not in labels(picture.message)
        monkeypatch.setattr(stage.lane, "_draft", waltz)
        tune = await stage.discord.slash("compose", prompt="a waltz")
        await tune.files(1)
        await stage.restart()
        asked = await stage.discord.press(tune.message, "Score", who=BOB)
        midi, sheet = map(stage.discord.messages.file, await asked.files(2))
        notes = [one.note for one in mido.MidiFile(file=io.BytesIO(midi)) if one.type == "note_on"]
        assert notes == [70]
        assert sheet.startswith(b"%abc-2.1")
        assert "no sound" in asked.said

    stage.play(scene())
