"""What those who manage a server can set: what is allowed there, how much, and who changed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bots.desk import whisper
from bots.rules import Limit, Rules, moment
from bots.wording import clipped, command_in, language_of
from studio.errors import NotFound
from studio.tasks import find_task
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot

_MAX_TERMS = 1000
#: Where people order: a limit holds in a channel and its threads, and a category is neither.
_Channel = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel


def commands(bot: StudioBot) -> Iterator[app_commands.Group]:
    """The one command group, which Discord shows to those who manage the server."""
    group = app_commands.Group(
        name="settings",
        description=say("bot.about.settings"),
        default_permissions=discord.Permissions(manage_guild=True),
        allowed_contexts=app_commands.AppCommandContext(guild=True),
        allowed_installs=app_commands.AppInstallationType(guild=True),
    )

    def change(interaction: discord.Interaction, what: str, **values: Any) -> Any:
        guild = str(interaction.guild_id)
        rules = bot.store.rules(guild).model_copy(update=values)
        bot.store.save_rules(guild, rules, who=str(interaction.user.id), what=what)
        return whisper(interaction, _listed(rules, language_of(interaction)))

    @command_in(group)
    async def show(interaction: discord.Interaction) -> None:
        rules = bot.store.rules(str(interaction.guild_id))
        await whisper(interaction, _listed(rules, language_of(interaction)))

    @command_in(group)
    async def tasks(interaction: discord.Interaction, allowed: str = "") -> None:
        found = tuple(find_task(name).id for name in _terms(allowed))
        await change(interaction, f"tasks: {', '.join(found) or '*'}", tasks=found)

    @command_in(group)
    async def models(interaction: discord.Interaction, allowed: str = "") -> None:
        wanted = _terms(allowed)
        async with bot.clients(f"discord:{interaction.user.id}") as client:
            known = {model.card.name for model in await client.cards()}
        if unknown := [name for name in wanted if name not in known]:
            raise NotFound(
                f"There is no model {unknown[0]!r}.", hint=f"The models are: {', '.join(known)}."
            )
        await change(interaction, f"models: {', '.join(wanted) or '*'}", models=wanted)

    @command_in(group)
    async def words(interaction: discord.Interaction, blocked: str = "", gated: str = "") -> None:
        what = f"blocked: {blocked or '-'}; gated: {gated or '-'}"
        await change(interaction, what, blocked=_terms(blocked), gated=_terms(gated))

    @command_in(group)
    async def spoiler(interaction: discord.Interaction, hidden: bool) -> None:
        await change(interaction, f"spoiler: {hidden}", spoiler=hidden)

    @command_in(group)
    async def limit(
        interaction: discord.Interaction,
        role: discord.Role | None = None,
        channel: _Channel | None = None,
        per_day: app_commands.Range[int, 0, 100_000] | None = None,
        cooldown: app_commands.Range[int, 0, 86_400] = 0,
    ) -> None:
        subject = str((channel or role or discord.Object(interaction.guild_id or 0)).id)
        limits = dict(bot.store.rules(str(interaction.guild_id)).limits)
        limits[subject] = Limit(per_day=per_day, cooldown=cooldown)
        if per_day is None and not cooldown:
            del limits[subject]
        await change(interaction, f"limit {subject}: {per_day}, {cooldown} s", limits=limits)

    @command_in(group)
    async def audit(interaction: discord.Interaction) -> None:
        rows = bot.store.audit(str(interaction.guild_id))
        lines = [f"{moment(at)} <@{who}> {discord.utils.escape_markdown(what)}"
                 for at, who, what in rows]  # fmt: skip
        nothing = say("bot.audit.empty", language_of(interaction))
        await whisper(interaction, clipped("\n".join(lines) or nothing))

    for command in group.commands:
        # Discord hides the group from others; a server may have changed that, so it is asked again.
        command.add_check(_manages)  # type: ignore[union-attr]
    yield group


def _manages(interaction: discord.Interaction) -> bool:
    return interaction.permissions.manage_guild


def _terms(text: str) -> tuple[str, ...]:
    """What stands between the commas."""
    return tuple(part for one in text[:_MAX_TERMS].split(",") if (part := one.strip()))


def _listed(rules: Rules, language: str) -> str:
    """The rules as a message."""
    everything = say("bot.settings.all", language)
    lines = [
        f"**tasks** {', '.join(rules.tasks) or everything}",
        f"**models** {', '.join(rules.models) or everything}",
        f"**blocked** {', '.join(rules.blocked) or '–'}",
        f"**gated** 🔞 {', '.join(rules.gated) or '–'}",
        f"**spoiler** {'✓' if rules.spoiler else '–'}",
    ]
    lines += [
        f"**limit** `{subject}` {'∞' if one.per_day is None else one.per_day}/24 h, "
        f"{one.cooldown:g} s"
        for subject, one in rules.limits.items()
    ]
    return clipped("\n".join(lines))
