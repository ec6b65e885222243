"""Slash commands from tasks: every option is derived from a `FieldSpec`, none is written by hand.

What Discord cannot express, a grid of multiples or a rule across fields, the studio checks when
the order arrives; its answer is shown to whoever sent the command.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Optional

import discord
from discord import app_commands

from studio.fields import FieldSpec, fields_of
from studio.tasks import Task

#: Discord's own limits.
MAX_OPTIONS = 25
MAX_CHOICES = 25
MAX_DESCRIPTION = 100
MAX_TEXT = 6000
MAX_NUMBER = 2**53

#: What a command does: with the interaction, the task and the fields that were filled in.
Run = Callable[[discord.Interaction, Task, Mapping[str, Any]], Awaitable[None]]
#: Values of a field that begin like what was typed; asked for fields with too many to list.
Suggest = Callable[[discord.Interaction, FieldSpec, str], Awaitable[list[str]]]


def command_for(task: Task, run: Run, suggest: Suggest) -> app_commands.Command[Any, ..., None]:
    """The slash command of one task, named after its verb.

    An option that is left out does not reach `run` at all, so that the model's own default
    applies. A media option arrives as `discord.Attachment`.
    """
    # Required ones come first and advanced ones last, so what is cut off is missed least.
    specs = fields_of(task.request)[:MAX_OPTIONS]

    async def callback(interaction: discord.Interaction, **options: Any) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        for spec in specs:
            if spec.type == "list" and spec.name in given:
                given[spec.name] = spec.parse(given[spec.name])
        await run(interaction, task, given)

    # discord.py reads a command's options from its callback's signature.
    callback.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_parameter("interaction", discord.Interaction)]
        + [_parameter(spec.name, annotation(spec), spec.required) for spec in specs]
    )
    app_commands.describe(**{spec.name: _short(spec.description or spec.title) for spec in specs})(
        callback
    )
    listed = {spec.name: _choices(spec) for spec in specs if is_listed(spec)}
    if listed:
        app_commands.choices(**listed)(callback)
    command: app_commands.Command[Any, ..., None] = app_commands.Command(
        name=task.verb,
        description=_short(task.description),
        callback=callback,
        allowed_contexts=app_commands.AppCommandContext(
            guild=True, dm_channel=True, private_channel=True
        ),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        extras={"task": task.id},
    )
    for spec in specs:
        if is_suggested(spec):
            command.autocomplete(spec.name)(_suggester(spec, suggest))
    return command


def annotation(spec: FieldSpec) -> Any:
    """What discord.py makes this field's option from."""
    kind = _kind(spec)
    return kind if spec.required else Optional[kind]  # noqa: UP045 - discord.py reads this form


def is_listed(spec: FieldSpec) -> bool:
    """Whether Discord shows all the field's values."""
    return 0 < len(spec.choices) <= MAX_CHOICES


def is_suggested(spec: FieldSpec) -> bool:
    """Whether the field's values are suggested while somebody types."""
    return spec.type == "model" or len(spec.choices) > MAX_CHOICES


def _kind(spec: FieldSpec) -> Any:
    if spec.media is not None and spec.type != "list":
        return discord.Attachment
    low = -MAX_NUMBER if spec.minimum is None else max(spec.minimum, -MAX_NUMBER)
    high = MAX_NUMBER if spec.maximum is None else min(spec.maximum, MAX_NUMBER)
    match spec.type:
        case "integer":
            return app_commands.Range[int, int(low), int(high)]
        case "number":
            return app_commands.Range[float, float(low), float(high)]
        case "boolean":
            return bool
        case "text":
            return app_commands.Range[str, 1, min(spec.max_length or MAX_TEXT, MAX_TEXT)]
        case "choice" | "model" | "list":
            return str


def _parameter(name: str, kind: Any, required: bool = True) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=kind,
        default=inspect.Parameter.empty if required else None,
    )


def _choices(spec: FieldSpec) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=choice, value=choice) for choice in spec.choices]


def _suggester(spec: FieldSpec, suggest: Suggest) -> Any:
    async def complete(
        interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        found = await suggest(interaction, spec, typed)
        return [app_commands.Choice(name=_short(one), value=one) for one in found[:MAX_CHOICES]]

    return complete


def _short(text: str) -> str:
    """`text` as Discord takes it: at most a hundred characters."""
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1] + "…"
