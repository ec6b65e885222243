"""Requests described as plain fields, from which every surface builds itself.

The web form, the command-line options, the slash command, the batch columns and the tool schema
read `FieldSpec`s and nothing else, so a new task or field appears on all of them at once.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from studio.errors import InvalidRequest
from studio.tasks.request import Advanced, Media, MediaKind, ModelName, Multiline, Relation, Request

if TYPE_CHECKING:
    from studio.tasks import Task

FieldType = Literal["text", "integer", "number", "boolean", "choice", "model", "list"]
Value = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class FieldSpec:
    """One field of a request, as a form, an option or a column shows it."""

    #: The name in the request: `negative_prompt`.
    name: str
    #: The label for people: 'Negative prompt'.
    title: str
    #: One sentence of help.
    description: str
    #: What kind of value it takes. `list` is a list of texts.
    type: FieldType
    #: Whether a person must fill it in.
    required: bool
    #: What it is when left alone; None where there is no default.
    default: Value
    #: Inclusive limits of a number, and the grid it lies on.
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    #: The longest text in characters, or list in entries.
    max_length: int | None = None
    #: The values a `choice` can take.
    choices: tuple[str, ...] = ()
    #: What a media field takes, alone or as a list: an artifact's id or a file of this kind.
    media: MediaKind | None = None
    #: What that is to the output, in C2PA's words.
    relation: Relation = "parentOf"
    #: Whether a text deserves several lines.
    multiline: bool = False
    #: Whether forms fold it away.
    advanced: bool = False

    def parse(self, text: str) -> Value:
        """The value that `text` stands for, where all a surface has is text.

        Empty text means the default (None). Lists are separated by commas.

        Raises:
            InvalidRequest: if the text is not of this field's type.
        """
        if text == "" and not self.required:
            return None
        try:
            match self.type:
                case "integer":
                    return int(text)
                case "number":
                    return float(text)
                case "boolean":
                    return {"true": True, "yes": True, "1": True, "false": False, "no": False}[
                        text.lower()
                    ]
                case "list":
                    return [part.strip() for part in text.split(",") if part.strip()]
                case "text" | "choice" | "model":
                    return text
        except (ValueError, KeyError):
            raise InvalidRequest(
                f"{self.name}: {text[:40]!r} is not {_A[self.type]}.", hint=self.description
            ) from None


_A = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "list": "a list",
    "text": "text",
    "choice": "one of the choices",
    "model": "a model's name",
}


@cache
def fields_of(request: type[Request]) -> tuple[FieldSpec, ...]:
    """The fields of a request type: required ones first, then everyday ones, then advanced.

    Raises:
        TypeError: for a field whose type no surface could show. `Catalog` asks for every task's
            fields when it is opened, so such a field stops the studio from starting.
    """
    specs = [_spec(name, info) for name, info in request.model_fields.items()]
    return tuple(sorted(specs, key=lambda spec: (not spec.required, spec.advanced)))


def described(task: Task, values: Mapping[str, Any]) -> str:
    """What the values of a request say in words, wherever that stands: a task's first field may
    name a picture.
    """
    return " ".join(
        str(values[spec.name] or "")
        for spec in fields_of(task.request)
        if spec.type == "text"
        and spec.media is None
        and (spec.name == task.positional or (spec.multiline and not spec.advanced))
    )


def build(request: type[Request], values: dict[str, Any]) -> Request:
    """The request that `values` describe; fields that are None or absent keep their defaults.

    Raises:
        InvalidRequest: naming every field that is wrong, and how.
    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return request.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(
            explain(error), hint="`studio tasks` lists every field with its limits."
        ) from None


def explain(error: ValidationError) -> str:
    """A pydantic error as one sentence per field, without pydantic's own vocabulary."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'request'}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_input=False)
    )


def _spec(name: str, info: FieldInfo) -> FieldSpec:
    annotation, metadata = _bare(info.annotation, list(info.metadata))
    marks = {type(mark): mark for mark in metadata}
    default = None if info.default is PydanticUndefined else info.default
    media = marks.get(Media)
    return FieldSpec(
        name=name,
        title=info.title or name.replace("_", " ").capitalize(),
        description=info.description or "",
        type="model" if ModelName in marks else _type(name, annotation),
        required=info.is_required(),
        default=list(default) if isinstance(default, tuple | list) else default,
        minimum=_limit(metadata, "ge"),
        maximum=_limit(metadata, "le"),
        step=_limit(metadata, "multiple_of"),
        max_length=_limit(metadata, "max_length"),
        choices=tuple(get_args(annotation)) if get_origin(annotation) is Literal else (),
        media=media.kind if media else None,
        relation=media.relation if media else "parentOf",
        multiline=Multiline in marks,
        advanced=Advanced in marks,
    )


def _bare(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """The type without `Annotated` and `| None`, and all metadata found on the way."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *extra = get_args(annotation)
            metadata += _flat(extra)
        elif get_origin(annotation) in (Union, types.UnionType):
            inner = [arm for arm in get_args(annotation) if arm is not type(None)]
            if len(inner) != 1:
                return annotation, metadata
            annotation = inner[0]
        else:
            return annotation, metadata


def _flat(metadata: list[Any]) -> Iterator[Any]:
    for mark in metadata:
        if isinstance(mark, FieldInfo):
            yield from mark.metadata
        else:
            yield mark


def _type(name: str, annotation: Any) -> FieldType:
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) in (list, tuple) and _bare(get_args(annotation)[0], [])[0] is str:
        return "list"
    simple: dict[Any, FieldType] = {
        str: "text",
        int: "integer",
        float: "number",
        bool: "boolean",
    }
    try:
        return simple[annotation]
    except (KeyError, TypeError):
        raise TypeError(
            f"field {name!r} has the type {annotation!r}, which no form, option or column can "
            "show; use text, a number, yes/no, a Literal of texts or a list of texts"
        ) from None


def _limit(metadata: list[Any], name: str) -> Any:
    for mark in metadata:
        if isinstance(mark, annotated_types.GroupedMetadata):
            found = _limit(list(mark), name)
            if found is not None:
                return found
        found = getattr(mark, name, None)
        if found is not None:
            return found
    return None
