"""The bot is killed between every two steps, and started again: one post for every order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from studio.api import create_app
from studio.host import Host
from tests.discord import bot_process
from tests.discord.fake import ADA, CHANNEL, FakeDiscord, Interaction
from tests.discord.fake.server import Call
from tests.fake_lane import FakeLane
from tests.hosts import settings_for, until, write_cards

pytestmark = pytest.mark.fault


@contextlib.asynccontextmanager
async def studio(home: Path, *, token: str | None = None, **lane: Any) -> AsyncIterator[Host]:
    """A studio that other processes of this home find."""
    settings = settings_for(home, token=token)
    write_cards(home)
    async with Host(settings, lanes=[FakeLane(settings, **lane)]) as host:
        config = uvicorn.Config(create_app(host), port=0, log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        host.listens(f"http://127.0.0.1:{port}")
        try:
            yield host
        finally:
            server.should_exit = True
            await serving


def posts(discord: FakeDiscord) -> dict[str, int]:
    """How many messages show each result, by job: those with files and a button to go on."""
    found: dict[str, int] = {}
    for message in discord.messages.all.values():
        text = str(message["components"])
        if message["channel_id"] == CHANNEL and message["attachments"]:
            job = text.partition("colophon:again:")[2][:32]
            found[job] = found.get(job, 0) + 1
    return found


#: When the bot is killed: at the first call of this kind, before or after it is carried out.
MOMENTS = [
    ("the answer is given", "POST", "/interactions/", False),
    ("it has been given", "POST", "/interactions/", True),
    ("progress is told", "PATCH", "/webhooks/", False),
    ("it has been told", "PATCH", "/webhooks/", True),
    ("the result is posted", "PATCH", "files", False),
    ("it has been posted", "PATCH", "files", True),
]


@pytest.mark.timeout(120)
def test_a_bot_that_is_killed_at_any_step_goes_on_and_posts_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with studio(tmp_path / "home", seconds=0.05) as host, FakeDiscord() as discord:
            for moment, method, path, after in MOMENTS:
                process = await bot_process.start(discord, host.settings.home)

                def at(call: Call, done: bool) -> bool:
                    begins = call.files if path == "files" else call.path.startswith(path)  # noqa: B023
                    return bool(call.method == method and begins and done == after)  # noqa: B023

                killed = kill_at(discord, process, at)
                order = await discord.slash("imagine", prompt=moment, model="noise", count=1)
                await asyncio.wait_for(killed, 20)
                await process.wait()
                process = await bot_process.start(discord, host.settings.home)
                await until(lambda: shown(discord, order))  # noqa: B023
                process.kill()
                await process.wait()
            assert list(posts(discord).values()) == [1] * len(MOMENTS)

    asyncio.run(scene())


@pytest.mark.timeout(180)
def test_a_run_of_a_recipe_outlives_kills_and_is_posted_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with studio(tmp_path / "home", seconds=0.05) as host, FakeDiscord() as discord:
            # Killed when the answer has been given, and around the post of the result.
            moments = MOMENTS[1], MOMENTS[4], MOMENTS[5]
            for moment, method, path, after in moments:
                process = await bot_process.start(discord, host.settings.home)

                def at(call: Call, done: bool) -> bool:
                    begins = call.files if path == "files" else call.path.startswith(path)  # noqa: B023
                    return bool(call.method == method and begins and done == after)  # noqa: B023

                killed = kill_at(discord, process, at)
                order = await discord.slash("recipe style-board", subject=moment)
                await asyncio.wait_for(killed, 40)
                await process.wait()
                process = await bot_process.start(discord, host.settings.home)
                await order.until(lambda one: shown(discord, one), seconds=40)
                process.kill()
                await process.wait()
            runs = await host.client(f"discord:{ADA.id}").runs()
            assert len(runs) == len(moments)
            found = [str(one["components"]) for one in discord.messages.all.values()]
            for run in runs:
                assert sum(f"colophon:rerun:{run.id}:" in one for one in found) == 1

    asyncio.run(scene())


def kill_at(
    discord: FakeDiscord,
    process: asyncio.subprocess.Process,
    moment: Callable[[Call, bool], bool],
) -> asyncio.Future[None]:
    """Kill the bot when the moment has come; done when it has."""
    killed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def look(call: Call, done: bool) -> None:
        if not killed.done() and moment(call, done):
            process.kill()
            killed.set_result(None)

    discord.on_call = look
    return killed


def shown(discord: FakeDiscord, order: Interaction) -> bool:
    """Whether the order's result can be seen, in its answer or in a message of its own."""
    return any(
        message["attachments"] and (message is order.message or message.get("nonce") == order.id)
        for message in discord.messages.all.values()
    )
