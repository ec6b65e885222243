"""An errand that is an answer: in a thread of its own, or where something was said."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Final

import discord

from bots import buttons
from bots.attachments import brought
from bots.courier import PASSING, Courier
from bots.errand import Chat, State
from bots.making import follow, outcome
from bots.parcel import packed
from bots.wording import MAX_MESSAGE, clipped
from studio.client import Client
from studio.errors import InvalidRequest
from studio.job import Job
from studio.words import say

#: Seconds between two looks whether what was said before is answered.
_LOOK_SECONDS = 0.3
#: The message has a thread already: this bot opened it before it was killed.
_HAS_THREAD = 160004
_MAX_NAME = 100
#: Minutes of silence after which Discord folds a thread away; whoever writes opens it again.
_FOLDED_MINUTES: Final = 1440

_LOG = logging.getLogger(__name__)


async def answer(courier: Courier, client: Client) -> None:
    """Carry the errand out, from wherever it is."""
    if courier.errand.values.get("thread") and not courier.errand.apart:
        await _open_thread(courier)
    if not courier.errand.job:
        # An answer is given on what went before, so one waits for the other.
        while courier.bot.store.talks_before(courier.errand):
            await asyncio.sleep(_LOOK_SECONDS)
        job = await _say(courier, client)
        courier.update(job=job.id, state=State.MAKING)
    errand = courier.errand
    job = await client.job(errand.job)
    job = await follow(courier, client, job, buttons.working(job.id, errand.language))
    view = buttons.said(job.id, errand.language)
    if not job.artifacts:
        await courier.end(outcome(job, errand.language), view)
        return
    parcel = await packed(
        client,
        job.artifacts[:1],
        errand,
        str(errand.values.get("text", "")),
        largest=errand.limit,
        public_url=courier.bot.public_url,
    )
    made = f"-# {say('bot.made', errand.language, model=job.card, seed=job.request['seed'])}"
    room = MAX_MESSAGE - len(made) - len(errand.user) - 10
    if len(parcel.text) <= room:
        # It can be read here; the signed file is in the gallery.
        parcel = replace(parcel, pieces=())
    await courier.end(f"{clipped(parcel.text, room)}\n{made}", view, parcel)


async def _open_thread(courier: Courier) -> None:
    """Open a thread on the interaction's answer, and have the rest happen there.

    Where no thread can be opened, the conversation is in the channel itself.
    """
    errand, bot = courier.errand, courier.bot
    channel = bot.get_channel(int(errand.channel))
    if not isinstance(channel, discord.TextChannel):
        return
    words = " ".join(str(errand.values["text"]).split())
    shown = clipped(discord.utils.escape_markdown(words), 300)
    try:
        message = await courier.edit(say("bot.talk.begun", errand.language, words=shown))
        await channel.get_partial_message(message.id).create_thread(
            name=clipped(words, _MAX_NAME), auto_archive_duration=_FOLDED_MINUTES
        )
    except PASSING:
        raise
    except discord.HTTPException as error:
        if error.code != _HAS_THREAD:
            _LOG.info("errand %s gets no thread: %s", errand.id, error)
            return
    # A thread has the id of the message that it hangs on.
    courier.update(channel=str(message.id), parent=errand.channel, apart=True)
    with contextlib.suppress(discord.HTTPException, *PASSING):
        await bot.http.add_user_to_thread(message.id, int(errand.user))


async def _say(courier: Courier, client: Client) -> Job:
    """Say what was said in the studio's own conversation; the job that answers."""
    errand = courier.errand
    key = f"discord:{errand.id}"
    conversation = await _conversation(courier, client)
    if again := errand.values.get("again"):
        turns = (await client.conversation(conversation)).turns
        if not turns or all(reply.job != again for reply in turns[-1].replies):
            raise InvalidRequest(say("bot.talk.old", errand.language), hint="")
        return await client.regenerate(conversation, key=key)
    values = await brought(client, errand.values)
    picture = values.get("picture")
    image = None if picture is None else str(picture)
    return await client.talk(conversation, str(values["text"]), image=image, key=key)


async def _conversation(courier: Courier, client: Client) -> str:
    """The id of the conversation that the errand belongs to; begun now, if it is the first.

    Each person has one of their own in a channel: nobody's words are kept among another's.
    """
    errand, store = courier.errand, courier.bot.store
    chat = store.chat(errand.channel, errand.user)
    if "persona" in errand.values or chat is None:
        model, persona = errand.values.get("model", ""), errand.values.get("persona", "")
        chat = Chat(errand.channel, errand.user, errand.id, model, persona, errand.language)
    elif chat.user != errand.user:
        chat = replace(chat, user=errand.user, begun=errand.id)
    # Found by its title, for a bot that was killed may have begun it already.
    title = f"Discord {chat.begun}"
    found = [one for one in await client.conversations(title) if one.title == title]
    begun = found or [
        await client.start_conversation(title, model=chat.model or None, system=chat.persona)
    ]
    store.open_chat(chat)
    if chat.begun == errand.id:
        # From here on nothing is missed, whenever the bot is away.
        store.hear(errand.channel, errand.id)
    return begun[0].id
