"""Runs the bot for as long as it is wanted, whatever happens to the network."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import discord
from filelock import FileLock, Timeout

from bots.bot import Clients, StudioBot
from bots.store import Store
from bots.token import Redacting
from studio import attach
from studio.client import Client
from studio.errors import Refused, Unavailable
from studio.remote import RemoteClient

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0

_LOG = logging.getLogger(__name__)


async def serve(clients: Clients, home: Path, token: str, *, public_url: str = "") -> None:
    """Be the bot of this home until cancelled.

    Raises:
        Unavailable: if another process is it already.
        Refused: if Discord does not accept the token.
    """
    redacting = Redacting(token)
    for handler in logging.getLogger().handlers:
        handler.addFilter(redacting)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = FileLock(home / "discord.lock", mode=0o600, thread_local=False).acquire(timeout=0)
    except Timeout:
        raise Unavailable(
            f"The Discord bot of {home} runs already.", hint="End it first.", retry=True
        ) from None
    wait = _FIRST_WAIT
    with lock, Store(home / "discord.sqlite") as store:
        while True:
            async with StudioBot(clients, store, run=home / "run", public_url=public_url) as bot:
                try:
                    await bot.start(token)
                    return
                except discord.LoginFailure:
                    raise Refused(
                        "Discord does not accept this token.",
                        hint="Reset it on the application's page, and put the new one in the file.",
                    ) from None
                except (aiohttp.ClientError, OSError, discord.HTTPException,
                        discord.GatewayNotFound, discord.ConnectionClosed) as error:  # fmt: skip
                    _LOG.warning("Discord cannot be reached, and is tried again: %s", error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)


class Attached:
    """The studio of a home, whichever process it is now: it may be started anew meanwhile."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stack = AsyncExitStack()
        #: Held while one client makes way for the next.
        self._changing = asyncio.Lock()
        self._running: attach.Running | None = None

    async def __aenter__(self) -> Attached:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def client(self, owner: str) -> AsyncIterator[Client]:
        """The studio as `owner` sees it.

        Raises:
            Unavailable: if no studio runs at the home.
        """
        async with self._changing:
            running = attach.find(self._home)
            if running is None or running.url is None:
                raise Unavailable(
                    "The studio does not run at the moment.",
                    hint="Your order is kept, and goes on when the studio is back.",
                    retry=True,
                )
            if running != self._running:
                await self._stack.aclose()
                self._remote = await self._stack.enter_async_context(
                    RemoteClient(running.url, running.token)
                )
                self._running = running
        async with self._remote.acting_for(owner) as client:
            yield client
