"""Every task through every surface: page, command line, HTTP and Discord say and take the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import click
import discord
import gradio as gr
import pytest
from discord import app_commands
from fastapi import FastAPI
from pydantic import Field

from bots.options import MAX_COUNT, MAX_NUMBER, command_for, slots_of
from studio import catalog
from studio.api import orders
from studio.commands import make
from studio.fields import FieldSpec, Value, build, fields_of
from studio.tasks import TASKS, Task
from studio.tasks.request import Advanced, Media, Prompt, Request
from ui.form import collect, component


class EveryKind(Request):
    """A request that has a field of every kind, which no shipped task may have yet."""

    prompt: Prompt = Field(description="What to make.")
    image: Annotated[str, Media("image")] | None = Field(None, description="A picture.")
    mask: Annotated[str, Media("mask")] | None = Field(None, description="Where to change it.")
    audio: Annotated[str, Media("audio")] | None = Field(None, description="A sound.")
    video: Annotated[str, Media("video")] | None = Field(None, description="A film.")
    scenes: Annotated[list[str], Media("scene")] = Field([], description="Films and pictures.")
    loras: list[str] = Field([], description="Adapters with their weights, as `name:0.8`.")
    tiled: bool = Field(False, description="Whether it repeats without a seam.")
    strength: Annotated[float, Field(ge=0, le=1), Advanced()] = Field(0.5, description="How much.")
    rate: float | None = Field(None, description="How fast; empty is as it comes.")
    tongue: Literal[
        "aa", "ab", "af", "am", "ar", "as", "ay", "az", "ba", "be", "bg", "bh", "bi", "bn", "bo",
        "br", "ca", "co", "cs", "cy", "da", "de", "dz", "el", "en", "eo", "es", "et", "eu", "fa",
    ] = Field("en", description="Which of more languages than Discord can list.")  # fmt: skip


TRIED = [*TASKS.values(), Task("every-kind", "try", EveryKind, makes="image")]
tasks = pytest.mark.parametrize("task", TRIED, ids=lambda task: task.id)


async def nothing(*_: Any) -> None:
    """A command that does nothing."""


async def no_names(*_: Any) -> list[str]:
    """Suggestions, of which there are none."""
    return []


def required(task: Task) -> dict[str, Any]:
    return {spec.name: entered(spec) for spec in fields_of(task.request) if spec.required}


def entered(spec: FieldSpec) -> Value:
    """What somebody puts into a field."""
    if spec.name == "consent":
        return "0123456789abcdef" * 2
    return ["a yellow star", "a blue ring"] if spec.type == "list" else "a yellow star"


def form(task: Task) -> list[tuple[FieldSpec, gr.components.Component]]:
    return [(spec, component(spec)) for spec in fields_of(task.request)]


def options(task: Task) -> dict[str, dict[str, Any]]:
    """The slash command's options as Discord is sent them."""
    tree = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    sent = command_for(task, nothing, no_names).to_dict(tree)
    return {option["name"]: option for option in sent["options"]}


@tasks
def test_the_web_form_has_every_field_with_its_limits(task: Task) -> None:
    for spec, shown in form(task):
        assert shown.label == spec.title
        assert shown.elem_id == f"field-{spec.name}"
        if isinstance(shown, gr.Slider):
            assert (shown.minimum, shown.maximum) == (spec.minimum, spec.maximum)
            assert spec.step is None or shown.step == spec.step
        if isinstance(shown, gr.Textbox) and spec.type == "text":
            assert shown.max_length == spec.max_length
        if isinstance(shown, gr.Radio | gr.Dropdown) and spec.type == "choice":
            assert [value for _, value in shown.choices] == list(spec.choices)
        if spec.media is not None:
            widget = {"mask": "ImageMask", "mesh": "Model3D", "recording": "File"}.get(
                spec.media, spec.media.capitalize()
            )
            assert type(shown).__name__ == ("File" if spec.type == "list" else widget)


@tasks
def test_an_untouched_web_form_gives_the_defaults_and_no_seed(task: Task) -> None:
    shown = form(task)
    values = [
        entered(spec) if spec.required else one.preprocess(one.postprocess(one.value))
        for spec, one in shown
        if not spec.media
    ]
    specs = [spec for spec, _ in shown if not spec.media]
    collected = collect(specs, values)
    assert collected["seed"] is None
    # Media must be put in; what is put in becomes an id only when it is sent.
    collected |= {spec.name: entered(spec) for spec, _ in shown if spec.media and spec.required}
    assert build(task.request, collected) == build(task.request, required(task))


def test_no_form_shows_an_empty_number_as_nought() -> None:
    """Gradio's Number submits 0 where nothing was entered."""
    assert not any(isinstance(shown, gr.Number) for task in TRIED for _, shown in form(task))


def test_what_a_form_holds_becomes_the_types_of_the_request() -> None:
    specs = {spec.name: spec for spec in fields_of(EveryKind)}
    names = ["prompt", "count", "strength", "rate", "seed", "loras", "mask", "image"]
    held = ["x", 4.0, 1, " 2.5 ", "7", ["a:0.5"], "l.webp", None]
    assert collect([specs[name] for name in names], held) == {
        "prompt": "x",
        "count": 4,
        "strength": 1.0,
        "rate": 2.5,
        "seed": 7,
        "loras": ["a:0.5"],
        "mask": "l.webp",
        "image": None,
    }


@tasks
def test_the_command_line_has_every_field_and_no_seed_of_its_own(task: Task) -> None:
    command = make.command_for(task)
    specs = fields_of(task.request)
    assert {p.name for p in command.params} == {s.name for s in specs} | {"out", "as_json"}
    given = command.make_context(task.id, ["a yellow star"]).params
    assert given["seed"] is None
    assert [name for name in given if given[name] not in (None, False)] == [task.positional]
    help_text = " ".join(command.get_help(click.Context(command)).split())
    for spec in specs:
        if spec.maximum is not None and not spec.required:
            assert f"{spec.minimum} to {spec.maximum}" in help_text


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_the_http_schema_has_every_field_with_its_limits(task: Task) -> None:
    app = FastAPI()
    app.include_router(orders.router())
    body = app.openapi()["paths"][f"/api/v1/{task.id}"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    specs = fields_of(task.request)
    assert set(schema["properties"]) == {spec.name for spec in specs}
    assert schema["required"] == [spec.name for spec in specs if spec.required]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["seed"].get("default") is None
    for spec in specs:
        # `X | None` is written as a choice between the two.
        described = schema["properties"][spec.name]
        described = described.get("anyOf", [described])[0]
        assert described.get("minimum") == spec.minimum
        assert described.get("maximum") == spec.maximum
        assert described.get("multipleOf") == spec.step
        longest = "maxItems" if spec.type == "list" else "maxLength"
        assert described.get(longest) == spec.max_length
        assert tuple(described.get("enum", ())) == spec.choices


@tasks
def test_the_slash_command_has_every_field_within_discords_limits(task: Task) -> None:
    sent = options(task)
    specs = fields_of(task.request)
    # A list of files has several options.
    assert len(sent) <= 25
    assert {slots_of(specs)[name].name for name in sent} == {spec.name for spec in specs[:25]}
    assert [one["required"] for one in sent.values()][:25] == [
        spec.required and name == spec.name for name, spec in slots_of(specs).items()
    ]
    for spec in specs[:25]:
        option = sent[spec.name]
        assert 1 <= len(option["description"]) <= 100
        if spec.type in ("integer", "number"):
            assert option["min_value"] == max(spec.minimum or 0, -MAX_NUMBER) or not spec.minimum
            most = MAX_COUNT if spec.name == "count" else MAX_NUMBER
            assert option["max_value"] == min(spec.maximum or MAX_NUMBER, most)
        if spec.type == "text" and not spec.media:
            assert option["max_length"] == min(spec.max_length or 6000, 6000)
        # Discord attaches one file to an option; a list has several options.
        if spec.media:
            assert option["type"] == discord.AppCommandOptionType.attachment.value
        listed = tuple(choice["value"] for choice in option.get("choices", ()))
        assert listed == (spec.choices if len(spec.choices) <= 25 else ())
        assert option.get("autocomplete", False) == (spec.type == "model" or len(spec.choices) > 25)


def test_a_slash_command_hands_on_only_what_was_filled_in() -> None:
    got: list[Mapping[str, Any]] = []

    async def run(_: discord.Interaction, __: Task, values: Mapping[str, Any]) -> None:
        got.append(values)

    callback: Any = command_for(TRIED[-1], run, no_names).callback
    asyncio.run(callback(None, prompt="a star", seed=None, loras="a:0.5, b"))
    assert got == [{"prompt": "a star", "loras": ["a:0.5", "b"]}]
    assert build(EveryKind, dict(got[0])).seed is None


class Odd(Request):
    """A request with a field that no surface could show."""

    odd: dict[str, int] = Field(description="No form can show this.")


def test_a_field_of_an_unknown_type_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    odd = Task("odd", "odd", Odd, makes="image")
    monkeypatch.setattr(catalog, "TASKS", {"odd": odd})
    with pytest.raises(TypeError, match="field 'odd'"):
        catalog.Catalog([], tmp_path)
