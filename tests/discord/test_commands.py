"""Every task as a slash command: what Discord is told, in every language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import discord
import pytest

from bots.options import MAX_OPTIONS
from studio.fields import fields_of
from studio.tasks import TASKS, Task
from tests.discord.stage import Stage

_NAME = re.compile(r"[-_'\w]{1,32}")
tasks = pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)


def texts(command: dict[str, Any]) -> Iterator[str]:
    """All that counts towards the eight thousand characters of a command."""
    yield command["name"] + command.get("description", "")
    for choice in command.get("choices", ()):
        yield f"{choice['name']}{choice['value']}"
    for option in command.get("options", ()):
        yield from texts(option)


@tasks
def test_every_task_is_a_command_that_discord_can_express(stage: Stage, task: Task) -> None:
    command = next(one for one in stage.discord.commands if one["name"] == task.verb)
    specs = fields_of(task.request)
    options = {one["name"]: one for one in command["options"]}
    lost = [spec.name for spec in specs if spec.name not in options]
    assert not lost, f"Discord takes {MAX_OPTIONS} options, and {task.id} has no room for {lost}"
    assert sum(map(len, texts(command))) <= 8000
    assert command["contexts"] == [0, 1, 2]
    assert command["integration_types"] == [0, 1]
    for one in (command, *command["options"]):
        assert _NAME.fullmatch(one["name"]), one["name"]
        assert one["name"] == one["name"].lower()
        assert 1 <= len(one["description"]) <= 100, one
    needed = [one.get("required", False) for one in command["options"]]
    assert needed == sorted(needed, reverse=True), "required ones come first"


LOCALES = ("de", "fr", "ja", "es-ES", "zh-CN")


def parts(command: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """A command, its subcommands and all their options, with the way there."""
    yield f"{path}/{command['name']}", command
    for option in command.get("options", ()):
        yield from parts(option, f"{path}/{command['name']}")


def test_every_command_subcommand_and_option_has_words_in_every_language(stage: Stage) -> None:
    everything = [part for command in stage.discord.commands for part in parts(command)]
    missing = [
        f"{path} {field} {locale}"
        for path, one in everything
        for field in ("name", "description")
        # What a right-click offers has no description.
        if one.get(field)
        for locale in LOCALES
        if locale not in (one.get(f"{field}_localizations") or {})
    ]
    assert not missing, "\n".join(missing)
    for path, one in everything:
        for locale, name in (one.get("name_localizations") or {}).items():
            # Those of a message's menu are read by people and may have spaces.
            assert one.get("type") == 3 or _NAME.fullmatch(name), (path, locale, name)
            assert one.get("type") == 3 or name == name.lower(), (path, locale, name)
        for locale, text in (one.get("description_localizations") or {}).items():
            assert 1 <= len(text) <= 100, (path, locale, text)


def test_no_two_names_in_one_place_are_the_same_in_any_language(stage: Stage) -> None:
    for locale in LOCALES:
        for _, one in parts({"name": "", "options": stage.discord.commands}):
            inner = one.get("options", ())
            names = [(part.get("name_localizations") or {}).get(locale, part["name"])
                     for part in inner]  # fmt: skip
            assert len(set(names)) == len(names), (one["name"], locale, sorted(names))


def longest(part: dict[str, Any], field: str) -> int:
    """Characters of the longest of a part's names, or descriptions: only that one counts."""
    said = [part.get(field) or "", *(part.get(f"{field}_localizations") or {}).values()]
    return max(map(len, said))


def test_no_command_has_more_text_than_discord_takes(stage: Stage) -> None:
    for command in stage.discord.commands:
        texts = sum(
            longest(part, field) for _, part in parts(command) for field in ("name", "description")
        )
        values = sum(len(f"{choice['name']}{choice['value']}") for _, part in parts(command)
                     for choice in part.get("choices", ()))  # fmt: skip
        assert texts + values <= 8000, command["name"]


def test_no_more_is_ordered_at_once_than_a_message_holds(stage: Stage) -> None:
    imagine = next(one for one in stage.discord.commands if one["name"] == "imagine")
    count = next(one for one in imagine["options"] if one["name"] == "count")
    assert (count["min_value"], count["max_value"]) == (1, 10)


def test_a_limit_is_set_for_what_people_write_in(stage: Stage) -> None:
    settings = next(one for one in stage.discord.commands if one["name"] == "settings")
    limit = next(one for one in settings["options"] if one["name"] == "limit")
    channel = next(one for one in limit["options"] if one["name"] == "channel")
    assert discord.ChannelType.text.value in channel["channel_types"]
    assert discord.ChannelType.category.value not in channel["channel_types"]


def test_commands_are_told_once_and_not_again_after_a_restart(stage: Stage) -> None:
    async def scene() -> None:
        before = len(stage.discord.called("PUT", "/applications/"))
        await stage.restart()
        assert len(stage.discord.called("PUT", "/applications/")) == before

    stage.play(scene())
    names = [one["name"] for one in stage.discord.commands]
    assert len(set(names)) == len(names)
    assert {"verify", "queue", "cancel", "show", "me", "settings"} <= set(names)
    assert {"Check provenance", "Use as input"} <= set(names)


def test_the_bot_asks_for_no_privileged_intent(stage: Stage) -> None:
    privileged = 1 << 1 | 1 << 8 | 1 << 15
    asked = {one["intents"] for one in stage.discord.gateway.identified}
    assert not any(intents & privileged for intents in asked)
    assert asked == {1 << 0 | 1 << 9 | 1 << 12}, "guilds, and the messages in them and to the bot"


def test_models_are_suggested_for_the_task(stage: Stage) -> None:
    async def scene() -> None:
        fake = stage.discord
        assert "noise" in await fake.suggestions("imagine", "model", model="")
        assert await fake.suggestions("imagine", "model", model="NOI") == ["noise"]
        assert "noise" not in await fake.suggestions("compose", "model", model="")

    stage.play(scene())
