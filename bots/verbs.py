"""The commands beside the tasks: check a file, look at the line, stop, show, one's own things."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bots.attachments import fetched
from bots.desk import errand_for, studio_owner, take, whisper
from bots.rules import DAY, applying, moment
from bots.store import State
from bots.wording import clipped, language_of, task_title
from studio.job import Job, JobState
from studio.protocol import Place
from studio.provenance.verdict import Verdict
from studio.tasks import TASKS
from studio.words import said, say

if TYPE_CHECKING:
    from bots.bot import StudioBot

_CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
_INSTALLS = app_commands.AppInstallationType(guild=True, user=True)
#: How many lines a list has.
_LINES = 15
_MAX_JOBS = 1000


def commands(bot: StudioBot) -> Iterator[app_commands.Command[Any, ..., Any] | app_commands.Group]:
    """The commands that `bot` has beside those of the tasks."""

    async def verify(interaction: discord.Interaction, file: discord.Attachment) -> None:
        await check_file(bot, interaction, file)

    async def queue(interaction: discord.Interaction) -> None:
        await _queue(bot, interaction)

    async def cancel(interaction: discord.Interaction, job: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        async with bot.clients(studio_owner(interaction)) as client:
            stopped = await client.cancel(job)
        state = said(f"state.{stopped.state}", stopped.state.value, language_of(interaction))
        await whisper(interaction, f"`{job}` · {state}")

    async def show(interaction: discord.Interaction, job: str) -> None:
        errand = errand_for(interaction, "", {}, state=State.MAKING, job=job)
        async with bot.clients(errand.studio_owner) as client:
            await client.job(job)
        await take(bot, interaction, errand)

    async def suggest_job(
        interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        async with bot.clients(studio_owner(interaction)) as client:
            jobs = await client.jobs(limit=25)
        names = {job.id: _line(job, language_of(interaction)) for job in jobs}
        return [
            app_commands.Choice(name=clipped(name, 100), value=job)
            for job, name in names.items()
            if typed.lower() in name.lower()
        ]

    for name, callback, description, options in (
        ("verify", verify, "Check where a file comes from.", {"file": "The file to check."}),
        ("queue", queue, "Show what is being made, and what waits.", {}),
        ("cancel", cancel, "Stop one of your jobs.", {"job": "The job: choose it, or its id."}),
        ("show", show, "Bring one of your jobs here.", {"job": "The job: choose it, or its id."}),
    ):
        if options:
            callback = app_commands.describe(**options)(callback)
        command: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name=name,
            description=description,
            callback=callback,
            allowed_contexts=_CONTEXTS,
            allowed_installs=_INSTALLS,
        )
        if "job" in options:
            command.autocomplete("job")(suggest_job)
        yield command
    yield _me(bot)


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
    lines = [_place(place, language) for place in places[:_LINES]]
    if len(places) > _LINES:
        lines.append(say("bot.more", language, count=len(places) - _LINES))
    await whisper(interaction, clipped("\n".join(lines) or say("bot.queue.empty", language)))


def _place(place: Place, language: str) -> str:
    """One place in line; of somebody else's job only the task is told."""
    title = task_title(TASKS[place.task], language)
    mark = f"{place.place}." if place.place else "▶"
    mine = f" · `{place.job.id}`" if place.job else ""
    when = f" · {moment(time.time() + place.starts_in)}" if place.starts_in else ""
    return f"{mark} {title} · {place.card}{mine}{when}"


def _line(job: Job, language: str) -> str:
    """One of one's own jobs in a line."""
    task = TASKS[job.task]
    about = " ".join(str(job.request.get(task.positional, "")).split())
    state = said(f"state.{job.state}", job.state.value, language)
    return f"{task_title(task, language)} · {state} · {about}"


def _me(bot: StudioBot) -> app_commands.Group:
    group = app_commands.Group(
        name="me",
        description="What the studio keeps of you.",
        allowed_contexts=_CONTEXTS,
        allowed_installs=_INSTALLS,
    )

    @group.command(name="history", description="Your latest jobs.")
    async def history(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        language = language_of(interaction)
        async with bot.clients(studio_owner(interaction)) as client:
            jobs = await client.jobs(limit=_LINES)
        lines = [f"{moment(job.created)} {clipped(_line(job, language), 90)}" for job in jobs]
        await whisper(interaction, clipped("\n".join(lines) or say("bot.history.empty", language)))

    @group.command(name="quota", description="How much you may order here.")
    async def quota(interaction: discord.Interaction) -> None:
        language, user = language_of(interaction), interaction.user
        guild = str(interaction.guild_id or "")
        roles = [str(role.id) for role in user.roles] if isinstance(user, discord.Member) else []
        limits = applying(bot.store.rules(guild), guild, str(interaction.channel_id), roles)
        used = len(bot.store.ordered(str(user.id), guild, time.time() - DAY))
        days = [limit.per_day for limit in limits if limit.per_day is not None]
        text = (
            say("bot.quota", language, used=used, limit=min(days))
            if days
            else say("bot.quota.none", language, used=used)
        )
        await whisper(interaction, text)

    @group.command(name="export", description="All your jobs as a file.")
    async def export(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        async with bot.clients(studio_owner(interaction)) as client:
            jobs: list[Job] = []
            while page := await client.jobs(limit=100, before=jobs[-1].id if jobs else None):
                jobs += page
                if len(jobs) >= _MAX_JOBS:
                    break
        text = json.dumps([job.record() for job in jobs], indent=1, ensure_ascii=False)
        file = discord.File(io.BytesIO(text.encode()), "colophon-jobs.json")
        await interaction.edit_original_response(
            content=say("bot.export", language_of(interaction), count=len(jobs)),
            attachments=[file],
        )

    @group.command(name="erase", description="Throw away all that you made, and be forgotten.")
    @app_commands.describe(sure="Yes: really throw everything away.")
    async def erase(interaction: discord.Interaction, sure: bool) -> None:
        language = language_of(interaction)
        if not sure:
            await whisper(interaction, say("bot.erase.kept", language))
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        thrown = 0
        async with bot.clients(studio_owner(interaction)) as client:
            for job in await client.jobs(limit=100):
                if job.state in (JobState.WAITING, JobState.RUNNING):
                    await client.cancel(job.id)
            while page := await client.artifacts(limit=100):
                for artifact in page:
                    await client.delete(artifact.id)
                thrown += len(page)
        bot.store.forget(str(interaction.user.id))
        await whisper(interaction, say("bot.erase.done", language, count=thrown))

    return group
