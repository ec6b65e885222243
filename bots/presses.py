"""What happens when somebody presses a button, or sends a window."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import anyio
import discord

from bots import buttons, recipes
from bots.desk import allow, errand_for, order, studio_owner, take, whisper
from bots.errand import Kind, State
from bots.wording import language_of
from studio.errors import NotFound
from studio.fields import fields_of
from studio.job import Job
from studio.score import Score
from studio.sheet import SheetFormat, written
from studio.tasks import TASKS, Task, find_task
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot


async def pressed(bot: StudioBot, interaction: discord.Interaction) -> None:
    """Do what the button or the window stands for.

    Raises:
        StudioError: if that cannot be done, for whoever pressed it to read.
    """
    data: Any = interaction.data
    found = buttons.parse(data["custom_id"])
    if found is None:
        return
    act, about, rest = found
    sent = interaction.type is discord.InteractionType.modal_submit
    typed = buttons.typed_into(data) if sent else {}
    match act:
        case "stop":
            await _stop(bot, interaction, about)
        case "large":
            await _large(bot, interaction, about, int(rest))
        case "star":
            await _star(bot, interaction, about, int(rest))
        case "score":
            await _score(bot, interaction, about, int(rest))
        case "again":
            job = await _job(bot, interaction, about, shown=True)
            await order(bot, interaction, TASKS[job.task], _fields(job))
        case "halt":
            await _halt(bot, interaction, about)
        case "rerun":
            await recipes.again(bot, interaction, about)
        case "answer":
            await _answer_again(bot, interaction, about)
        case "vary":
            await _vary(bot, interaction, about, int(rest))
        case "remix" if not sent:
            await _ask_remix(bot, interaction, about)
        case "remix":
            job = await _job(bot, interaction, about, shown=True)
            task = TASKS[job.task]
            await order(bot, interaction, task, _fields(job) | _parsed(task, typed))
        case "next" | "use":
            await _use(bot, interaction, found, typed if sent else None)


async def _use(
    bot: StudioBot,
    interaction: discord.Interaction,
    found: tuple[str, str, str],
    typed: dict[str, str] | None,
) -> None:
    """Make something of a job's output (`next`) or an upload (`use`).

    At once, or, unless that has been `typed`, after a window has asked for the words.
    """
    act, about, rest = found
    verb, _, index = rest.rpartition("-")
    task = find_task(verb)
    if typed is None and buttons.needs_words(task):
        window = buttons.window(act, about, rest, task, language_of(interaction))
        await interaction.response.send_modal(window)
        return
    medium = (await _job(bot, interaction, about)).artifacts[int(index)] if act == "next" else about
    field = next(one.name for one in fields_of(task.request) if one.required and one.media)
    await order(bot, interaction, task, {field: medium} | _parsed(task, typed or {}))


async def _stop(bot: StudioBot, interaction: discord.Interaction, job: str) -> None:
    """Stop a job: one's own, or anybody's for those who manage the messages there."""
    owner = _may_stop(bot, interaction, job)
    await interaction.response.defer()
    async with bot.clients(owner) as client:
        await client.cancel(job)


def _may_stop(bot: StudioBot, interaction: discord.Interaction, job: str) -> str:
    """Whose job or run it is that somebody stops, as far as they may; theirs, if they may not."""
    errand = bot.store.of_job(job)
    here = errand and errand.guild and errand.guild == str(interaction.guild_id)
    if errand and here and interaction.permissions.manage_messages:
        bot.store.note(errand.guild, str(interaction.user.id), f"stopped {job}")
        return errand.studio_owner
    return studio_owner(interaction)


async def _halt(bot: StudioBot, interaction: discord.Interaction, run: str) -> None:
    """Stop a run: one's own, or anybody's for those who manage the messages there."""
    owner = _may_stop(bot, interaction, run)
    await interaction.response.defer()
    async with bot.clients(owner) as client:
        await client.stop_run(run)


async def _answer_again(bot: StudioBot, interaction: discord.Interaction, job: str) -> None:
    """Answer what was said last once more; only whoever said it can ask for that."""
    errand = bot.store.of_job(job)
    if errand is None or errand.user != str(interaction.user.id):
        raise NotFound(say("bot.not-yours", language_of(interaction)), hint="")
    errand = errand_for(interaction, errand.task, {"again": job}, kind=Kind.TALK)
    chat = bot.store.chat(errand.channel, errand.user)
    allow(bot, errand, TASKS[errand.task], {"model": chat.model if chat else ""})
    await take(bot, interaction, errand)


async def _large(bot: StudioBot, interaction: discord.Interaction, job: str, index: int) -> None:
    """Send one of several pictures by itself."""
    owner = (bot.store.of_job(job) or errand_for(interaction, "", {})).user
    errand = errand_for(
        interaction, "", {}, state=State.MAKING, job=job, only=(index,), owner=owner
    )
    await take(bot, interaction, errand)


async def _star(bot: StudioBot, interaction: discord.Interaction, job: str, index: int) -> None:
    """Mark an output as a favourite, or not any more."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    language = language_of(interaction)
    async with bot.clients(studio_owner(interaction)) as client:
        artifact = await client.artifact((await client.job(job)).artifacts[index])
        starred = not artifact.keeping.starred
        await client.star(artifact.id, starred)
    said = say("bot.starred", language) if starred else say("bot.unstarred", language)
    await whisper(interaction, said)


async def _score(bot: StudioBot, interaction: discord.Interaction, job: str, index: int) -> None:
    """Send the notes of a piece, as a MIDI file and as a sheet."""
    await interaction.response.defer(thinking=True)
    found = await _job(bot, interaction, job, shown=True)
    async with bot.clients(found.owner) as client:
        artifact = await client.artifact(found.artifacts[index])
    score = Score.from_record(artifact.note.about["score"])
    forms: tuple[SheetFormat, ...] = ("mid", "abc")
    contents = [await anyio.to_thread.run_sync(written, score, artifact.id, one) for one in forms]
    await interaction.edit_original_response(
        content=say("score.how", language_of(interaction)),
        attachments=[
            discord.File(io.BytesIO(content), f"colophon-{artifact.id[:8]}.{form}")
            for form, content in zip(forms, contents, strict=True)
        ],
    )


async def _vary(bot: StudioBot, interaction: discord.Interaction, job: str, index: int) -> None:
    """Variations of one picture: drawn anew on what it shows."""
    found = await _job(bot, interaction, job)
    task = TASKS["image-to-image"]
    fields = {
        name: value
        for name, value in _fields(found).items()
        if name in ("prompt", "negative_prompt", "model")
    }
    if found.task != task.id:
        # What draws from words alone may not draw on a picture.
        fields.pop("model", None)
    await order(bot, interaction, task, fields | {"image": found.artifacts[index]})


async def _ask_remix(bot: StudioBot, interaction: discord.Interaction, job: str) -> None:
    found = await _job(bot, interaction, job, shown=True)
    task = TASKS[found.task]
    given = {name: value for name, value in found.request.items() if isinstance(value, str)}
    modal = buttons.window("remix", job, "", task, language_of(interaction), **given)
    await interaction.response.send_modal(modal)


async def _job(
    bot: StudioBot, interaction: discord.Interaction, job: str, *, shown: bool = False
) -> Job:
    """One's own job with that id; with `shown` also one whose order this channel has seen.

    Raises:
        NotFound: if it is somebody else's, for it may hold what is theirs alone.
    """
    owner = studio_owner(interaction)
    errand = bot.store.of_job(job)
    if shown and errand and errand.channel == str(interaction.channel_id):
        owner = errand.studio_owner
    async with bot.clients(owner) as client:
        try:
            return await client.job(job)
        except NotFound:
            said = say("bot.not-yours", language_of(interaction))
            raise NotFound(said, hint="") from None


def _fields(job: Job) -> dict[str, Any]:
    """What a job was ordered with, for another try: everything but its seed."""
    return {n: v for n, v in job.request.items() if n != "seed" and v is not None}


def _parsed(task: Task, typed: dict[str, str]) -> dict[str, Any]:
    """What was typed into a window, as the fields' own types."""
    specs = {spec.name: spec for spec in fields_of(task.request)}
    return {name: specs[name].parse(text) for name, text in typed.items() if name in specs}
