"""The commands beside the tasks, and what a right-click offers."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest

from studio.draft import Draft
from tests.discord.fake import BOB, CHANNEL, GUILD, Interaction
from tests.discord.fake.gateway import channel, thread
from tests.discord.fake.people import EVE
from tests.discord.stage import Stage
from tests.hosts import until

EPHEMERAL = 1 << 6


async def made(stage: Stage) -> Interaction:
    """A picture, posted."""
    order = await stage.discord.slash("imagine", prompt="a star", model="noise", count=1)
    await order.files(1)
    return order


def test_anybody_checks_a_file_and_sees_the_verdict_alone(stage: Stage) -> None:
    async def scene() -> None:
        order = await made(stage)
        checked = await stage.discord.right_click(order.message, "Check provenance", who=BOB)
        await checked.says("**Signed**")
        assert checked.message["flags"] & EPHEMERAL
        file = stage.discord.messages.file(order.message["attachments"][0])
        typed = await stage.discord.slash("verify", file=("found.png", file), who=BOB)
        await typed.says("**Signed** · found.png")
        typed = await stage.discord.slash("verify", file=("x.png", b"no picture"), locale="de")
        await typed.until(lambda one: one.said)
        nothing = stage.discord.says("no file here")
        answer = await stage.discord.right_click(nothing, "Check provenance")
        _, data, _ = await answer.answer()
        assert "no file" in data["content"]

    stage.play(scene())


def test_a_file_in_any_message_can_be_used(stage: Stage) -> None:
    async def scene() -> None:
        order = await made(stage)
        picture = stage.discord.messages.file(order.message["attachments"][0])
        message = stage.discord.says("look", ("mine.png", picture), who=BOB)
        chosen = await stage.discord.right_click(message, "Use as input")
        await chosen.says("What shall it become?")
        await stage.restart()
        asked = await stage.discord.press(chosen.message, "Image to image")
        _, modal, _ = await asked.answer()
        drawn = await stage.discord.fill_in(modal, prompt="at night")
        await drawn.files(4)
        job = (await stage.client().jobs(limit=1))[0]
        assert (job.task, job.request["prompt"]) == ("image-to-image", "at night")
        # What it was made from is known by its signature.
        before = (await stage.client().jobs(limit=2))[1]
        parents = (await stage.client().artifact(job.artifacts[0])).note.parents
        assert before.artifacts[0] in parents

    stage.play(scene())


def test_a_picture_in_any_message_is_described(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        order = await made(stage)
        described = Draft("text", 0, 0, facts={"text": "A grey noise."})
        monkeypatch.setattr(
            stage.lane, "_draft", lambda one: replace(described, index=one.index, seed=one.seed)
        )
        told = await stage.discord.right_click(order.message, "Describe", who=BOB)
        await told.says("A grey noise.")
        job = (await stage.client(BOB).jobs(limit=1))[0]
        assert job.task == "image-to-text"
        nothing = stage.discord.says("words", ("notes.txt", b"no picture"))
        refused = await stage.discord.right_click(nothing, "Describe")
        _, data, _ = await refused.answer()
        assert "no file" in data["content"]

    stage.play(scene())


def test_the_line_shows_ones_own_jobs_and_stops_them(stage: Stage) -> None:
    async def scene() -> None:
        stage.lane.go.clear()
        order = await stage.discord.slash("imagine", prompt="secret words", model="noise")
        await order.until(lambda one: one.edits)
        job = (await stage.client().jobs(limit=1))[0].id
        mine = await stage.discord.slash("queue")
        await mine.says(job)
        theirs = await stage.discord.slash("queue", who=BOB)
        await theirs.says("noise")
        assert job not in theirs.said
        assert "secret" not in theirs.said
        stopped = await stage.discord.slash("cancel", job=job)
        await stopped.says(job)
        stage.lane.go.set()
        await order.says("Stopped")
        refused = await stage.discord.slash("cancel", job=job, who=BOB)
        await refused.says("no such job")

    stage.play(scene())


def test_a_job_is_brought_here_and_only_by_its_owner(stage: Stage) -> None:
    async def scene() -> None:
        await made(stage)
        job = (await stage.client().jobs(limit=1))[0].id
        assert (await stage.discord.suggestions("show", "job", job="star"))[0] == job
        shown = await stage.discord.slash("show", job=job, direct=True)
        await shown.files(1)
        refused = await stage.discord.slash("show", job=job, who=BOB)
        await refused.says("no such job")

    stage.play(scene())


def test_people_see_and_take_along_what_is_theirs_and_can_erase_it(stage: Stage) -> None:
    async def scene() -> None:
        order = await stage.discord.slash("imagine", prompt="mine", model="noise", who=BOB)
        await order.files(4)
        history = await stage.discord.slash("me history", who=BOB)
        await history.says("mine")
        export = await stage.discord.slash("me export", who=BOB)
        file = (await export.files(1))[0]
        with zipfile.ZipFile(io.BytesIO(stage.discord.messages.file(file))) as archive:
            records = json.loads(archive.read("colophon.json"))
        assert records["jobs"][0]["request"]["prompt"] == "mine"
        kept = await stage.discord.slash("me erase", sure=False, who=BOB)
        await kept.says("Nothing was thrown away")
        assert await stage.client(BOB).artifacts()
        used = len(stage.bot.store.ordered(BOB.id, GUILD, 0))
        erased = await stage.discord.slash("me erase", sure=True, who=BOB)
        await erased.says("in the bin")
        assert await stage.client(BOB).artifacts() == []
        # Nothing is kept but that they ordered, or it would be the way to another day's orders.
        assert stage.bot.store._errands("WHERE user = ?", BOB.id) == []
        await set_rule(stage, "limit", per_day=used)
        assert f"your {used} orders" in await refusal(stage, prompt="x", who=BOB)
        await set_rule(stage, "limit")

    stage.play(scene())


def test_an_export_that_discord_does_not_take_says_so(stage: Stage) -> None:
    async def scene() -> None:
        largest, stage.discord.messages.largest = stage.discord.messages.largest, 100
        try:
            export = await stage.discord.slash("me export")
            await export.says("ask whoever runs this studio")
        finally:
            stage.discord.messages.largest = largest

    stage.play(scene())


async def set_rule(stage: Stage, path: str, **values: Any) -> Interaction:
    """Somebody who may changes a rule."""
    changed = await stage.discord.slash(f"settings {path}", who=EVE, **values)
    await changed.answer()
    return changed


async def refusal(stage: Stage, verb: str = "imagine", **values: Any) -> str:
    """What an order is refused with, to whoever gave it alone; empty if it is not."""
    order = await stage.discord.slash(verb, model="noise", **values)
    kind, data, _ = await order.answer()
    if kind == 5:
        await order.until(lambda one: one.message["attachments"])
        return ""
    assert data["flags"] & EPHEMERAL
    return str(data["content"])


def test_admins_say_what_is_allowed_and_everybody_is_told_why(stage: Stage) -> None:
    async def scene() -> None:
        await set_rule(stage, "tasks", allowed="edit, compose")
        assert "does not allow that command" in await refusal(stage, prompt="x")
        await set_rule(stage, "tasks")
        await set_rule(stage, "models", allowed="starter-pictures")
        assert "starter-pictures" in await refusal(stage, prompt="x")
        await set_rule(stage, "models")
        await set_rule(stage, "words", blocked="Dragon", gated="gore, blood")
        assert "does not allow one of these words" in await refusal(stage, prompt="a DRAGON!")
        assert await refusal(stage, prompt="a dragonfly") == ""
        assert "age-restricted" in await refusal(stage, prompt="much blood")
        await stage.discord.gateway.dispatch("CHANNEL_UPDATE", channel(nsfw=True))
        assert await refusal(stage, prompt="much blood") == ""
        await stage.discord.gateway.dispatch("CHANNEL_UPDATE", channel())
        await set_rule(stage, "words")
        audit = await set_rule(stage, "audit")
        await audit.says("models: starter-pictures")
        assert f"<@{EVE.id}>" in audit.said

    stage.play(scene())


def test_admins_have_files_hidden_until_they_are_tapped(stage: Stage) -> None:
    async def scene() -> None:
        await set_rule(stage, "spoiler", hidden=True)
        hidden = await made(stage)
        assert all(one["filename"].startswith("SPOILER_") for one in hidden.message["attachments"])
        again = await stage.discord.slash("imagine", prompt="x", model="noise", count=1)
        assert (await again.files(1))[0]["filename"].startswith("SPOILER_")
        await set_rule(stage, "spoiler", hidden=False)
        shown = await made(stage)
        assert not shown.message["attachments"][0]["filename"].startswith("SPOILER_")

    stage.play(scene())


def test_limits_hold_for_everybody_for_roles_and_for_channels(stage: Stage) -> None:
    async def scene() -> None:
        used = len(stage.bot.store.ordered("4000", GUILD, 0))
        await set_rule(stage, "limit", per_day=0)
        assert "may not order anything" in await refusal(stage, prompt="x")
        # Ada's role lets her.
        await set_rule(stage, "limit", role="5000", per_day=used + 1)
        quota = await stage.discord.slash("me quota")
        await quota.says(f"{used} of {used + 1}")
        assert await refusal(stage, prompt="x") == ""
        assert f"your {used + 1} orders" in await refusal(stage, prompt="x")
        await set_rule(stage, "limit", role="5000", per_day=1000)
        await set_rule(stage, "limit", channel=CHANNEL, cooldown=60)
        assert "Not so fast" in await refusal(stage, prompt="x")
        await stage.restart()
        assert "Not so fast" in await refusal(stage, prompt="x")
        subjects: list[dict[str, Any]] = [{}, {"role": "5000"}, {"channel": CHANNEL}]
        for subject in subjects:
            await set_rule(stage, "limit", **subject)
        assert await refusal(stage, prompt="x") == ""

    stage.play(scene())


def test_the_limits_of_a_channel_hold_in_its_threads(stage: Stage) -> None:
    async def scene() -> None:
        inside = str(stage.discord.says("look")["id"])
        stage.discord.threads[inside] = thread(inside, "a thread")
        await set_rule(stage, "limit", channel=CHANNEL, per_day=0)
        assert "may not order anything" in await refusal(stage, prompt="x", where=inside)
        quota = await stage.discord.slash("me quota", where=inside)
        await quota.says(" of 0 orders")
        await set_rule(stage, "limit", channel=CHANNEL)
        assert await refusal(stage, prompt="x", where=inside) == ""

    stage.play(scene())


def test_where_few_models_are_allowed_one_is_chosen_for_those_who_name_none(
    stage: Stage,
) -> None:
    async def scene() -> None:
        await set_rule(stage, "models", allowed="noise")
        try:
            order = await stage.discord.slash("imagine", prompt="a red circle")
            await order.files(4)
            varied = await stage.discord.press(order.message, "V2")
            await varied.files(4)
            large = await stage.discord.press(order.message, "U1")
            await large.files(1)
            asked = await stage.discord.press(large.message, "Image to image")
            _, window, _ = await asked.answer()
            drawn = await stage.discord.fill_in(window, prompt="at night")
            await drawn.files(4)
            ordered = await stage.client().jobs(limit=3)
            assert [job.card for job in ordered] == ["noise"] * 3
            # None of those that are allowed can do it.
            told = await stage.discord.right_click(large.message, "Describe")
            await told.says("allows these models alone; name one: noise")
        finally:
            await set_rule(stage, "models")

    stage.play(scene())


def test_nobody_else_changes_the_rules(stage: Stage) -> None:
    async def scene() -> None:
        settings = next(one for one in stage.discord.commands if one["name"] == "settings")
        assert settings["default_member_permissions"] == 0x20
        tried = await stage.discord.slash("settings tasks", allowed="edit")
        await tried.until(lambda one: one.first.done())
        assert stage.bot.store.rules(GUILD).tasks == ()

    stage.play(scene())


def test_people_are_answered_in_their_language(stage: Stage) -> None:
    async def scene() -> None:
        order = await stage.discord.slash("imagine", prompt="x", model="noise", locale="de")
        await order.says("KI-generiert mit noise")
        await until(lambda: stage.bot.store.open_count() == 0)

    stage.play(scene())
