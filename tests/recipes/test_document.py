"""Recipes are refused with everything that is wrong, and references stand for what they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import InvalidRequest, NotFound
from studio.fields import Value
from studio.recipes import shipped
from studio.recipes.document import Recipe
from studio.recipes.references import Reference, fill, references

CHAIN = """
name: chain
inputs:
  subject: {default: a boat}
  size: {type: integer, minimum: 64, maximum: 512}
steps:
  last: {task: imagine, with: {prompt: "{first} and {second.seed}"}}
  first: {task: imagine, with: {prompt: "{subject}", width: "{size}"}}
  second: {task: imagine, when: "{first}", with: {prompt: "{subject} again"}}
outputs: [last]
"""


def test_steps_run_in_the_order_of_their_references() -> None:
    recipe = Recipe.read(CHAIN)
    assert list(recipe.needed()) == ["first", "second", "last"]
    assert Recipe.of(recipe.record()) == recipe


def test_inputs_are_read_checked_and_filled_in() -> None:
    recipe = Recipe.read(CHAIN)
    assert recipe.values({"size": "128"}) == {"subject": "a boat", "size": 128}
    wrong: tuple[tuple[dict[str, Value], str], ...] = (
        ({}, "size is missing"),
        ({"size": "x"}, "whole number"),
        ({"size": 4096}, "outside"),
        ({"size": True}, "wrong kind"),
        ({"size": 64, "colour": "red"}, "no input 'colour'"),
    )
    for given_, said in wrong:
        with pytest.raises(InvalidRequest, match=said):
            recipe.values(given_)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("{a: {task: imagine, with: {promt: x}}}", "no field 'promt'"),
        ("{a: {task: imagine, with: {prompt: '{b}'}}}", "nothing is called 'b'"),
        ("{a: {task: imagine, with: {prompt: '{a}'}}}", "circle"),
        (
            "{a: {task: imagine, with: {prompt: '{b}'}},"
            " b: {task: imagine, with: {prompt: '{a}'}}}",
            "circle",
        ),
        ("{a: {task: imagine, with: {prompt: '{b'}}}", "brace"),
        ("{}", "steps"),
        ("{A: {task: imagine}}", "small letter"),
    ],
)
def test_a_wrong_recipe_is_refused(steps: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        Recipe.read(f"name: wrong\nsteps: {steps}")


def test_an_unknown_task_and_output_are_named() -> None:
    with pytest.raises(NotFound, match="'paint'"):
        Recipe.read("name: wrong\nsteps: {a: {task: paint}}")
    with pytest.raises(InvalidRequest, match="no step 'b'"):
        Recipe.read("name: wrong\nsteps: {a: {task: imagine}}\noutputs: [b]")


def test_a_lone_reference_keeps_its_type() -> None:
    values = {Reference("n"): 7, Reference("s", "seed", 1): 9, Reference("none"): None}
    assert fill("{n}", values) == 7
    assert fill("{s.seed[1]}", values) == 9
    assert fill("a {n} {{n}} {none}.", values) == "a 7 {n} ."
    assert fill(["{n}", "x"], values) == ["7", "x"]
    assert fill(3, values) == 3


@given(st.text())
def test_any_text_can_be_written_with_doubled_braces(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert list(references(doubled)) == []
    assert fill(doubled, {}) == text


@pytest.mark.parametrize("name", shipped.names())
def test_every_recipe_that_ships_can_be_read(name: str) -> None:
    recipe = shipped.recipe(name)
    assert recipe.title
    assert recipe.description
    assert all(spec.title for spec in recipe.specs())
