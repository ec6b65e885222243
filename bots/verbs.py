"""The commands beside the tasks: check a file, look at the line, stop, show."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bots.attachments import fetched
from bots.desk import errand_for, studio_owner, take, whisper
from bots.errand import Kind, State
from bots.rules import moment
from bots.wording import clipped, command_beside, language_of, task_title
from studio.client import Client
from studio.errors import NotFound
from studio.job import Job
from studio.protocol import Place
from studio.provenance.verdict import Verdict
from studio.tasks import TASKS
from studio.words import said, say

if TYPE_CHECKING:
    from bots.bot import StudioBot

#: How many lines a list has.
LINES = 15


def commands(bot: StudioBot) -> Iterator[app_commands.Command[Any, ..., Any]]:
    """The commands that `bot` has beside those of the tasks."""

    async def verify(interaction: discord.Interaction, file: discord.Attachment) -> None:
        await check_file(bot, interaction, file)

    async def queue(interaction: discord.Interaction) -> None:
        await _queue(bot, interaction)

    async def cancel(interaction: discord.Interaction, job: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        language = language_of(interaction)
        async with bot.clients(studio_owner(interaction)) as client:
            if await is_run(client, job):
                state = said("state.cancelled", "stopped", language)
                await client.stop_run(job)
            else:
                stopped = (await client.cancel(job)).state
                state = said(f"state.{stopped}", stopped.value, language)
        await whisper(interaction, f"`{job}` · {state}")

    async def show(interaction: discord.Interaction, job: str) -> None:
        errand = errand_for(interaction, "", {}, state=State.MAKING, job=job)
        async with bot.clients(errand.studio_owner) as client:
            if await is_run(client, job):
                errand = replace(errand, kind=Kind.RUN)
            else:
                await client.job(job)
        await take(bot, interaction, errand)

    async def suggest_job(
        interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        async with bot.clients(studio_owner(interaction)) as client:
            runs, jobs = await client.runs(limit=5), await client.jobs(limit=20)
        language = language_of(interaction)
        names = {run.id: f"{run.name} · {run.state}" for run in runs}
        names |= {job.id: told(job, language) for job in jobs}
        return [
            app_commands.Choice(name=clipped(name, 100), value=job)
            for job, name in names.items()
            if typed.lower() in name.lower()
        ]

    callbacks: tuple[Any, ...] = (verify, queue, cancel, show)
    for callback in callbacks:
        command = command_beside(callback)
        if command.get_parameter("job"):
            command.autocomplete("job")(suggest_job)
        yield command


async def is_run(client: Client, identity: str) -> bool:
    """Whether this is one of one's own runs."""
    try:
        await client.run(identity)
    except NotFound:
        return False
    return True


async def check_file(
    bot: StudioBot, interaction: discord.Interaction, file: discord.Attachment
) -> None:
    """Answer, for whoever asked alone, what can be found out about a file."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    async with (
        fetched(file.url, file.filename) as path,
        bot.clients(studio_owner(interaction)) as client,
    ):
        verdict = await client.verify(path)
    await whisper(interaction, clipped(judged(verdict, file.filename, language_of(interaction))))


def judged(verdict: Verdict, name: str, language: str) -> str:
    """A verdict as a message: the one word, the sentence, and each layer's."""
    word = said(f"verdict.{verdict.outcome.value}", verdict.outcome.value, language)
    lines = [f"**{word}** · {discord.utils.escape_markdown(name)}", verdict.sentence]
    for layer in verdict.layers:
        title = said(f"layer.{layer.name}", layer.name, language)
        lines.append(f"-# {title}: {layer.summary}")
    return "\n".join(lines)


async def _queue(bot: StudioBot, interaction: discord.Interaction) -> None:
    await interaction.response.defer(ephemeral=True, thinking=True)
    language = language_of(interaction)
    async with bot.clients(studio_owner(interaction)) as client:
        places = await client.queue()
    lines = [_place(place, language) for place in places[:LINES]]
    if len(places) > LINES:
        lines.append(say("bot.more", language, count=len(places) - LINES))
    await whisper(interaction, clipped("\n".join(lines) or say("bot.queue.empty", language)))


def _place(place: Place, language: str) -> str:
    """One place in line; of somebody else's job only the task is told."""
    title = task_title(TASKS[place.task], language)
    mark = f"{place.place}." if place.place else "▶"
    mine = f" · `{place.job.id}`" if place.job else ""
    when = f" · {moment(time.time() + place.starts_in)}" if place.starts_in else ""
    return f"{mark} {title} · {place.card}{mine}{when}"


def told(job: Job, language: str) -> str:
    """One of one's own jobs in a line."""
    task = TASKS[job.task]
    about = " ".join(str(job.request.get(task.positional, "")).split())
    state = said(f"state.{job.state}", job.state.value, language)
    return f"{task_title(task, language)} · {state} · {about}"
