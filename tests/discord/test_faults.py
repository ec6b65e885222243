"""What goes wrong at Discord, and what becomes of the order all the same."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bots.buttons import button_id
from bots.errand import Errand, State
from bots.store import Store
from tests.discord.fake import ADA, CHANNEL, Fault, Interaction
from tests.discord.fake.people import BOT, DIRECT
from tests.discord.stage import PUBLIC, Stage, enter, leave
from tests.hosts import until

TOO_LATE, FORBIDDEN, UNKNOWN_MESSAGE, NO_CHANNEL = 50027, 50013, 10008, 10003


@pytest.fixture(autouse=True)
def nothing_left(stage: Stage) -> Iterator[None]:
    """No test leaves faults behind, or a lane that waits."""
    yield
    stage.discord.faults.clear()
    stage.discord.messages.largest = 10 * 2**20
    stage.discord.gateway.resumable = True
    stage.discord.slow = 0.0
    stage.lane.go.set()


async def held(stage: Stage, **more: Any) -> Interaction:
    """An order whose job has begun, and goes on when the lane may."""
    stage.lane.go.clear()
    order = await stage.discord.slash("imagine", prompt="x", model="noise", count=1, **more)
    await order.until(lambda one: one.edits)
    return order


def results(stage: Stage, job: str, channel: str = CHANNEL) -> list[dict[str, Any]]:
    """The messages that show a job's result."""
    mark = button_id("again", job)
    return [
        one
        for one in stage.discord.messages.all.values()
        if one["channel_id"] == channel and mark in str(one["components"])
    ]


def state_of(stage: Stage, order: Interaction) -> State:
    """How far the bot says that it is with an order."""
    errands = stage.bot.store._errands("WHERE id = ?", order.id)
    return errands[0].state


async def last_job(stage: Stage) -> str:
    return (await stage.client().jobs(limit=1))[0].id


def test_after_fifteen_minutes_the_result_comes_as_a_new_message(
    stage: Stage, tmp_path: Path
) -> None:
    async def scene() -> None:
        order = await held(stage)
        order.expired = True
        stage.lane.go.set()
        await until(lambda: state_of(stage, order) is State.POSTED)
        message = results(stage, await last_job(stage))[0]
        assert message["nonce"] == order.id
        assert message["content"].startswith(f"<@{ADA.id}>")
        assert await stage.verified(message["attachments"][0], tmp_path) == "signed"

    stage.play(scene())


@pytest.mark.parametrize("where", ["direct", "user"])
def test_what_was_ordered_by_oneself_comes_to_oneself(stage: Stage, where: str) -> None:
    async def scene() -> None:
        more = {"direct": True} if where == "direct" else {"installed": "user"}
        order = await held(stage, **more)
        order.expired = True
        stage.lane.go.set()
        await until(lambda: state_of(stage, order) is State.POSTED)
        job = await last_job(stage)
        assert len(results(stage, job, DIRECT)) == 1
        assert results(stage, job, CHANNEL) == []

    stage.play(scene())


@pytest.mark.parametrize(("status", "code"), [(403, FORBIDDEN), (404, NO_CHANNEL)])
def test_where_the_bot_may_not_write_the_result_comes_to_oneself(
    stage: Stage, status: int, code: int
) -> None:
    async def scene() -> None:
        order = await held(stage)
        order.expired = True
        stage.discord.faults.append(Fault("POST", f"/channels/{CHANNEL}/", status, code, times=9))
        stage.lane.go.set()
        await until(lambda: state_of(stage, order) is State.POSTED)
        assert len(results(stage, await last_job(stage), DIRECT)) == 1

    stage.play(scene())


def test_who_cannot_be_reached_at_all_is_written_down(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        order = await held(stage)
        order.expired = True
        stage.discord.faults.append(Fault("POST", "/channels/", 403, FORBIDDEN, times=9))
        stage.lane.go.set()
        await until(lambda: state_of(stage, order) is State.DROPPED)
        assert "nowhere to post" in caplog.text

    with caplog.at_level(logging.INFO):
        stage.play(scene())


def test_an_answer_that_was_deleted_is_not_posted_again(stage: Stage) -> None:
    async def scene() -> None:
        order = await held(stage)
        del stage.discord.messages.all[order.message["id"]]
        stage.lane.go.set()
        await until(lambda: state_of(stage, order) is State.DROPPED)
        assert results(stage, await last_job(stage)) == []

    stage.play(scene())


def test_a_storm_of_limits_delays_the_result_and_loses_nothing(stage: Stage) -> None:
    async def scene() -> None:
        order = await held(stage)
        stage.discord.faults.append(Fault("PATCH", "/webhooks/", 429, after=0.1, times=4))
        stage.lane.go.set()
        await order.files(1)
        assert stage.discord.faults[-1].times == 0
        assert len(results(stage, await last_job(stage))) == 1

    stage.play(scene())


def test_an_edit_that_is_under_way_does_not_come_after_the_end(stage: Stage) -> None:
    async def scene() -> None:
        order = await held(stage)
        stage.discord.slow = 2.0
        stage.lane.go.set()
        await until(lambda: state_of(stage, order) is State.POSTED)
        sent = stage.discord.called("PATCH", f"/webhooks/{BOT.id}/{order.token}/")
        await until(lambda: len(order.edits) == len(sent))
        assert order.message["attachments"]

    stage.play(scene())


def test_a_post_whose_answer_was_lost_is_not_posted_twice(stage: Stage) -> None:
    async def scene() -> None:
        order = await held(stage)
        order.expired = True
        lost = Fault("POST", f"/channels/{CHANNEL}/", 500, times=1, carried_out=True)
        stage.discord.faults.append(lost)
        stage.lane.go.set()
        await until(lambda: state_of(stage, order) is State.POSTED)
        assert lost.times == 0
        assert len(results(stage, await last_job(stage))) == 1

    stage.play(scene())


def test_a_bot_that_died_after_posting_finds_its_post(stage: Stage) -> None:
    """Discord itself has forgotten the nonce by then."""

    async def scene() -> None:
        order = await held(stage)
        stage.lane.go.set()
        await order.files(1)
        job = await last_job(stage)
        errand = stage.bot.store._errands("WHERE id = ?", order.id)[0]
        stage.bot.store.update(errand, state=State.SENDING, token="gone")
        stage.discord.messages.forget_nonces()
        await stage.restart()
        await until(lambda: state_of(stage, order) is State.POSTED)
        assert len(results(stage, job)) == 1
        assert stage.discord.called("POST", f"/channels/{CHANNEL}/messages") == []

    stage.discord.calls.clear()
    stage.play(scene())


def test_a_file_that_discord_does_not_take_becomes_a_link(stage: Stage) -> None:
    async def scene() -> None:
        stage.discord.messages.largest = 2000
        order = await stage.discord.slash("imagine", prompt="x", model="noise", count=1)
        await order.says("For a week it is here")
        assert f"{PUBLIC}/api/v1/shared/" in order.said
        assert order.message["attachments"] == []

    stage.play(scene())


def test_a_place_that_takes_less_than_it_said_gets_a_link(stage: Stage) -> None:
    async def scene() -> None:
        order = await held(stage)
        stage.discord.messages.largest = 2000
        stage.lane.go.set()
        await order.says("For a week it is here")

    stage.play(scene())


@pytest.mark.parametrize("heard", [False, True])
def test_an_order_whose_first_answer_is_lost_is_carried_out_all_the_same(
    stage: Stage, heard: bool
) -> None:
    async def scene() -> None:
        stage.discord.faults.append(Fault("POST", "/interactions/", 0, carried_out=heard))
        order = await stage.discord.slash("imagine", prompt="x", model="noise", count=1)
        done = "WHERE id = ? AND state = 'posted'"
        await until(lambda: stage.bot.store._errands(done, order.id), seconds=20)
        assert len(results(stage, await last_job(stage))) == 1
        assert bool(order.message) is heard

    stage.play(scene())


def test_a_broken_line_is_taken_up_again_with_what_was_missed(stage: Stage) -> None:
    async def scene() -> None:
        order = await held(stage)
        identified = len(stage.discord.gateway.identified)
        await stage.discord.gateway.drop()
        missed = await stage.discord.slash("imagine", prompt="y", model="noise", count=1)
        missed.sent += 10
        stage.lane.go.set()
        await order.files(1)
        await missed.files(1)
        assert stage.discord.gateway.resumed
        assert len(stage.discord.gateway.identified) == identified

    stage.play(scene())


def test_a_session_that_is_over_begins_anew_and_the_job_goes_on(stage: Stage) -> None:
    async def scene() -> None:
        order = await held(stage)
        identified = len(stage.discord.gateway.identified)
        stage.discord.gateway.resumable = False
        await stage.discord.gateway.drop()
        stage.lane.go.set()
        await order.files(1)
        await until(lambda: len(stage.discord.gateway.identified) > identified)

    stage.play(scene())


def test_two_bots_of_one_account_carry_an_order_out_once(stage: Stage, tmp_path: Path) -> None:
    async def scene() -> None:
        other = await enter(stage.discord, stage.host, tmp_path)
        try:
            before = stage.discord.answered_twice
            order = await stage.discord.slash("imagine", prompt="x", model="noise", count=1)
            await order.files(1)
            await until(lambda: stage.discord.answered_twice == before + 1)
            job = await last_job(stage)
            await until(lambda: stage.bot.store.open_count() + other.store.open_count() == 0)
            assert len(results(stage, job)) == 1
            assert sum(1 for edit in order.edits if edit.files) == 1
        finally:
            await leave(other)

    stage.play(scene())


def test_an_order_that_fails_says_why_and_can_be_tried_again(stage: Stage) -> None:
    async def scene() -> None:
        order = await stage.discord.slash("edit", prompt="x", image=("a.png", b"no picture"))
        await order.until(lambda one: one.said and not one.message["flags"] & 1 << 7)
        assert "picture" in order.said.lower() or "file" in order.said.lower()
        assert state_of(stage, order) is State.POSTED

    stage.play(scene())


def test_tokens_are_not_kept_once_the_errand_is_done(stage: Stage, tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        errand = Errand("1", "secret", "2", "3", "", False, "en", 1, "text-to-image", {})
        assert store.take(errand)
        assert not store.take(errand)
        store.update(errand, state=State.POSTED)
        assert store.unfinished() == []
        assert store._errands("WHERE id = '1'")[0].token == ""
