"""A recipe as people write it: inputs, and steps that are jobs.

    name: poster
    title: Poster with slogan
    inputs:
      subject: {title: Subject, default: a red boat}
      bold: {title: Bold colours, type: boolean, default: true}
    steps:
      draft: {task: text-to-image, with: {prompt: "{subject}, flat", seed: 7}}
      poster: {task: image-to-image, when: "{bold}", with: {prompt: neon, image: "{draft}"}}
    outputs: [poster, draft]

Steps run in the order that their references ask for, side by side where nothing stands between
them. A step whose `when` comes to nothing is left out, and so is what needs its output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from studio.errors import InvalidRequest
from studio.fields import FieldSpec, FieldType, Value, explain, fields_of
from studio.recipes.references import Reference, references
from studio.tasks import find_task
from studio.tasks.request import plain_text

#: The most steps of one recipe.
MOST_STEPS = 100

_HINT = "`studio recipe show NAME` prints one that works."


def _is_name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text):
        raise ValueError("a name is a small letter, then small letters, digits and underscores")
    return text


Name = Annotated[str, AfterValidator(_is_name)]
Line = Annotated[str, Field(max_length=500), AfterValidator(plain_text)]
Scalar = str | int | float | bool


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Input(_Part):
    """Something a person chooses before the recipe runs."""

    title: Line = ""
    description: Line = ""
    type: Literal[
        "text", "integer", "number", "boolean", "choice", "image", "audio", "video", "mesh"
    ] = "text"
    #: Without one, the person must choose.
    default: Scalar | None = None
    choices: tuple[Line, ...] = Field((), strict=False)
    minimum: int | float | None = None
    maximum: int | float | None = None

    def spec(self, name: str) -> FieldSpec:
        """The input as forms, options and slash commands show it."""
        media = self.type if self.type in ("image", "audio", "video", "mesh") else None
        kind = cast(FieldType, "text" if media else self.type)
        return FieldSpec(
            name=name,
            title=self.title or name.replace("_", " ").capitalize(),
            description=self.description,
            type=kind,
            required=self.default is None,
            default=self.default,
            minimum=self.minimum,
            maximum=self.maximum,
            choices=self.choices,
            max_length=4000 if kind == "text" else None,
            media=media,
            multiline=kind == "text" and not media,
        )


class Step(_Part):
    """One job of the recipe."""

    task: Line
    #: The request's fields; texts may hold references.
    fields: dict[str, Scalar | list[str] | None] = Field(default_factory=dict, alias="with")
    #: A reference: where it comes to nothing, no, zero or an empty text, the step is left out.
    when: Line | None = None

    def needs(self) -> set[Reference]:
        """Everything that the step refers to."""
        templates: list[Value] = [*self.fields.values(), self.when]
        return {found for template in templates for found in references(template)}


class Recipe(_Part):
    """A chain of jobs."""

    name: Name
    title: Line = ""
    description: Line = ""
    inputs: dict[Name, Input] = Field(default_factory=dict)
    steps: dict[Name, Step] = Field(min_length=1, max_length=MOST_STEPS)
    #: The steps whose outputs are what the recipe is for; all of them if none is named.
    outputs: tuple[Name, ...] = Field((), strict=False)

    @staticmethod
    def read(text: str) -> Recipe:
        """The recipe that a YAML text describes.

        Raises:
            InvalidRequest: naming everything that is wrong with it.
        """
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InvalidRequest(f"The recipe is not YAML: {error}.", hint=_HINT) from None
        return Recipe.of(document)

    @staticmethod
    def of(document: Any) -> Recipe:
        """The recipe that plain data describes; `InvalidRequest` if it is none."""
        try:
            recipe = Recipe.model_validate(document)
        except ValidationError as error:
            raise InvalidRequest(f"The recipe is wrong: {explain(error)}.", hint=_HINT) from None
        recipe._check()
        return recipe

    def order(self) -> TopologicalSorter[str]:
        """The steps, each after those that it refers to."""
        return TopologicalSorter(
            {
                name: {reference.name for reference in step.needs()} & self.steps.keys()
                for name, step in self.steps.items()
            }
        )

    def needed(self) -> dict[str, set[str]]:
        """For every step, in an order in which they can run, the steps whose outputs it takes."""
        return {
            name: {reference.name for reference in self.steps[name].needs()} & self.steps.keys()
            for name in self.order().static_order()
        }

    def values(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """The value of every input: what is given, read as the input's type, or its default.

        Raises:
            InvalidRequest: for an input that there is not, is missing, or has a wrong value.
        """
        unknown = [name for name in given if name not in self.inputs]
        if unknown:
            raise InvalidRequest(
                f"{self.name} has no input {unknown[0]!r}.",
                hint=f"Its inputs are: {', '.join(self.inputs) or 'none'}.",
            )
        return {spec.name: _value(spec, given.get(spec.name)) for spec in self.specs()}

    def specs(self) -> tuple[FieldSpec, ...]:
        """The inputs as fields."""
        return tuple(given.spec(name) for name, given in self.inputs.items())

    def record(self) -> dict[str, Any]:
        """The recipe as plain JSON; `Recipe.of` reads it back."""
        return self.model_dump(mode="json", by_alias=True)

    def _check(self) -> None:
        wrong = [
            f"{name} is both an input and a step" for name in self.inputs.keys() & self.steps.keys()
        ]
        wrong += [f"outputs: there is no step {n!r}" for n in self.outputs if n not in self.steps]
        for name, step in self.steps.items():
            task = find_task(step.task)
            known = {spec.name for spec in fields_of(task.request)}
            wrong += [
                f"{name}: {task.id} has no field {field!r}"
                for field in step.fields
                if field not in known
            ]
            for reference in step.needs():
                if reference.name in self.inputs:
                    if reference.property != "id" or reference.index:
                        wrong.append(f"{name}: {reference.name} is an input and has no parts")
                elif reference.name not in self.steps:
                    wrong.append(f"{name}: nothing is called {reference.name!r}")
        if wrong:
            raise InvalidRequest(f"The recipe is wrong: {'; '.join(wrong)}.", hint=_HINT)
        try:
            self.order().prepare()
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise InvalidRequest(
                f"The recipe goes round in a circle: {circle}.",
                hint="Let one of these steps do without the next.",
            ) from None


def _value(spec: FieldSpec, given: Value) -> Value:
    """An input's value: what is given, or the default; `InvalidRequest` if it is none."""
    value = spec.parse(given) if isinstance(given, str) else given
    if value is None:
        value = spec.default
    if value is None or (spec.required and value == ""):
        raise InvalidRequest(
            f"{spec.name} is missing.", hint=spec.description or "Give it a value."
        )
    wanted = {"integer": int, "number": int | float, "boolean": bool}.get(spec.type, str)
    # A yes is a number to Python, and to nobody else.
    if not isinstance(value, wanted) or (isinstance(value, bool) and spec.type != "boolean"):
        raise InvalidRequest(
            f"{spec.name}: {value!r} is of the wrong kind: it takes {spec.type}.",
            hint=spec.description,
        )
    if spec.choices and value not in spec.choices:
        raise InvalidRequest(
            f"{spec.name}: {value!r} is none of its choices.",
            hint=f"The choices are: {', '.join(spec.choices)}.",
        )
    if isinstance(value, int | float):
        low, high = spec.minimum, spec.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise InvalidRequest(
                f"{spec.name}: {value} is outside its range.",
                hint=f"It goes from {low} to {high}.",
            )
    return value


def single(task: str, fields: Mapping[str, Value]) -> Step:
    """The one step that a row of a plain batch comes to; a brace in it is only a brace."""
    plain = {name: _without_references(value) for name, value in fields.items()}
    return Step.model_construct(task=task, fields=plain, when=None)


def _without_references(value: Value) -> Value:
    if isinstance(value, list):
        return [part.replace("{", "{{").replace("}", "}}") for part in value]
    return value.replace("{", "{{").replace("}", "}}") if isinstance(value, str) else value
