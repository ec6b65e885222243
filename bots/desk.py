"""Where orders come in: from commands, buttons and windows alike."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord

from bots.attachments import as_values
from bots.options import MAX_COUNT
from bots.rules import Asked, check
from bots.store import Errand, owner_of
from bots.wording import explained, language_of
from studio.errors import InvalidRequest, StudioError
from studio.fields import build, fields_of
from studio.tasks import Task
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot

#: How many pictures there are unless somebody says otherwise: Discord shows four as a grid.
GRID = 4
#: Somebody else, or an earlier call of this bot, has answered.
_ANSWERED = 40060
_DAY = 24 * 3600.0


async def order(
    bot: StudioBot,
    interaction: discord.Interaction,
    task: Task,
    values: Mapping[str, Any],
) -> None:
    """Take an order: refuse it at once, or answer that it is on its way.

    Nothing is waited for before the answer, so it comes in time whatever the machine is doing.
    """
    given = as_values(values)
    if is_grid(task):
        given.setdefault("count", GRID)
    try:
        _check(bot, interaction, task, given)
    except StudioError as error:
        await whisper(interaction, explained(error))
        return
    await take(bot, interaction, errand_for(interaction, task.id, given))


async def take(bot: StudioBot, interaction: discord.Interaction, errand: Errand) -> None:
    """Write an errand down, answer that it is on its way, and begin."""
    errand = replace(errand, spoiler=bot.store.rules(errand.guild).spoiler)
    # Written first: from here a restart finds it, whatever Discord has been told.
    if not bot.store.take(errand):
        return
    try:
        await interaction.response.defer(thinking=True)
    except discord.HTTPException as error:
        if error.code == _ANSWERED:
            # Another bot of this account has it.
            bot.store.drop(errand)
            return
    bot.begin(errand)


def errand_for(
    interaction: discord.Interaction, task: str, values: Mapping[str, Any], **more: Any
) -> Errand:
    """An errand whose answer goes to this interaction."""
    in_guild = interaction.guild_id is not None
    return Errand(
        id=str(interaction.id),
        token=interaction.token,
        user=str(interaction.user.id),
        channel=str(interaction.channel_id),
        guild=str(interaction.guild_id) if in_guild else "",
        personal=not interaction.is_guild_integration(),
        language=language_of(interaction),
        limit=interaction.filesize_limit,
        task=task,
        values=values,
        **more,
    )


def is_grid(task: Task) -> bool:
    """Whether the task draws from words, so that several attempts are worth having."""
    fields = task.request.model_fields
    return task.makes == "image" and "prompt" in fields and fields["count"].default == 1


async def whisper(
    interaction: discord.Interaction, text: str, view: discord.ui.View | None = None
) -> None:
    """Tell whoever acted, and nobody else."""
    with contextlib.suppress(discord.NotFound):
        if interaction.response.type is discord.InteractionResponseType.deferred_message_update:
            # The answer is the message with the button, which is everybody's.
            await interaction.followup.send(
                text, ephemeral=True, view=view or discord.utils.MISSING
            )
        elif interaction.response.is_done():
            await interaction.edit_original_response(content=text, view=view)
        else:
            await interaction.response.send_message(
                text, ephemeral=True, view=view or discord.utils.MISSING
            )


def _check(
    bot: StudioBot, interaction: discord.Interaction, task: Task, values: Mapping[str, Any]
) -> None:
    """Raise what the server's rules or the task itself have against the order."""
    language = language_of(interaction)
    specs = {spec.name: spec for spec in fields_of(task.request)}
    count = values.get("count")
    if count is not None and count > MAX_COUNT:
        raise InvalidRequest(say("bot.count", language, limit=MAX_COUNT), hint="")
    # What is attached gets its id later; a stand-in passes for it here.
    build(task.request, {name: _standing_in(value) for name, value in values.items()})
    guild = str(interaction.guild_id or "")
    user, now = interaction.user, time.time()
    roles = [str(role.id) for role in user.roles] if isinstance(user, discord.Member) else []
    texts = [str(value) for name, value in values.items() if specs[name].type in ("text", "list")]
    check(
        bot.store.rules(guild),
        Asked(
            task=task.id,
            model=str(values.get("model") or ""),
            texts=tuple(texts),
            guild=guild,
            channel=str(interaction.channel_id),
            roles=roles,
            adult=not guild or _is_adult(interaction.channel),
            earlier=bot.store.ordered(str(user.id), guild, now - _DAY),
            now=now,
            language=language,
        ),
    )


def _standing_in(value: Any) -> Any:
    """An id instead of each file."""
    if isinstance(value, list):
        return [_standing_in(one) for one in value]
    return "attached" if isinstance(value, dict) else value


def _is_adult(channel: object) -> bool:
    """Whether the channel, or the one that the thread is in, is age-restricted."""
    return isinstance(channel, discord.abc.GuildChannel | discord.Thread) and bool(
        getattr(channel, "is_nsfw", lambda: False)()
    )


def studio_owner(interaction: discord.Interaction) -> str:
    """What the studio calls whoever acted."""
    return owner_of(str(interaction.user.id))
