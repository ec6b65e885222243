"""In which language somebody is answered, and how the commands are called in each."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Place

from bots.options import MAX_DESCRIPTION
from studio.errors import StudioError
from studio.job import Event, Loading, Paused, Queued, Sealed, Step
from studio.tasks import Task, find_task
from studio.words import ENGLISH, LANGUAGES, preferred, said, say

#: The longest message, and the longest name of a command or an option.
MAX_MESSAGE = 2000
_MAX_NAME = 32


def language_of(interaction: discord.Interaction) -> str:
    """The catalogue's language for whoever acted."""
    return preferred(interaction.locale.value)


def explained(error: StudioError) -> str:
    """An error as a message: what happened, and what to do next."""
    return clipped(f"{error.message}\n-# {error.hint}" if error.hint else error.message)


def clipped(text: str, longest: int = MAX_MESSAGE) -> str:
    """`text`, no longer than that."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def task_title(task: Task, language: str) -> str:
    """The task's name for people."""
    return said(f"task.{task.id}.title", task.title, language)


def progress(event: Event, card: str, count: int, language: str) -> str | None:
    """How far a job is, in one line; None for what is not worth one."""
    match event:
        case Queued(ahead=0):
            return say("job.next", language)
        case Queued(ahead=1):
            return say("job.ahead.one", language)
        case Queued(ahead=ahead):
            return say("job.ahead.many", language, count=ahead)
        case Paused(message=message, hint=hint):
            return f"{message} {hint}"
        case Loading():
            return say("job.loading", language, model=card)
        case Step(done=done, total=total) if done == total:
            return say("job.sealing", language)
        case Step(done=done, total=total) if count == 1:
            return say("job.step", language, done=done, total=total)
        case Step(done=done, total=total, index=index):
            place = index + 1
            return say("job.step.one", language, index=place, count=count, done=done, total=total)
        case Sealed():
            return say("job.sealing", language)
    return None


class Translator(app_commands.Translator):
    """The commands' names and descriptions, from the one catalogue."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """What `string` is called there; None keeps the English."""
        language = locale.value[:2]
        if language not in LANGUAGES or language == ENGLISH:
            return None
        match context.location, context.data:
            case (Place.parameter_name, app_commands.Parameter() as option):
                return _named(_of_option(option.name, "title", language))
            case (Place.parameter_description, app_commands.Parameter() as option):
                found = _of_option(option.name, "description", language)
                return clipped(found, MAX_DESCRIPTION) or None
            case (Place.command_name, app_commands.Command() as command):
                return _named(_title(command, language) or _beside(command, language))
            case (Place.group_name, app_commands.Group() as group):
                return _named(_beside(group, language))
            case (Place.command_description, app_commands.Command() as command):
                return clipped(_title(command, language), MAX_DESCRIPTION) or None
            case (Place.command_name, app_commands.ContextMenu() as menu):
                return said(menu.extras["key"], "", language)[:_MAX_NAME] or None
        return None


def _title(command: app_commands.Command[Any, ..., Any], language: str) -> str:
    task = command.extras.get("task")
    return said(f"task.{find_task(task).id}.title", "", language) if task else ""


def _beside(
    command: app_commands.Command[Any, ..., Any] | app_commands.Group, language: str
) -> str:
    """What a command beside the tasks is called; those of a group keep their English names."""
    return "" if command.parent else said(f"bot.command.{command.name}", "", language)


def _of_option(name: str, part: str, language: str) -> str:
    """What an option is called; `images_2` is another of the field `images`."""
    own = said(f"field.{name}.{part}", "", language)
    field, _, number = name.rpartition("_")
    if own or not number.isdecimal():
        return own
    shared = said(f"field.{field}.{part}", "", language)
    return f"{shared} {number}" if shared and part == "title" else shared


def _named(title: str) -> str | None:
    """A title as Discord takes names: small letters, digits and hyphens."""
    letters = "".join(one if one.isalnum() else "-" for one in title.casefold())
    return "-".join(part for part in letters.split("-") if part)[:_MAX_NAME] or None
