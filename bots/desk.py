"""Where orders come in: from commands, buttons and windows alike."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord

from bots.ages import all_texts, check_model, check_words, is_adult, texts_in
from bots.attachments import as_values
from bots.courier import PASSING
from bots.errand import Errand, Kind, owner_of
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

_LOG = logging.getLogger(__name__)


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
    errand = errand_for(interaction, task.id, given)
    try:
        _check_fields(task, given, errand.language)
        allow(bot, errand, task, given)
    except StudioError as error:
        await whisper(interaction, explained(error))
        return
    await take(bot, interaction, errand)


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
        except PASSING as error:
            # Whether or not Discord has heard it: what is written down is carried out.
            _LOG.warning("errand %s is perhaps not answered: %s", errand.id, error)
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
        parent=parent_of(interaction.channel),
        guild=str(interaction.guild_id or ""),
        personal=not interaction.is_guild_integration(),
        language=language_of(interaction),
        limit=interaction.filesize_limit,
        task=task,
        values=values,
        adult=is_adult(interaction.channel),
        roles=roles_of(interaction.user),
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


def allow(bot: StudioBot, errand: Errand, task: Task, values: Mapping[str, Any]) -> None:
    """Pass what the rules of the errand's server, and the studio's on ages, have nothing against.

    Raises:
        Refused: saying which rule forbids it.
    """
    now = time.time()
    model = str(values.get("model") or "")
    # Whoever orders a single job need not name a model, and a button cannot: `making` chooses one.
    chosen = errand.kind is Kind.JOB and not model
    check(
        bot.store.rules(errand.guild),
        Asked(
            task=task.id,
            model=None if chosen else model,
            texts=tuple(all_texts(values)),
            guild=errand.guild,
            places=(errand.channel, errand.parent),
            roles=errand.roles,
            adult=not errand.guild or errand.adult,
            earlier=bot.store.ordered(errand.user, errand.guild, now - DAY),
            now=now,
            language=errand.language,
        ),
    )
    if not errand.adult:
        check_model(bot.models, model, errand.language)
        check_words([task.id], list(texts_in(values)), errand.language)


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


def roles_of(user: discord.User | discord.Member) -> tuple[str, ...]:
    """The ids of the roles that somebody has in the server where they act; none outside."""
    return tuple(str(role.id) for role in getattr(user, "roles", ()))


def parent_of(channel: object) -> str:
    """The id of the channel that a thread is in; empty for what is no thread."""
    return str(channel.parent_id) if isinstance(channel, discord.Thread) else ""


def studio_owner(interaction: discord.Interaction) -> str:
    """What the studio calls whoever acted."""
    return owner_of(str(interaction.user.id))
