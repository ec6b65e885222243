"""Forms from fields: one Gradio component per `FieldSpec`, and their values back.

Empty stays empty: Gradio's Number shows and submits 0 where nothing was entered, which would turn
"a random seed" into seed 0. So a number that may be left out is a text field here, and
`FieldSpec.parse` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.fields import FieldSpec, Value
from studio.words import ENGLISH
from ui import media
from ui.tongue import fixed

#: Up to so many choices are shown at once; more become a menu.
RADIO_CHOICES = 4


def can_choose(spec: FieldSpec) -> bool:
    """Whether there is anything to choose: a model may leave a field one value only."""
    return len(spec.choices) != 1 and (spec.minimum is None or spec.minimum != spec.maximum)


def translated(spec: FieldSpec, language: str) -> FieldSpec:
    """The field with its label and help in `language`; in the request's own English if need be."""
    return replace(
        spec,
        title=fixed(f"field.{spec.name}.title", language, spec.title),
        description=fixed(f"field.{spec.name}.description", language, spec.description),
    )


def component(
    spec: FieldSpec,
    form: str = "",
    models: Sequence[tuple[str, str]] = (),
    language: str = ENGLISH,
    value: Value = None,
) -> Component:
    """The component that takes this field's value; `models` are (label, name) for the menu.

    It comes with `value` in it, or with the field's default where that is None; for media that is
    a file's path. `form` is another one wherever that has to take effect.
    """
    spec = translated(spec, language)
    shown = spec.default if value is None else value
    common: dict[str, Any] = {
        "label": spec.title,
        "elem_id": f"field-{spec.name}",
        "value": shown,
        # Said outright: Gradio guesses wrongly for what is rendered later.
        "interactive": True,
        # What has no key keeps, where it has no value, that of what stood in its place before.
        "key": f"{form}-{spec.name}",
        "preserved_by_key": [],
    }
    if spec.media is not None:
        return media.component(spec, common)
    common["info"] = spec.description
    match spec.type:
        case "text":
            return gr.Textbox(
                **common,
                lines=3 if spec.multiline and not spec.advanced else 1,
                max_lines=8 if spec.multiline else 1,
                max_length=spec.max_length,
            )
        case "integer" | "number" if is_slider(spec):
            return gr.Slider(
                **common,
                minimum=spec.minimum,
                maximum=spec.maximum,
                step=spec.step or (1 if spec.type == "integer" else 0.1),
            )
        case "integer" | "number":
            return gr.Textbox(
                **common | {"value": "" if shown is None else str(shown)},
                placeholder=fixed(
                    "make.random" if spec.name == "seed" else "make.default", language
                ),
                max_length=24,
            )
        case "model":
            return gr.Dropdown(choices=list(models), **common)
        case "boolean":
            return gr.Checkbox(**common)
        case "choice" if len(spec.choices) <= RADIO_CHOICES and spec.default is not None:
            return gr.Radio(choices=list(spec.choices), **common)
        case "choice":
            return gr.Dropdown(choices=list(spec.choices), **common)
        case "list":
            return gr.Dropdown(choices=[], multiselect=True, allow_custom_value=True, **common)


def is_slider(spec: FieldSpec) -> bool:
    """Whether the number has both limits and a default, so that a slider can always show it."""
    return None not in (spec.minimum, spec.maximum, spec.default)


def is_typed(spec: FieldSpec) -> bool:
    """Whether people write what is in it, rather than choose it."""
    number = spec.type in ("integer", "number") and not is_slider(spec)
    return spec.media is None and (spec.type == "text" or number)


def collect(specs: Sequence[FieldSpec], values: Sequence[Any]) -> dict[str, Value]:
    """What the components hold, as the values of a request; None where nothing was entered.

    Media are the paths of the files that were put in: `Client.upload` turns them into ids.

    Raises:
        InvalidRequest: if a number's text is not a number.
    """
    return {spec.name: _value(spec, value) for spec, value in zip(specs, values, strict=True)}


def _value(spec: FieldSpec, value: Any) -> Value:
    # A text that has a default of its own can be emptied; any other empty field was left alone.
    if value is None or value == [] or (value == "" and not spec.required and not spec.default):
        return None
    if spec.type in ("integer", "number"):
        if isinstance(value, str):
            return spec.parse(value.strip())
        # JavaScript has one kind of number, and requests are strict about the difference.
        return int(value) if spec.type == "integer" and value == int(value) else float(value)
    return value  # type: ignore[no-any-return]
