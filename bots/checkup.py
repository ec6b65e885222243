"""What is right with the Discord bot, and what is not: for `studio doctor`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import discord
from discord import app_commands

from bots.bot import StudioBot
from bots.health import last_sign
from bots.serve import Attached
from bots.store import Store
from bots.token import default_file, read_token
from studio.checkup import Finding
from studio.errors import StudioError

#: Seconds without a sign of life after which a bot that should run does not.
_SILENCE = 120.0


def examine(home: Path) -> Iterator[Finding]:
    """Look at the token, at what Discord says to it, and at the bot; nothing if there is none."""
    file = default_file(home)
    if not file.exists():
        return
    try:
        token = read_token(file)
    except StudioError as error:
        yield Finding("discord token", "wrong", error.message, error.hint)
        return
    yield from asyncio.run(_asked(token, _ours(home)))
    yield _alive(home)


def _ours(home: Path) -> set[str]:
    """All that a bot of this home can be asked for; subcommands with their groups' names before."""
    with Store(home / "discord.sqlite") as store:
        tree = StudioBot(Attached(home).client, store, run=home / "run").tree
        menus = tree.get_commands(type=discord.AppCommandType.message)
        return {one.qualified_name for one in (*tree.walk_commands(), *menus)}


def _theirs(command: app_commands.AppCommand | app_commands.AppCommandGroup) -> Iterator[str]:
    """A command that Discord knows, and its subcommands."""
    yield command.name
    for one in command.options:
        if isinstance(one, app_commands.AppCommandGroup):
            yield from (f"{command.name} {name}" for name in _theirs(one))


async def _asked(token: str, ours: set[str]) -> list[Finding]:
    async with discord.Client(intents=discord.Intents(guilds=True)) as client:
        try:
            await client.login(token)
            application = await client.application_info()
            commands = await app_commands.CommandTree(client).fetch_commands()
        except discord.LoginFailure:
            mend = "Reset it on the application's page, and put the new one in the file."
            return [Finding("discord token", "wrong", "Discord does not accept it", mend)]
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            return [Finding("discord", "note", f"cannot be reached: {error}", "Try again later.")]
    flags = application.flags
    privileged = [
        name
        for name, on in (
            ("presence", flags.gateway_presence or flags.gateway_presence_limited),
            ("members", flags.gateway_guild_members or flags.gateway_guild_members_limited),
            (
                "message content",
                flags.gateway_message_content or flags.gateway_message_content_limited,
            ),
        )
        if on
    ]
    missing = ours - {name for command in commands for name in _theirs(command)}
    return [
        Finding("discord token", "ok", f"it belongs to {application.name}"),
        Finding(
            "discord intents",
            "note",
            f"privileged and not needed: {', '.join(privileged)}",
            "Switch them off on the application's page, under Bot.",
        )
        if privileged
        else Finding("discord intents", "ok", "none of the privileged ones, as it should be"),
        Finding(
            "discord commands",
            "note",
            f"Discord does not know yet: {', '.join(sorted(missing))}",
            "Start the bot: it tells them by itself.",
        )
        if missing
        else Finding("discord commands", "ok", f"all {len(ours)} known"),
    ]


def _alive(home: Path) -> Finding:
    sign = last_sign(home / "run" / "discord.json")
    start = "`studio up --discord`, or `studio bot discord`, starts it."
    if sign is None:
        return Finding("discord bot", "note", "does not run", start)
    silent = time.time() - sign.at
    if silent > _SILENCE:
        return Finding("discord bot", "wrong", f"said nothing for {silent:.0f} s", start)
    state = "connected" if sign.connected else "not connected"
    text = f"{state}, {sign.servers} servers, {sign.open} open errands, {sign.memory:.0f} MB"
    return Finding("discord bot", "ok" if sign.connected else "note", text)
