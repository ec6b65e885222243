"""Recipes from Discord: begun, followed, stopped, shown once, whatever happens to the bot."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bots.errand import State
from studio.errors import Broken
from studio.recipes.run import RunState
from tests.discord.fake import BOB, CHANNEL, Interaction
from tests.discord.fake.people import EVE
from tests.discord.stage import Stage
from tests.discord.test_buttons import labels
from tests.hosts import until

#: An answer is a chain of small steps, each of which a busy machine draws out.
soon = partial(until, seconds=40)
#: Two pictures, the second one drawn on the first.
OWN = b"""
name: twice
title: Twice
inputs:
  subject: {title: Subject}
  seed: {title: Seed, type: integer, default: 7, minimum: 0}
steps:
  first: {task: text-to-image, with: {prompt: "{subject}", model: noise, seed: "{seed}"}}
  second: {task: image-to-image, with: {prompt: "{subject}", model: noise, image: "{first}"}}
outputs: [second]
"""


@pytest.fixture(autouse=True)
def nothing_left(stage: Stage) -> Iterator[None]:
    """No test leaves a lane that waits."""
    yield
    stage.lane.go.set()
    stage.discord.gives.set()


async def own(stage: Stage, **more: Any) -> Interaction:
    """The recipe above, ordered."""
    file = ("twice.yaml", OWN)
    more = {"inputs": "subject = a red boat; seed = 5", **more}
    return await stage.discord.slash("recipe own", file=file, **more)


def posts(stage: Stage, run: str) -> list[dict[str, Any]]:
    """The messages that show the end of a run."""
    mark = f"colophon:rerun:{run}:"
    return [m for m in stage.discord.messages.all.values() if mark in str(m["components"])]


async def last_run(stage: Stage) -> str:
    return (await stage.client().runs(limit=1))[0].id


def test_every_recipe_that_ships_is_a_command_with_its_inputs(stage: Stage) -> None:
    async def scene() -> None:
        board = await stage.discord.slash("recipe style-board", subject="a tower")
        files = await board.files(4)
        assert "**Style board: a tower**" in board.said
        assert "AI-generated with" in board.said
        assert len({stage.discord.messages.file(one) for one in files}) == 4
        assert labels(board.message) == ["Again"]
        # A recipe that takes a picture takes it as a file.
        picture = ("x.png", stage.discord.messages.file(files[0]))
        varied = await stage.discord.slash("recipe augmented-set", picture=picture, caption="a")
        await varied.files(4)

    stage.play(scene())


def test_ones_own_recipe_is_followed_step_by_step_and_its_output_comes_once(
    stage: Stage, tmp_path: Path
) -> None:
    async def scene() -> None:
        stage.lane.go.clear()
        order = await own(stage)
        await order.says("0 of 2 steps done · first")
        assert "Stop" in labels(order.message)
        stage.lane.go.set()
        (file,) = await order.files(1)
        assert await stage.verified(file, tmp_path) == "signed"
        assert {"Again", "Favourite", "Image lettering"} <= set(labels(order.message))
        run = await last_run(stage)
        assert len(posts(stage, run)) == 1
        (line,) = await stage.client().lines(run)
        job = await stage.client().job(str(line.steps[1].job))
        assert job.request["prompt"] == "a red boat"
        # What it made can be kept, and made into something else.
        star = await stage.discord.press(order.message, "Favourite")
        await star.says("among your favourites")
        again = await stage.discord.press(order.message, "Again")
        await again.files(1)
        (other,) = await stage.client().lines(await last_run(stage))
        assert other.values["seed"] != line.values["seed"]
        assert other.values["subject"] == "a red boat"
        strange = await stage.discord.press(order.message, "Again", who=BOB)
        _, data, _ = await strange.answer()
        assert "no such run" in data["content"]

    stage.play(scene())


def test_what_is_wrong_with_a_recipe_is_said(stage: Stage) -> None:
    async def scene() -> None:
        empty = await own(stage, inputs="")
        await empty.says("subject is missing")
        odd = await stage.discord.slash("recipe own", file=("x.yaml", b"name: ["))
        await odd.says("not YAML")
        wrong = await stage.discord.slash("recipe own", file=("x.yaml", b"\xff\xfe"))
        await wrong.says("no UTF-8")
        strange = await own(stage, inputs="colour = red")
        await strange.says("has no input 'colour'")
        loose = await own(stage, inputs="a red boat")
        await loose.says("is no input")

    stage.play(scene())


def test_a_run_that_fails_says_why(stage: Stage) -> None:
    async def scene() -> None:
        stage.lane._errors = iter([Broken("The lamp went out.") for _ in range(9)])
        order = await own(stage)
        await order.says("Not made")
        assert posts(stage, await last_run(stage)) == [order.message]
        stage.lane._errors = iter([])

    stage.play(scene())


@pytest.mark.parametrize("how", ["button", "command"])
def test_a_run_can_be_stopped(stage: Stage, how: str) -> None:
    async def scene() -> None:
        stage.lane.go.clear()
        order = await own(stage)
        await order.says("0 of 2")
        run = await last_run(stage)
        if how == "button":
            other = await stage.discord.press(order.message, "Stop", who=BOB)
            await soon(lambda: other.followups)
            await stage.discord.press(order.message, "Stop")
        else:
            assert run in await stage.discord.suggestions("cancel", "job", job="twice")
            stopped = await stage.discord.slash("cancel", job=run)
            await stopped.says(run)
        await order.says("Stopped")
        assert (await stage.client().run(run)).state is RunState.STOPPED

    stage.play(scene())


def test_a_run_outlives_the_bot_and_is_posted_once(stage: Stage) -> None:
    async def scene() -> None:
        stage.lane.go.clear()
        order = await own(stage)
        await order.says("0 of 2")
        await stage.restart()
        order.expired = True
        stage.lane.go.set()
        run = await last_run(stage)
        await soon(lambda: len(posts(stage, run)) == 1)
        await soon(lambda: stage.bot.store.open_count() == 0)
        (errand,) = stage.bot.store._errands("WHERE id = ?", order.id)
        # As if it had been killed before it could write down that it was done.
        stage.bot.store.update(errand, state=State.SENDING)
        stage.discord.messages.forget_nonces()
        await stage.restart()
        await soon(lambda: stage.bot.store.open_count() == 0)
        assert len(posts(stage, run)) == 1
        assert posts(stage, run)[0]["channel_id"] == CHANNEL
        shown = await stage.discord.slash("show", job=run)
        await shown.files(1)

    stage.play(scene())


def test_ones_own_recipe_is_not_lost_with_a_bot_that_had_not_read_it(stage: Stage) -> None:
    async def scene() -> None:
        stage.discord.gives.clear()
        order = await own(stage)
        await order.answer()
        await stage.restart()
        stage.discord.gives.set()
        await order.files(1)
        assert len(posts(stage, await last_run(stage))) == 1

    stage.play(scene())


def test_a_recipe_keeps_to_the_rules_of_the_server(stage: Stage) -> None:
    async def scene() -> None:
        await (await stage.discord.slash("settings tasks", allowed="imagine", who=EVE)).answer()
        refused = await own(stage)
        await refused.says("does not allow that command")
        await (await stage.discord.slash("settings tasks", who=EVE)).answer()
        await (await stage.discord.slash("settings words", blocked="boat", who=EVE)).answer()
        refused = await own(stage)
        await refused.says("does not allow one of these words")
        await (await stage.discord.slash("settings words", who=EVE)).answer()

    stage.play(scene())


def test_ones_own_recipe_is_one_order_and_has_its_owners_limits(stage: Stage) -> None:
    async def limit(**values: Any) -> None:
        await (await stage.discord.slash("settings limit", who=EVE, **values)).answer()

    async def scene() -> None:
        await limit(cooldown=60)
        first = await own(stage, who=BOB)
        await first.files(1)
        second = await own(stage, who=BOB)
        await second.says("Not so fast")
        await limit(per_day=0)
        await limit(role="5000", per_day=1000)
        # Ada's role lets her, though it is looked at after the answer.
        mine = await own(stage)
        await mine.files(1)
        await limit()
        await limit(role="5000")

    stage.play(scene())
