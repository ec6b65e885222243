"""`/me`: what the studio keeps of whoever asks: to look at, to take along, to throw away."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import TYPE_CHECKING, Any

import anyio
import discord
from discord import app_commands

from bots.desk import parent_of, roles_of, studio_owner, whisper
from bots.options import EVERYWHERE, FOR_ALL
from bots.rules import DAY, applying, moment
from bots.verbs import LINES, told
from bots.wording import clipped, command_in, language_of
from studio.errors import Refused
from studio.job import Job
from studio.recipes.run import RunState
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot

_MAX_JOBS, _MAX_TALKS = 1000, 100


def commands(bot: StudioBot) -> app_commands.Group:
    """The command group."""
    group = app_commands.Group(
        name="me",
        description=say("bot.about.me"),
        allowed_contexts=EVERYWHERE,
        allowed_installs=FOR_ALL,
    )

    @command_in(group)
    async def history(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        language = language_of(interaction)
        async with bot.clients(studio_owner(interaction)) as client:
            jobs = await client.jobs(limit=LINES)
        lines = [f"{moment(job.created)} {clipped(told(job, language), 90)}" for job in jobs]
        await whisper(interaction, clipped("\n".join(lines) or say("bot.history.empty", language)))

    @command_in(group)
    async def quota(interaction: discord.Interaction) -> None:
        language, user = language_of(interaction), interaction.user
        guild = str(interaction.guild_id or "")
        places = (str(interaction.channel_id), parent_of(interaction.channel))
        limits = applying(bot.store.rules(guild), guild, places, roles_of(user))
        used = len(bot.store.ordered(str(user.id), guild, time.time() - DAY))
        days = [limit.per_day for limit in limits if limit.per_day is not None]
        text = (
            say("bot.quota", language, used=used, limit=min(days))
            if days
            else say("bot.quota.none", language, used=used)
        )
        await whisper(interaction, text)

    @command_in(group)
    async def export(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        language = language_of(interaction)
        async with bot.clients(studio_owner(interaction)) as client:
            jobs: list[Job] = []
            while page := await client.jobs(limit=100, before=jobs[-1].id if jobs else None):
                jobs += page
                if len(jobs) >= _MAX_JOBS:
                    break
            talks = await client.conversations(limit=_MAX_TALKS)
            said = [(await client.conversation(one.id)).record() for one in talks]
        records = {"jobs": [job.record() for job in jobs], "conversations": said}
        content = await anyio.to_thread.run_sync(_zipped, records)
        if len(content) > interaction.filesize_limit:
            size = f"{len(content) / 2**20:.1f}"
            raise Refused(
                say("bot.export.large", language, size=size),
                hint=say("bot.export.large.how", language),
            )
        await interaction.edit_original_response(
            content=say("bot.export", language, count=len(jobs)),
            attachments=[discord.File(io.BytesIO(content), "colophon.zip")],
        )

    @command_in(group)
    async def erase(interaction: discord.Interaction, sure: bool) -> None:
        language = language_of(interaction)
        if not sure:
            await whisper(interaction, say("bot.erase.kept", language))
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        thrown = 0
        async with bot.clients(studio_owner(interaction)) as client:
            for run in await client.runs(limit=100):
                if run.state is RunState.RUNNING:
                    await client.stop_run(run.id)
            for job in await client.jobs(limit=100):
                if not job.state.final:
                    await client.cancel(job.id)
            while conversations := await client.conversations(limit=100):
                for one in conversations:
                    await client.delete_conversation(one.id)
            while page := await client.artifacts(limit=100):
                for artifact in page:
                    await client.delete(artifact.id)
                thrown += len(page)
        bot.store.forget(str(interaction.user.id))
        await whisper(interaction, say("bot.erase.done", language, count=thrown))

    return group


def _zipped(records: Any) -> bytes:
    """The records as a zip with one JSON file: every job of a conversation holds all before it."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("colophon.json", "w") as inner,
        io.TextIOWrapper(inner, "utf-8") as text,
    ):
        # Piece by piece: as one text it would lie in memory a second time.
        json.dump(records, text, indent=1, ensure_ascii=False)
    return file.getvalue()
