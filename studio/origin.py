"""The recipe that an output already is, read from its note and those of what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from studio.artifact import Artifact
from studio.errors import NotFound
from studio.fields import FieldSpec, Value, fields_of
from studio.protocol import Client
from studio.recipes.document import MOST_STEPS, Recipe
from studio.tasks import find_task
from studio.tasks.request import kinds_of

#: Fields that say nothing about the output itself.
_ASIDE = ("count", "exact")


async def origin(client: Client, artifact: str) -> Recipe:
    """The recipe that makes an output again from its own beginnings.

    Every output among its ancestors becomes a step with its own seed and model, every prompt an
    input, and every upload an input that somebody has to choose.

    Raises:
        NotFound: if the output, or one that it was made from, is not there any more.
    """
    inputs: dict[str, dict[str, Any]] = {}
    steps: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}

    async def parent(identity: str, spec: FieldSpec) -> str:
        try:
            return "{" + await add(await client.artifact(identity)) + "}"
        except NotFound:
            return "{" + _input(inputs, spec) + "}"

    async def add(found: Artifact) -> str:
        if found.id in names:
            return names[found.id]
        task = find_task(found.note.task)
        fields: dict[str, Any] = {}
        for spec in fields_of(task.request):
            value = found.note.request.get(spec.name)
            if value in (None, spec.default) or spec.name in _ASIDE:
                continue
            if spec.media is None:
                fields[spec.name] = value if not isinstance(value, str) else _plain(value)
                continue
            parents = [await parent(str(one), spec) for one in _several(value)]
            fields[spec.name] = parents if spec.type == "list" else parents[0]
        fields |= {"seed": found.note.seed, "model": found.note.card}
        positional = task.positional
        said = found.note.request.get(positional)
        if isinstance(said, str) and not any(
            spec.media for spec in fields_of(task.request) if spec.name == positional
        ):
            prompt = {"title": f"{task.title}: {positional}", "default": said}
            given = _unused(positional, inputs)
            inputs[given] = prompt
            fields[positional] = "{" + given + "}"
        name = names[found.id] = _unused(task.verb, steps)
        steps[name] = {"task": task.id, "with": fields}
        if len(steps) > MOST_STEPS:
            raise NotFound(
                f"This output goes back over more than {MOST_STEPS} others.",
                hint="Make a recipe from one of those that it was made from.",
            )
        return name

    last = await add(await client.artifact(artifact))
    document = {"name": f"from_{artifact[:8]}", "inputs": inputs, "steps": steps, "outputs": [last]}
    return Recipe.of(document)


def written(recipe: Recipe) -> str:
    """The recipe as YAML, as people write it."""
    record = recipe.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return str(yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100))


def _input(inputs: dict[str, dict[str, Any]], spec: FieldSpec) -> str:
    """A new input for an upload, which the recipe cannot name for others."""
    name = _unused(spec.name, inputs)
    kind = kinds_of(spec.media)[0] if spec.media else None
    inputs[name] = {"title": spec.title, "description": spec.description, "type": kind}
    return name


def _unused(name: str, taken: Mapping[str, object]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _plain(text: str) -> str:
    """A text in which no brace is taken for a reference."""
    return text.replace("{", "{{").replace("}", "}}")


def _several(value: Value) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
