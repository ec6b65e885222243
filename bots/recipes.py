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
from bots.desk import Asking, allow, errand_for, studio_owner, take
from bots.errand import Kind
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
        await interaction.response.defer(thinking=True)
        recipe = await _brought(file)
        given: dict[str, Any] = dict(_pairs(inputs))
        taken = [spec.name for spec in recipe.specs() if spec.media and spec.name not in given]
        if media is not None and taken:
            given[taken[0]] = media
        await order_run(bot, interaction, recipe, given)

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
    whole = recipe.values(
        {name: "attached" if isinstance(one, dict) else one for name, one in values.items()}
    )
    asking = Asking.by(interaction)
    for step in recipe.steps.values():
        texts = [*all_texts(whole), *all_texts(step.fields)]
        asked = {"model": step.fields.get("model"), "texts": texts}
        allow(bot, asking, find_task(step.task), asked)
    errand = errand_for(interaction, recipe.name, values, kind=Kind.RUN, recipe=recipe.record())
    await take(bot, interaction, errand)


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


async def _brought(file: discord.Attachment) -> Recipe:
    """The recipe in a file that somebody attached.

    Raises:
        InvalidRequest: if it holds none.
    """
    if file.size > _MOST_BYTES:
        raise InvalidRequest(
            f"{file.filename} is too large for a recipe.",
            hint=f"A recipe is a YAML text of {_MOST_BYTES:,} bytes at most.",
        )
    async with fetched(file.url, file.filename) as path:
        try:
            text = await anyio.Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InvalidRequest(
                f"{file.filename} is no UTF-8 text: {error.reason}.", hint="Attach a YAML file."
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
