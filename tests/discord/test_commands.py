"""Every task as a slash command: what Discord is told, in every language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bots.options import MAX_OPTIONS
from studio.fields import fields_of
from studio.tasks import TASKS, Task
from studio.words import LANGUAGES
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


@tasks
def test_every_command_has_names_in_every_language(stage: Stage, task: Task) -> None:
    command = next(one for one in stage.discord.commands if one["name"] == task.verb)
    for locale in ("de", "fr", "ja", "es-ES", "zh-CN"):
        assert locale[:2] in LANGUAGES
        # That every field has its words is the catalogue's own test.
        named = [one.get("name_localizations", {}).get(locale) for one in command["options"]]
        named = [name for name in named if name is not None]
        assert named, "nothing is translated"
        assert len(set(named)) == len(named), named
        for name in (command.get("name_localizations", {}).get(locale, "x"), *named):
            assert _NAME.fullmatch(name), name
            assert name == name.lower()
        for one in command["options"]:
            assert len(one.get("description_localizations", {}).get(locale, "x")) <= 100


@pytest.mark.parametrize("verb", ["verify", "queue", "cancel", "show", "me", "settings"])
def test_the_other_commands_have_names_in_every_language_too(stage: Stage, verb: str) -> None:
    for locale in ("de", "fr", "ja", "es-ES", "zh-CN"):
        names = {one["name"]: one.get("name_localizations", {}).get(locale)
                 for one in stage.discord.commands}  # fmt: skip
        assert names[verb]
        assert _NAME.fullmatch(names[verb]), names[verb]
        assert list(names.values()).count(names[verb]) == 1


def test_no_more_is_ordered_at_once_than_a_message_holds(stage: Stage) -> None:
    imagine = next(one for one in stage.discord.commands if one["name"] == "imagine")
    count = next(one for one in imagine["options"] if one["name"] == "count")
    assert (count["min_value"], count["max_value"]) == (1, 10)


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
