"""The Discord bot: the studio's tasks as commands, its jobs as messages."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import discord
from discord import app_commands

from bots import admin, chat, me, menus, presses, recipes, verbs
from bots.delivery import deliver
from bots.desk import order, studio_owner, whisper
from bots.errand import Errand
from bots.health import Health
from bots.models import Models
from bots.options import command_for
from bots.store import Store
from bots.wording import Translator, explained, language_of
from studio.client import Client
from studio.errors import Broken, NotFound, Refused, StudioError
from studio.fields import FieldSpec
from studio.tasks import TASKS, Task
from studio.words import say

#: The studio as one owner sees it, for as long as it is needed.
Clients = Callable[[str], AbstractAsyncContextManager[Client]]

#: Seconds between two looks at how the bot is; and for how long what has ended is remembered.
_HEALTH_SECONDS = 30.0
_KEPT_SECONDS = 90 * 24 * 3600.0

_LOG = logging.getLogger(__name__)


class StudioBot(discord.Client):
    """One bot. It asks for no privileged intent, and remembers no messages and no members."""

    def __init__(self, clients: Clients, store: Store, *, run: Path, public_url: str = "") -> None:
        """`run` is the folder for its sign of life; `public_url` is where links to files lead."""
        super().__init__(
            # Of messages, those that mention the bot and direct ones carry their words.
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True),
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            max_ratelimit_timeout=30,
        )
        self.clients = clients
        self.store = store
        self.public_url = public_url.rstrip("/")
        self.tree = app_commands.CommandTree(self, fallback_to_global=False)
        self.tree.error(self._on_command_error)
        self._health = Health(self, run / "discord.json")
        self._work: set[asyncio.Task[None]] = set()
        self.models = Models()
        for task in TASKS.values():
            self.tree.add_command(command_for(task, self._order, self.suggest))
        self.tree.add_command(chat.command(self))
        self.tree.add_command(me.commands(self))
        for room in (recipes, verbs, menus, admin):
            for command in room.commands(self):
                self.tree.add_command(command)

    async def setup_hook(self) -> None:
        """Tell Discord the commands, if they changed, and go on with what is unfinished."""
        await self.tree.set_translator(Translator())
        await self._sync()
        for errand in self.store.unfinished():
            self.begin(errand)
        self._keep(asyncio.create_task(self._look_after(), name="health"))

    async def close(self) -> None:
        """End; what is unfinished goes on at the next start."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        self._health.end()
        await super().close()

    def begin(self, errand: Errand) -> None:
        """Carry an errand out, beside everything else."""
        self._keep(asyncio.create_task(deliver(self, errand), name=f"errand {errand.id}"))

    async def on_ready(self) -> None:
        """Discord tells everything from now on; what was said before is asked for."""
        await chat.catch_up(self)

    async def on_message(self, message: discord.Message) -> None:
        """Somebody said something where the bot is."""
        await chat.hear(self, message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """A button or a window, of whatever age; commands go to the tree by themselves."""
        if interaction.type in (
            discord.InteractionType.component,
            discord.InteractionType.modal_submit,
        ):
            try:
                await presses.pressed(self, interaction)
            except Exception as error:
                await self._explain(interaction, error)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Log what nobody foresaw; the bot goes on."""
        _LOG.exception("while handling %s", event_method)

    async def _order(
        self, interaction: discord.Interaction, task: Task, values: Mapping[str, Any]
    ) -> None:
        await order(self, interaction, task, values)

    async def suggest(
        self, interaction: discord.Interaction, spec: FieldSpec, typed: str
    ) -> list[str]:
        """The field's values that hold what was typed; for a model, those that do the task."""
        choices = spec.choices
        if spec.type == "model" and isinstance(interaction.command, app_commands.Command):
            extras = interaction.command.extras
            task = extras.get("task") or extras["models"]
            with contextlib.suppress(StudioError):
                async with self.clients(studio_owner(interaction)) as client:
                    choices = (await self.models.now(client)).by_task[task]
            allowed = self.store.rules(str(interaction.guild_id or "")).models
            choices = tuple(one for one in choices if not allowed or one in allowed)
        return [one for one in choices if typed.lower() in one.lower()]

    async def _sync(self) -> None:
        """Put the commands to Discord, which takes few such calls, unless it has these already."""
        translator = self.tree.translator
        assert translator is not None  # noqa: S101 - `setup_hook` has set it
        commands = [
            await command.get_translated_payload(self.tree, translator)
            for command in self.tree.get_commands(type=None)
        ]
        digest = hashlib.sha256(json.dumps(commands, sort_keys=True).encode()).hexdigest()
        known = f"{self.application_id} {digest}"
        if self.store.fact("commands") != known:
            await self.tree.sync()
            self.store.remember("commands", known)

    async def _look_after(self) -> None:
        while True:
            self._health.tell()
            self.store.sweep(time.time() - _KEPT_SECONDS)
            await asyncio.sleep(_HEALTH_SECONDS)

    async def _on_command_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            cause = NotFound("This command has changed.", hint="Reload Discord, and try again.")
        elif isinstance(error, app_commands.CheckFailure):
            cause = Refused(say("bot.rule.admin", language_of(interaction)), hint="")
        await self._explain(interaction, cause)

    async def _explain(self, interaction: discord.Interaction, error: Exception) -> None:
        """Tell whoever acted what went wrong; what nobody foresaw is logged."""
        if not isinstance(error, StudioError):
            broken = Broken()
            _LOG.error("incident %s", broken.incident, exc_info=error)
            error = broken
        if interaction.type is discord.InteractionType.autocomplete:
            return
        try:
            await whisper(interaction, explained(error))
        except (discord.HTTPException, OSError) as failure:
            _LOG.warning("an error could not be told: %s", failure)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._work.add(task)
        task.add_done_callback(self._work.discard)
