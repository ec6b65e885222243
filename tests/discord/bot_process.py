"""The studio's commands as people start them, in processes that can be killed, and a Discord."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

from tests.discord.fake import FakeDiscord
from tests.discord.fake.server import here


async def start(discord: FakeDiscord, home: Path, *arguments: str, **environment: str) -> Process:
    """`studio bot discord` at `home`, or another command, once its bot hears Discord."""
    token = home / "discord.token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text("a.b.c")
    discord.gateway.ready.clear()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.discord.bot_process", discord.api, discord.gateway.address),
        *(arguments or ("bot", "discord")),
        env={**os.environ, "STUDIO_HOME": str(home), **environment},
        stderr=None if "BOT_STDERR" in os.environ else DEVNULL,
    )
    await asyncio.wait_for(discord.gateway.ready.wait(), 120)
    return process


def main() -> None:
    """A command of `studio`, with discord.py pointed at an API and a gateway."""
    from studio.__main__ import main as studio

    api, gateway, *arguments = sys.argv[1:]
    with here(api, gateway):
        studio(arguments)


if __name__ == "__main__":
    main()
