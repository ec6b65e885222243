"""A studio, a Discord and the bot between them, on one loop, for the tests of a module."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bots.bot import StudioBot
from bots.errand import owner_of
from bots.store import Store
from studio.client import Client
from studio.host import Host
from tests.discord.fake import ADA, FakeDiscord, Person
from tests.fake_lane import FakeLane
from tests.hosts import settings_for

#: Where links lead, in tests: nobody goes there.
PUBLIC = "https://studio.example.org"

_CARD = """---
license: mit
studio:
  title: noise
  family: none
  tasks: [text-to-image, image-to-image]
  source: {path: starter/pictures}
  memory: {weights: 1, working: 1}
  defaults: {width: 64, height: 64, steps: 2}
---
What the lane without a device makes.
"""


@dataclass
class Stage:
    """All that takes part."""

    runner: asyncio.Runner
    home: Path
    host: Host
    lane: FakeLane
    discord: FakeDiscord
    bot: StudioBot

    def play(self, scene: Coroutine[Any, Any, None]) -> None:
        """Run one test, for a minute at most."""
        self.runner.run(asyncio.wait_for(scene, 60))

    def client(self, who: Person = ADA) -> Client:
        """The studio as somebody sees it."""
        return self.host.client(owner_of(who.id))

    async def restart(self) -> None:
        """End the bot as a kill does, without a word, and start another one on the same store."""
        await leave(self.bot)
        self.bot = await enter(self.discord, self.host, self.home)

    async def verified(self, attachment: dict[str, Any], folder: Path) -> str:
        """What the studio finds out about a file that lies on Discord's CDN."""
        path = folder / attachment["filename"]
        await asyncio.to_thread(path.write_bytes, self.discord.messages.file(attachment))
        return (await self.client().verify(path)).outcome.value


def clients_of(host: Host) -> Any:
    """Every owner's client, as the bot asks for them."""
    return lambda owner: contextlib.nullcontext(host.client(owner))


async def enter(discord: FakeDiscord, host: Host, home: Path) -> StudioBot:
    """A bot that hears this Discord."""
    store = Store(home / "discord.sqlite")
    bot = StudioBot(clients_of(host), store, run=home / "run", public_url=PUBLIC)
    discord.gateway.ready.clear()
    bot.running = asyncio.create_task(bot.start("a.b.c"))  # type: ignore[attr-defined]
    await asyncio.wait_for(discord.gateway.ready.wait(), 10)
    return bot


async def leave(bot: StudioBot) -> None:
    """End a bot; nothing is said or written down on the way."""
    bot.store.__exit__()
    await bot.close()
    await asyncio.gather(bot.running, return_exceptions=True)  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def opened(runner: asyncio.Runner, home: Path, lane: FakeLane | None) -> AsyncIterator[Stage]:
    """A stage at `home`; without a lane the studio has its own device and models."""
    settings = settings_for(home)
    if lane is not None:
        folder = home / "model_cards"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "noise.md").write_text(_CARD)
    async with Host(settings, lanes=[lane] if lane else []) as host, FakeDiscord() as discord:
        with discord.instead():
            bot = await enter(discord, host, home)
            stage = Stage(runner, home, host, lane or FakeLane(settings), discord, bot)
            try:
                yield stage
            finally:
                await leave(stage.bot)


def staged(home: Path, lane: FakeLane | None) -> Iterator[Stage]:
    """A stage, until the iterator is resumed."""
    with asyncio.Runner() as runner:
        over = asyncio.Event()
        stages: list[Stage] = []

        async def main() -> None:
            async with opened(runner, home, lane) as stage:
                stages.append(stage)
                await over.wait()

        async def begin() -> asyncio.Task[None]:
            task = asyncio.create_task(main())
            while not stages and not task.done():
                await asyncio.sleep(0.01)
            return task

        async def end() -> None:
            over.set()
            await playing

        playing = runner.run(begin())
        try:
            yield stages[0]
        finally:
            runner.run(end())
