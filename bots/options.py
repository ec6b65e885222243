"""Slash commands from tasks: every option is derived from a `FieldSpec`, none is written by hand.

What Discord cannot express, a grid of multiples or a rule across fields, the studio checks when
the order arrives; its answer is shown to whoever sent the command.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
#: How many files a message holds, and so how many results one command can order.
MAX_COUNT = 10
#: How many files one command takes into one list.
MAX_FILES = 6

#: Where a command can be used, and for whom the bot can be installed to use it.
EVERYWHERE = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
FOR_ALL = app_commands.AppInstallationType(guild=True, user=True)

#: What a command does: with the interaction, the task and the fields that were filled in.
Run = Callable[[discord.Interaction, Task, Mapping[str, Any]], Awaitable[None]]
#: The same, where the command has no task.
Given = Callable[[discord.Interaction, Mapping[str, Any]], Awaitable[None]]
#: Values of a field that begin like what was typed; asked for fields with too many to list.
Suggest = Callable[[discord.Interaction, FieldSpec, str], Awaitable[list[str]]]


def command_for(task: Task, run: Run, suggest: Suggest) -> app_commands.Command[Any, ..., None]:
    """The slash command of one task, named after its verb."""

    async def order(interaction: discord.Interaction, given: Mapping[str, Any]) -> None:
        await run(interaction, task, given)

    return command_from(
        fields_of(task.request),
        order,
        suggest,
        name=task.verb,
        description=short(task.description),
        allowed_contexts=EVERYWHERE,
        allowed_installs=FOR_ALL,
        extras={"task": task.id},
    )


def command_from(
    specs: Sequence[FieldSpec], run: Given, suggest: Suggest, **about: Any
) -> app_commands.Command[Any, ..., None]:
    """A slash command whose options are fields; `about` is its name, its description and so on.

    An option that is left out does not reach `run` at all, so that the model's own default
    applies. A media option arrives as `discord.Attachment`.
    """
    slots = slots_of(specs)

    async def callback(interaction: discord.Interaction, **options: Any) -> None:
        given: dict[str, Any] = {}
        for name, spec in slots.items():
            value = options.get(name)
            if value is None:
                continue
            if spec.type != "list":
                given[spec.name] = value
            elif spec.media is None:
                given[spec.name] = spec.parse(value)
            else:
                given.setdefault(spec.name, []).append(value)
        await run(interaction, given)

    # discord.py reads a command's options from its callback's signature.
    callback.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_parameter("interaction", discord.Interaction)]
        + [
            _parameter(name, annotation(spec, first=name == spec.name), _required(name, spec))
            for name, spec in slots.items()
        ]
    )
    app_commands.describe(
        **{name: short(spec.description or spec.title) for name, spec in slots.items()}
    )(callback)
    listed = {name: _choices(spec) for name, spec in slots.items() if is_listed(spec)}
    if listed:
        app_commands.choices(**listed)(callback)
    command: app_commands.Command[Any, ..., None] = app_commands.Command(callback=callback, **about)
    for name, spec in slots.items():
        if is_suggested(spec):
            command.autocomplete(name)(_suggester(spec, suggest))
    return command


def slots_of(specs: Sequence[FieldSpec]) -> dict[str, FieldSpec]:
    """The options of a command, by name: one for each field, several for a list of files.

    Discord has no option that takes several files, so `images` is followed by `images_2` and so on,
    as far as there is room. Required ones come first and advanced ones last, so what is cut off is
    missed least.
    """
    shown = specs[:MAX_OPTIONS]
    room = MAX_OPTIONS - len(shown)
    slots: list[tuple[str, FieldSpec]] = []
    for spec in shown:
        slots.append((spec.name, spec))
        if spec.type == "list" and spec.media is not None:
            more = min(MAX_FILES, spec.max_length or MAX_FILES) - 1
            slots += [(f"{spec.name}_{2 + n}", spec) for n in range(min(more, room))]
            room -= min(more, room)
    return dict(sorted(slots, key=lambda slot: not _required(*slot)))


def annotation(spec: FieldSpec, *, first: bool = True) -> Any:
    """What discord.py makes this field's option from; only the `first` can be required."""
    kind = _kind(spec)
    required = spec.required and first
    return kind if required else Optional[kind]  # noqa: UP045 - discord.py reads this form


def _required(name: str, spec: FieldSpec) -> bool:
    return spec.required and name == spec.name


def is_listed(spec: FieldSpec) -> bool:
    """Whether Discord shows all the field's values."""
    return 0 < len(spec.choices) <= MAX_CHOICES


def is_suggested(spec: FieldSpec) -> bool:
    """Whether the field's values are suggested while somebody types."""
    return spec.type == "model" or len(spec.choices) > MAX_CHOICES


def _kind(spec: FieldSpec) -> Any:
    if spec.media is not None:
        return discord.Attachment
    low = -MAX_NUMBER if spec.minimum is None else max(spec.minimum, -MAX_NUMBER)
    high = MAX_NUMBER if spec.maximum is None else min(spec.maximum, MAX_NUMBER)
    match spec.type:
        case "integer":
            most = min(high, MAX_COUNT) if spec.name == "count" else high
            return app_commands.Range[int, int(low), int(most)]
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
        return [app_commands.Choice(name=short(one), value=one) for one in found[:MAX_CHOICES]]

    return complete


def short(text: str) -> str:
    """`text` as Discord takes it: at most a hundred characters."""
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1] + "…"
