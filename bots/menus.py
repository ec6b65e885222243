"""What a right-click on any message offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bots import buttons
from bots.attachments import fetched
from bots.desk import order, studio_owner, whisper
from bots.verbs import check_file
from bots.wording import language_of
from studio.errors import NotFound
from studio.fields import fields_of
from studio.tasks import TASKS, Task
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot

#: The task that says in words what a picture shows.
_DESCRIBING = "image-to-text"


def commands(bot: StudioBot) -> Iterator[app_commands.ContextMenu]:
    """The commands of a message's menu."""

    async def check(interaction: discord.Interaction, message: discord.Message) -> None:
        await check_file(bot, interaction, _file(interaction, message))

    async def use(interaction: discord.Interaction, message: discord.Message) -> None:
        file = _file(interaction, message)
        await interaction.response.defer(ephemeral=True, thinking=True)
        language = language_of(interaction)
        async with (
            fetched(file.url, file.filename) as path,
            bot.clients(studio_owner(interaction)) as client,
        ):
            upload = await client.upload(path, name=file.filename)
        view = buttons.offered(upload.kind, upload.id, language)
        await whisper(interaction, say("bot.use", language), view)

    yield _menu("Check provenance", "bot.menu.check", check)
    yield _menu("Use as input", "bot.menu.use", use)
    task = TASKS.get(_DESCRIBING)
    if task is not None:
        yield _describe(bot, task)


def _describe(bot: StudioBot, task: Task) -> app_commands.ContextMenu:
    field = next(spec.name for spec in fields_of(task.request) if spec.media == "image")

    async def describe(interaction: discord.Interaction, message: discord.Message) -> None:
        await order(bot, interaction, task, {field: _file(interaction, message, "image/")})

    return _menu("Describe", "bot.menu.describe", describe)


def _menu(name: str, key: str, callback: Any) -> app_commands.ContextMenu:
    return app_commands.ContextMenu(
        name=name,
        callback=callback,
        allowed_contexts=app_commands.AppCommandContext(
            guild=True, dm_channel=True, private_channel=True
        ),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        extras={"key": key},
    )


def _file(
    interaction: discord.Interaction, message: discord.Message, kind: str = ""
) -> discord.Attachment:
    """The message's first file that is of this kind.

    Raises:
        NotFound: if it has none.
    """
    for one in message.attachments:
        if (one.content_type or "").startswith(kind):
            return one
    raise NotFound(say("bot.no-file", language_of(interaction)), hint="")
