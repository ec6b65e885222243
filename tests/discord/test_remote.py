"""What the bot's way to the studio bears: another studio at the same home, and long calls."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from bots import serve
from bots.serve import Attached
from studio import attach, remote
from studio.errors import NotFound, Unavailable
from studio.local import LocalClient
from studio.recipes.rows import Row
from studio.remote import RemoteClient
from studio.runs import Plan
from tests.discord import bot_process
from tests.discord.fake import BOB, FakeDiscord
from tests.discord.test_chat import picture
from tests.discord.test_kills import studio
from tests.hosts import run


def test_whoever_holds_the_way_to_an_earlier_studio_is_told_to_come_again(tmp_path: Path) -> None:
    async def scene() -> None:
        home = tmp_path / "home"
        async with Attached(home) as here, contextlib.AsyncExitStack() as held:
            async with studio(home):
                ann = await held.enter_async_context(here.client("discord:ann"))
                await ann.queue()
            async with studio(home):
                async with here.client("discord:bob") as bob:
                    await bob.queue()
                with pytest.raises(Unavailable, match="does not answer") as gone:
                    await ann.queue()
                assert gone.value.retry
                async with here.client("discord:ann") as again:
                    await again.queue()

    run(scene)


def test_many_at_once_make_one_way_to_a_studio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[RemoteClient] = []

    class Counted(RemoteClient):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    async def scene() -> None:
        home = tmp_path / "home"
        monkeypatch.setattr(serve, "RemoteClient", Counted)
        async with Attached(home) as here, studio(home):

            async def ask(number: int) -> None:
                async with here.client(f"discord:{number}") as client:
                    await client.queue()

            await asyncio.gather(*map(ask, range(5)))
            assert len(made) == 1

    run(scene)


def test_an_errand_goes_on_when_another_has_found_the_next_studio(tmp_path: Path) -> None:
    async def scene() -> None:
        home = tmp_path / "home"
        async with FakeDiscord() as discord:
            async with studio(home):
                process = await bot_process.start(discord, home)
                discord.gives.clear()
                # It has its way to this studio, and waits for a file.
                order = await discord.slash(
                    "convert", image=("a.png", picture()), format="webp", who=BOB
                )
                await order.answer()
                queue = await discord.slash("queue")
                await queue.says("Nothing waits")
            async with studio(home):
                queue = await discord.slash("queue")
                await queue.says("Nothing waits")
                discord.gives.set()
                await order.files(1)
            process.terminate()
            await process.wait()

    run(scene)


def test_calls_that_take_long_are_waited_for_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: Any, **__: Any) -> None:
        await asyncio.sleep(3)
        raise NotFound("At last.")

    async def scene() -> None:
        home, file = tmp_path / "home", tmp_path / "film.mp4"
        file.touch()
        monkeypatch.setattr(remote, "_SILENCE", 1.0)
        for verb in ("verify", "begin", "give_consent", "queue"):
            monkeypatch.setattr(LocalClient, verb, late)
        async with studio(home):
            running = attach.find(home) or attach.Running(0, 0)
            async with RemoteClient(running.url or "", running.token) as client:
                table = Plan("table", task="text-to-image")
                for call in (
                    client.verify(file),
                    client.begin(table, [Row(1, {"prompt": "a red boat"})]),
                    client.give_consent("challenge", "recording"),
                ):
                    with pytest.raises(NotFound, match="At last"):
                        await call
                with pytest.raises(Unavailable, match="does not answer"):
                    await client.queue()

    run(scene)
