"""Where orders come in: from commands, buttons and windows alike."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import discord

from bots.ages import all_texts, check_model, check_words, is_adult, texts_in
from bots.attachments import as_values
from bots.errand import Errand, owner_of
from bots.options import MAX_COUNT
from bots.rules import DAY, Asked, check
from bots.wording import explained, language_of
from studio.errors import InvalidRequest, StudioError
from studio.fields import build
from studio.tasks import Task
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot

#: How many pictures there are unless somebody says otherwise: Discord shows four as a grid.
GRID = 4
#: Somebody else, or an earlier call of this bot, has answered.
_ANSWERED = 40060


@dataclass(frozen=True)
class Asking:
    """Who asks for something, and where."""

    user: discord.User | discord.Member
    channel: object
    channel_id: str
    #: Empty outside of servers.
    guild: str
    language: str

    @classmethod
    def by(cls, interaction: discord.Interaction) -> Self:
        """Who acted."""
        return cls(
            interaction.user,
            interaction.channel,
            str(interaction.channel_id),
            str(interaction.guild_id or ""),
            language_of(interaction),
        )


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
        _check_fields(task, given, language_of(interaction))
        allow(bot, Asking.by(interaction), task, given)
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
    if not interaction.response.is_done():
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
    return Errand(
        id=str(interaction.id),
        token=interaction.token,
        user=str(interaction.user.id),
        channel=str(interaction.channel_id),
        guild=str(interaction.guild_id or ""),
        personal=not interaction.is_guild_integration(),
        language=language_of(interaction),
        limit=interaction.filesize_limit,
        task=task,
        values=values,
        adult=is_adult(interaction.channel),
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


def allow(bot: StudioBot, asking: Asking, task: Task, values: Mapping[str, Any]) -> None:
    """Pass what the server's rules, and the studio's on ages, have nothing against.

    Raises:
        Refused: saying which rule forbids it.
    """
    now, user = time.time(), asking.user
    model = str(values.get("model") or "")
    check(
        bot.store.rules(asking.guild),
        Asked(
            task=task.id,
            model=model,
            texts=tuple(all_texts(values)),
            guild=asking.guild,
            channel=asking.channel_id,
            roles=[str(role.id) for role in getattr(user, "roles", ())],
            adult=not asking.guild or is_adult(asking.channel),
            earlier=bot.store.ordered(str(user.id), asking.guild, now - DAY),
            now=now,
            language=asking.language,
        ),
    )
    if not is_adult(asking.channel):
        check_model(bot.models, model, asking.language)
        check_words([task.id], list(texts_in(values)), asking.language)


def _check_fields(task: Task, values: Mapping[str, Any], language: str) -> None:
    """Pass fields with which the task can be ordered, or raise what is wrong with them."""
    count = values.get("count")
    if count is not None and count > MAX_COUNT:
        raise InvalidRequest(say("bot.count", language, limit=MAX_COUNT), hint="")
    # What is attached gets its id later; a stand-in passes for it here.
    build(task.request, {name: _standing_in(value) for name, value in values.items()})


def _standing_in(value: Any) -> Any:
    """An id instead of each file."""
    if isinstance(value, list):
        return [_standing_in(one) for one in value]
    return "attached" if isinstance(value, dict) else value


def studio_owner(interaction: discord.Interaction) -> str:
    """What the studio calls whoever acted."""
    return owner_of(str(interaction.user.id))
