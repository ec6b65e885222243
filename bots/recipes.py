"""`/recipe`: a command for each recipe that ships, and one for a recipe that somebody brings."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import discord
from discord import app_commands

from bots.ages import all_texts
from bots.attachments import as_values, fetched
from bots.desk import allow, errand_for, studio_owner, take
from bots.errand import Errand, Kind
from bots.options import EVERYWHERE, FOR_ALL, command_from, short
from bots.wording import command_in
from studio.errors import InvalidRequest
from studio.recipes import shipped
from studio.recipes.document import Recipe
from studio.tasks import find_task
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot

#: The largest recipe that somebody may bring, in bytes.
_MOST_BYTES = 100_000


def commands(bot: StudioBot) -> Iterator[app_commands.Group]:
    """`/recipe`, a group with a command for each recipe."""
    group = app_commands.Group(
        name="recipe",
        description=say("bot.about.recipe"),
        allowed_contexts=EVERYWHERE,
        allowed_installs=FOR_ALL,
    )
    for name in shipped.names():
        group.add_command(_command(bot, name, shipped.recipe(name)))

    @command_in(group)
    async def own(
        interaction: discord.Interaction,
        file: discord.Attachment,
        inputs: str = "",
        media: discord.Attachment | None = None,
    ) -> None:
        if file.size > _MOST_BYTES:
            raise InvalidRequest(
                f"{file.filename} is too large for a recipe.",
                hint=f"A recipe is a YAML text of {_MOST_BYTES:,} bytes at most.",
            )
        values = as_values({"file": file, "inputs": inputs, "media": media})
        await take(bot, interaction, errand_for(interaction, "", values, kind=Kind.RUN))

    yield group


def _command(bot: StudioBot, name: str, recipe: Recipe) -> app_commands.Command[Any, ..., None]:
    async def run(interaction: discord.Interaction, given: Mapping[str, Any]) -> None:
        await order_run(bot, interaction, recipe, given)

    return command_from(
        recipe.specs(),
        run,
        bot.suggest,
        name=name,
        description=short(recipe.description or recipe.title),
        extras={"recipe": name},
    )


async def order_run(
    bot: StudioBot, interaction: discord.Interaction, recipe: Recipe, given: Mapping[str, Any]
) -> None:
    """Take an order for one run of a recipe.

    Raises:
        InvalidRequest: if an input is missing or wrong.
        Refused: if one of its steps is not allowed there.
    """
    values = as_values(given)
    errand = errand_for(interaction, recipe.name, values, kind=Kind.RUN, recipe=recipe.record())
    _check(bot, errand, recipe, values)
    await take(bot, interaction, errand)


async def read(bot: StudioBot, errand: Errand) -> Errand:
    """The errand with the recipe in the file that came with it, written down.

    Raises:
        NotFound: if Discord does not have the file any more.
        InvalidRequest: if it holds no recipe, or an input is missing or wrong.
        Refused: if one of its steps is not allowed there.
    """
    brought = errand.values
    recipe = await _recipe_in(brought["file"])
    values: dict[str, Any] = dict(_pairs(brought["inputs"]))
    taken = [spec.name for spec in recipe.specs() if spec.media and spec.name not in values]
    if brought["media"] is not None and taken:
        values[taken[0]] = brought["media"]
    _check(bot, errand, recipe, values)
    return bot.store.update(errand, task=recipe.name, recipe=recipe.record(), values=values)


async def again(bot: StudioBot, interaction: discord.Interaction, run: str) -> None:
    """Take an order for one's own run once more, with another seed where it has one."""
    async with bot.clients(studio_owner(interaction)) as client:
        recipe = await client.recipe(run)
        (line,) = await client.lines(run, limit=1)
    if recipe is None:
        return
    seeds = {
        spec.name: random.randrange(int(spec.maximum or 2**31))  # noqa: S311 - no secret
        for spec in recipe.specs()
        if spec.name == "seed" and spec.type == "integer"
    }
    await order_run(bot, interaction, recipe, {**line.values, **seeds})


def _check(bot: StudioBot, errand: Errand, recipe: Recipe, values: Mapping[str, Any]) -> None:
    """Pass a run whose inputs are there, and whose steps are allowed to whoever gave the errand."""
    whole = recipe.values(
        {name: "attached" if isinstance(one, dict) else one for name, one in values.items()}
    )
    for step in recipe.steps.values():
        texts = [*all_texts(whole), *all_texts(step.fields)]
        asked = {"model": step.fields.get("model"), "texts": texts}
        allow(bot, errand, find_task(step.task), asked)


async def _recipe_in(file: Mapping[str, str]) -> Recipe:
    """The recipe in a file that somebody attached."""
    name = file["name"]
    async with fetched(file["url"], name) as path:
        try:
            text = await anyio.Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InvalidRequest(
                f"{name} is no UTF-8 text: {error.reason}.", hint="Attach a YAML file."
            ) from None
    return Recipe.read(text)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """The inputs in `subject = a red boat; seed = 7`."""
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            yield name.strip(), value.strip()
        elif part.strip():
            raise InvalidRequest(
                f"{part.strip()!r} is no input.", hint="Write them as: subject = a boat; seed = 7"
            )
