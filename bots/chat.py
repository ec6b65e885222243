"""Conversations: `/chat` begins one, and whoever mentions the bot or replies to it goes on.

Discord shows a bot without privileges only the messages that mention it, replies that notify it
among them, and direct messages. So nothing else is read, answered or kept.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bots.ages import is_adult
from bots.attachments import as_values
from bots.courier import PASSING
from bots.desk import allow, errand_for, parent_of, roles_of, take, whisper
from bots.errand import Errand, Kind
from bots.options import FOR_ALL, command_from
from bots.wording import clipped, explained, language_of
from studio.errors import StudioError
from studio.fields import FieldSpec
from studio.tasks import TASKS, Task
from studio.words import ENGLISH, say

if TYPE_CHECKING:
    from bots.bot import StudioBot

_TALKING, _SEEING = TASKS["text-generation"], TASKS["visual-question-answering"]
_MAX_WORDS, _MAX_PERSONA = 4000, 2000
#: For how long a conversation is looked after that nobody went on with, in seconds.
_ALIVE_SECONDS = 14 * 24 * 3600.0

_LOG = logging.getLogger(__name__)


def command(bot: StudioBot) -> app_commands.Command[Any, ..., Any]:
    """`/chat`, which begins a conversation."""

    async def begin(interaction: discord.Interaction, given: Any) -> None:
        language = language_of(interaction)
        there = interaction.is_guild_integration() or interaction.guild_id is None
        if not there:
            await whisper(interaction, say("bot.talk.where", language))
            return
        values = {"model": "", "persona": "", **as_values(given)}
        values["text"] = values.pop("message")
        values["thread"] = isinstance(interaction.channel, discord.TextChannel)
        task = _SEEING if "picture" in values else _TALKING
        errand = errand_for(interaction, task.id, values, kind=Kind.TALK)
        allow(bot, errand, task, values)
        await take(bot, interaction, errand)

    def spec(name: str, most: int | None = None, **more: Any) -> FieldSpec:
        about = say(f"bot.option.chat.{name}")
        kind = {"type": "text", "required": False, "default": None, **more}
        return FieldSpec(name=name, title=about, description=about, max_length=most, **kind)

    return command_from(
        [
            spec("message", _MAX_WORDS, required=True),
            spec("model", type="model"),
            spec("persona", _MAX_PERSONA),
            spec("picture", media="image"),
        ],
        begin,
        bot.suggest,
        name="chat",
        description=say("bot.about.chat"),
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True),
        allowed_installs=FOR_ALL,
        extras={"models": _TALKING.id},
    )


async def hear(bot: StudioBot, message: discord.Message) -> None:
    """Answer a message that is meant for the bot, where it has a conversation."""
    direct, channel = message.guild is None, str(message.channel.id)
    chat = bot.store.chat(channel, str(message.author.id))
    plain = message.type in (discord.MessageType.default, discord.MessageType.reply)
    if message.author.bot or not plain or not (direct or chat):
        return
    me = bot.application_id
    if not direct and all(user.id != me for user in message.mentions):
        asked = message.reference and message.reference.resolved
        if isinstance(asked, discord.Message) and asked.author.id == me:
            # A reply that does not notify: Discord hides what it says.
            await _refuse(message, say("bot.talk.mention", chat.language if chat else ENGLISH))
        return
    bot.store.hear(channel, str(message.id))
    picture = next(
        (one for one in message.attachments if (one.content_type or "").startswith("image/")), None
    )
    language = chat.language if chat else ENGLISH
    words = _words(message, me or 0)
    if not words:
        words = say("bot.talk.picture" if picture else "bot.talk.nothing", language)
    task = _SEEING if picture else _TALKING
    values = as_values({"text": words} | ({"picture": picture} if picture else {}))
    errand = _errand(message, task, values, language)
    try:
        allow(bot, errand, task, {**values, "model": chat.model if chat else ""})
    except StudioError as error:
        await _refuse(message, explained(error))
        return
    if bot.store.take(errand):
        bot.begin(errand)


async def catch_up(bot: StudioBot) -> None:
    """Hear what was said while there was no bot, where there are conversations."""
    for channel, last in bot.store.heard(time.time() - _ALIVE_SECONDS):
        try:
            place = await bot.fetch_channel(int(channel))
            if isinstance(place, discord.abc.Messageable):
                async for message in place.history(after=discord.Object(int(last)), limit=100):
                    await hear(bot, message)
        except (discord.HTTPException, *PASSING) as error:
            _LOG.info("what was said in %s meanwhile is unknown: %s", channel, error)


def _words(message: discord.Message, me: int) -> str:
    """What the message says, without the bot's name, and with other people's as they read."""
    text = re.sub(rf" *<@!?{me}>", "", message.content)
    for user in message.mentions:
        text = re.sub(rf"<@!?{user.id}>", f"@{user.display_name}", text)
    return clipped(text.strip(), _MAX_WORDS)


def _errand(message: discord.Message, task: Task, values: Any, language: str) -> Errand:
    """An errand whose answer is a reply to this message."""
    largest = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
    return Errand(
        id=str(message.id),
        token="",
        user=str(message.author.id),
        channel=str(message.channel.id),
        parent=parent_of(message.channel),
        guild=str(message.guild.id) if message.guild else "",
        personal=False,
        language=language,
        limit=message.guild.filesize_limit if message.guild else largest,
        task=task.id,
        values=values,
        kind=Kind.TALK,
        adult=is_adult(message.channel),
        roles=roles_of(message.author),
        apart=True,
    )


async def _refuse(message: discord.Message, text: str) -> None:
    try:
        await message.reply(text, nonce=str(message.id))
    except (discord.HTTPException, *PASSING) as error:
        _LOG.info("a refusal could not be told: %s", error)
