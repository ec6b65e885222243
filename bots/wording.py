"""In which language somebody is answered, and how the commands are called in each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Place

from bots.options import EVERYWHERE, FOR_ALL, short
from studio.errors import StudioError
from studio.job import Event, Loading, Paused, Queued, Sealed, Step
from studio.tasks import Task
from studio.words import ENGLISH, LANGUAGES, preferred, said, say

#: The longest message, and the longest name of a command or an option.
MAX_MESSAGE = 2000
_MAX_NAME = 32


def command_beside(callback: Any) -> app_commands.Command[Any, ..., Any]:
    """A command beside those of the tasks, called as its callback is and described as such."""
    name = callback.__name__
    return app_commands.Command(
        name=name,
        description=say(f"bot.about.{name}"),
        callback=_described(callback, name),
        allowed_contexts=EVERYWHERE,
        allowed_installs=FOR_ALL,
    )


def command_in(group: app_commands.Group) -> Callable[[Any], app_commands.Command[Any, ..., Any]]:
    """Make a callback a command of the group, called as it is and described as such."""

    def join(callback: Any) -> app_commands.Command[Any, ..., Any]:
        key = f"{group.name}.{callback.__name__}"
        join_as = group.command(name=callback.__name__, description=say(f"bot.about.{key}"))
        return join_as(_described(callback, key))

    return join


def _described(callback: Any, key: str) -> Any:
    """The callback, its options described by the catalogue."""
    options = list(inspect.signature(callback).parameters)[1:]
    return app_commands.describe(**{one: say(f"bot.option.{key}.{one}") for one in options})(
        callback
    )


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
                names = [_name_of(one, language) for one in option.command.parameters]
                name = _name_of(option, language)
                # Discord takes no command with two options of one name.
                return name if names.count(name) == 1 else None
            case (Place.parameter_description, app_commands.Parameter() as option):
                return short(_of_option(option, "description", language)) or None
            case (Place.command_name | Place.group_name, _):
                return _named(said(_key(context.data, "command", "title"), "", language))
            case (Place.command_description | Place.group_description, _):
                return short(said(_key(context.data, "about", "description"), "", language)) or None
            case _:
                return None


def _key(command: Any, family: str, part: str) -> str:
    """Under what a command's name or description stands in the catalogue."""
    if task := command.extras.get("task"):
        # What a task does is said by its title, which is all that other languages have of it.
        return f"task.{task}.title"
    if recipe := command.extras.get("recipe"):
        return f"recipe.{recipe}.{part}"
    if isinstance(command, app_commands.ContextMenu):
        return str(command.extras["key"])
    return f"bot.{family}.{command.qualified_name.replace(' ', '.')}"


def _name_of(option: app_commands.Parameter, language: str) -> str | None:
    return _named(_of_option(option, "title", language))


def _of_option(option: app_commands.Parameter, part: str, language: str) -> str:
    """What an option is called or does; `images_2` is another of the field `images`."""
    command = option.command
    if not {"task", "recipe"} & command.extras.keys():
        whole = command.qualified_name.replace(" ", ".")
        key = f"bot.name.{option.name}" if part == "title" else f"bot.option.{whole}.{option.name}"
        return said(key, "", language)
    field, _, number = option.name.rpartition("_")
    keys = [f"field.{option.name}.{part}"]
    if recipe := command.extras.get("recipe"):
        keys = [f"recipe.{recipe}.{option.name}.{one}" for one in (part, "title")] + keys
    found = next((words for key in keys if (words := said(key, "", language))), "")
    if found or not number.isdecimal():
        return found
    shared = said(f"field.{field}.{part}", "", language)
    return f"{shared} {number}" if shared and part == "title" else shared


def _named(title: str) -> str | None:
    """A title as Discord takes names: small letters, digits and hyphens."""
    letters = "".join(one if one.isalnum() else "-" for one in title.casefold())
    return "-".join(part for part in letters.split("-") if part)[:_MAX_NAME] or None
