"""The recipe that an output already is, read from its note and those of what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from studio.artifact import Artifact, Note
from studio.errors import NotFound
from studio.fields import FieldSpec, Value, fields_of
from studio.protocol import Client
from studio.recipes.document import MOST_STEPS, Recipe
from studio.tasks import Task, find_task
from studio.tasks.request import kinds_of


def together(note: Note, task: Task) -> bool:
    """Whether an output of `task` is only made with the others of its job.

    A task with a count of its own means more by it than how often, as the steps of a walk or the
    parts of a speech, and stems are those of one piece.
    """
    return "count" in task.request.__annotations__ or bool(note.request.get("stems"))


def again(note: Note, task: Task) -> dict[str, Any]:
    """The fields that make an output of `task` again: alone, with its own seed, where it can be;
    else all of its job as they were ordered, of which it is number `note.index`.
    """
    fields = {**note.request, "model": note.card}
    return fields if together(note, task) else fields | {"seed": note.seed, "count": 1}


async def origin(client: Client, artifact: str) -> Recipe:
    """The recipe that makes an output again from its own beginnings.

    Every output among its ancestors becomes a step with its own seed and model (those that are only
    made together become one), every prompt an input, and every upload an input that somebody has to
    choose.

    Raises:
        NotFound: if the output, or one that it was made from, is not there any more.
    """
    inputs: dict[str, dict[str, Any]] = {}
    steps: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}

    async def parent(identity: str, spec: FieldSpec) -> str:
        try:
            found = await client.artifact(identity)
            return "{" + await add(found) + _place(found.note) + "}"
        except NotFound:
            return "{" + _input(inputs, spec) + "}"

    async def add(found: Artifact) -> str:
        task = find_task(found.note.task)
        making = found.note.job if together(found.note, task) else found.id
        if making in names:
            return names[making]
        values = again(found.note, task)
        fields: dict[str, Any] = {}
        for spec in fields_of(task.request):
            value = values.get(spec.name)
            # Whether it shared a batch says nothing about the output itself.
            if value in (None, spec.default) or spec.name == "exact":
                continue
            if spec.media is None:
                fields[spec.name] = value if not isinstance(value, str) else _plain(value)
                continue
            parents = [await parent(str(one), spec) for one in _several(value)]
            fields[spec.name] = parents if spec.type == "list" else parents[0]
        positional = task.positional
        said = values.get(positional)
        if isinstance(said, str) and not any(
            spec.media for spec in fields_of(task.request) if spec.name == positional
        ):
            prompt = {"title": f"{task.title}: {positional}", "default": said}
            given = _unused(positional, inputs)
            inputs[given] = prompt
            fields[positional] = "{" + given + "}"
        name = names[making] = _unused(task.verb, steps)
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


def _place(note: Note) -> str:
    """Which of its step's outputs it is, as a reference says it."""
    number = note.index if together(note, find_task(note.task)) else 0
    return f"[{number}]" if number else ""


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
