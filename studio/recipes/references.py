"""`{name}` in a recipe: what stands for an input, or for what another step has made.

`{subject}` is the recipe's input of that name. `{picture}` is the id of the first output of the
step `picture`, `{picture[2]}` that of its third, `{picture.text}` the text that it wrote and
`{picture.seed}` its seed. A value that is one reference and nothing else keeps its type; inside a
longer text it is written out. `{{` and `}}` stand for braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from studio.errors import InvalidRequest
from studio.fields import Value

Property = Literal["id", "text", "seed"]

_REFERENCE = r"\{([a-z_][a-z0-9_]*)(?:\.(id|text|seed))?(?:\[([0-9]{1,3})\])?\}"
_PIECE = re.compile(rf"\{{\{{|\}}\}}|{_REFERENCE}|[{{}}]")
_WHOLE = re.compile(_REFERENCE)


@dataclass(frozen=True)
class Reference:
    """One `{name}` in a template."""

    #: An input or a step.
    name: str
    #: What of a step's output is meant.
    property: Property = "id"
    #: Which of the step's outputs, from 0.
    index: int = 0

    @staticmethod
    def of(match: re.Match[str]) -> Reference:
        """The reference that a match of the pattern spells."""
        name, of, index = match.groups()
        return Reference(name, cast(Property, of or "id"), int(index or 0))


def references(template: Value) -> Iterator[Reference]:
    """Every reference in a value.

    Raises:
        InvalidRequest: for a brace that opens or closes nothing.
    """
    if isinstance(template, list):
        for part in template:
            yield from references(part)
    elif isinstance(template, str):
        for match in _PIECE.finditer(template):
            if match[1] is not None:
                yield Reference.of(match)
            elif len(match[0]) == 1:
                raise InvalidRequest(
                    f"{template[:80]!r}: the brace at character {match.start() + 1} belongs to no "
                    "reference.",
                    hint="Write {name} for an input or a step, and {{ or }} for a brace itself.",
                )


def fill(template: Value, values: Mapping[Reference, Value]) -> Value:
    """The template with every reference replaced; `values` holds all that it names."""
    if isinstance(template, list):
        return [str(fill(part, values)) for part in template]
    if not isinstance(template, str):
        return template
    whole = _WHOLE.fullmatch(template)
    if whole is not None:
        return values[Reference.of(whole)]

    def piece(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        value = values[Reference.of(match)]
        return "" if value is None else str(value)

    return _PIECE.sub(piece, template)
