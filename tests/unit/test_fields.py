"""Requests refuse what they should, and describe themselves as every surface needs it."""

from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from studio.errors import InvalidRequest, StudioError
from studio.fields import FieldSpec, build, fields_of
from studio.tasks import TASKS, find_task
from studio.tasks.request import Advanced, Media, Request

IMAGE = TASKS["text-to-image"].request


def spec(name: str) -> FieldSpec:
    return next(spec for spec in fields_of(IMAGE) if spec.name == name)


def test_the_required_field_comes_first_and_advanced_ones_last() -> None:
    specs = fields_of(IMAGE)
    assert specs[0].required
    assert [s.advanced for s in specs] == sorted(s.advanced for s in specs)


def test_limits_and_kinds_are_read_off_the_annotations() -> None:
    assert (spec("width").minimum, spec("width").maximum, spec("width").step) == (64, 4096, 8)
    assert spec("format").choices == ("png", "webp", "jpeg", "tiff", "avif", "gif")
    assert spec("model").type == "model"
    assert spec("seed").default is None
    assert spec("prompt").multiline
    assert spec("prompt").max_length == 4000


def test_media_lists_and_choices_are_described() -> None:
    class Edit(Request):
        """Edit."""

        image: Annotated[str, Media("image")]
        styles: list[Literal["a"]] | list[str] | None = None

    class Good(Request):
        """Good."""

        image: Annotated[str, Media("image")]
        adapters: Annotated[tuple[str, ...], Advanced()] = Field((), title="Adapters")

    by_name = {s.name: s for s in fields_of(Good)}
    assert by_name["image"].media == "image"
    assert by_name["adapters"].type == "list"
    with pytest.raises(TypeError, match="styles"):
        fields_of(Edit)


@pytest.mark.parametrize("kind", [dict[str, int], bytes, complex, int | str])
def test_a_field_that_no_surface_could_show_stops_the_studio(kind: type) -> None:
    class Odd(Request):
        """Odd."""

        thing: kind  # type: ignore[valid-type]

    with pytest.raises(TypeError, match="thing"):
        fields_of(Odd)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "  \n "}, "prompt"),
        ({"prompt": "x" * 10_000}, "prompt"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"prompt": "a\u202eb"}, "prompt"),
        ({"prompt": "a\ud800b"}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({}, "prompt"),
        ({"prompt": "a", "guidance": float("nan")}, "guidance"),
        ({"prompt": "a", "guidance": float("inf")}, "guidance"),
        ({"prompt": "a", "width": 513}, "width"),
        ({"prompt": "a", "width": 0}, "width"),
        ({"prompt": "a", "steps": "20"}, "steps"),
        ({"prompt": "a", "steps": True}, "steps"),
        ({"prompt": "a", "count": 10**9}, "count"),
        ({"prompt": "a", "seed": -1}, "seed"),
        ({"prompt": "a", "seed": 2**53}, "seed"),
        ({"prompt": "a", "format": "exe"}, "format"),
        ({"prompt": "a", "wdith": 512}, "wdith"),
    ],
)
def test_a_wrong_field_is_refused_by_name(values: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(IMAGE, values)
    assert field in caught.value.message
    assert caught.value.hint
    assert "pydantic" not in str(caught.value)


def test_none_means_the_default() -> None:
    request = build(IMAGE, {"prompt": "a", "seed": None, "width": None})
    assert request.seed is None
    assert request.model_dump()["width"] == 512


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*IMAGE.model_fields, "other"]), _json))
def test_any_json_becomes_a_request_or_our_own_error(values: dict[str, object]) -> None:
    try:
        request = build(IMAGE, values)
    except StudioError:
        return
    assert build(IMAGE, request.model_dump()) == request


@given(st.text(max_size=20))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for field in fields_of(IMAGE):
        try:
            value = field.parse(text)
        except InvalidRequest:
            continue
        assert value is None or field.type != "integer" or isinstance(value, int)


def test_a_task_is_found_by_id_and_by_verb() -> None:
    assert find_task("imagine") is find_task("text-to-image")
    with pytest.raises(StudioError, match="paint"):
        find_task("paint")
