"""Stories: scenes become a recipe, and a changed scene alone is made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InvalidRequest
from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import RunState
from studio.recipes.story import MOST_SCENES, Story
from studio.runs import Plan
from tests.hosts import fake_host, run
from tests.recipes.test_conductor import ended

STORY = """
title: The red {boat}
style: watercolor
music: calm piano
scenes:
  - {show: a red boat, say: There was a boat.}
  - {show: a white house, seconds: 6}
  - {show: a night, say: "It {slept}."}
"""


def test_scenes_become_steps_in_their_order() -> None:
    recipe = Story.read(STORY).recipe()
    assert recipe.outputs == ("film",)
    assert set(recipe.steps) == {
        "picture_1", "picture_2", "picture_3", "voice_1", "voice_3", "music", "film",
    }  # fmt: skip
    assert recipe.steps["picture_1"].fields["prompt"] == "a red boat, watercolor"
    film = recipe.steps["film"].fields
    assert film["scenes"] == ["{picture_1}", "{picture_2}", "{picture_3}"]
    assert film["narration"] == ["{voice_1}", "", "{voice_3}"]
    assert film["lengths"] == ["", "6", ""]
    assert film["captions"] == ["There was a boat.", "", "It {{slept}}."]
    assert film["soundtrack"] == "{music}"
    # It is a recipe like any other, and can be written down as one.
    assert Recipe.of(recipe.record()) == recipe


def test_a_moving_story_begins_each_scene_from_its_picture() -> None:
    recipe = Story.read(STORY + "moving: true\n").recipe()
    assert recipe.steps["film_2"].task == "image-to-video"
    assert recipe.steps["film_2"].fields["image"] == "{picture_2}"
    assert recipe.steps["film"].fields["scenes"] == ["{film_1}", "{film_2}", "{film_3}"]


def test_what_moves_is_said_to_the_film_and_not_to_its_picture() -> None:
    told = STORY.replace("show: a red boat", "show: a red boat, moves: sails left")
    steps = Story.read(told + "moving: true\n").recipe().steps
    assert steps["picture_1"].fields["prompt"] == "a red boat, watercolor"
    assert steps["film_1"].fields["prompt"] == "a red boat sails left, watercolor"


def test_a_continuous_story_begins_each_scene_where_the_one_before_ended() -> None:
    recipe = Story.read(STORY + "moving: true\ntransition: continue\n").recipe()
    assert [recipe.steps[f"picture_{n}"].task for n in (1, 2, 3)] == [
        "text-to-image", "video-still", "video-still",
    ]  # fmt: skip
    assert recipe.steps["picture_3"].fields["video"] == "{film_2}"
    assert recipe.steps["film_3"].fields["prompt"] == "a night, watercolor"
    assert recipe.steps["film"].fields["transition"] == "cut"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("scenes: [{show: a}]\ntransition: continue", "moving: true"),
        ("scenes: [{show: a, moves: rises}]", "moving: true"),
        ("scenes: []", "scenes"),
        ("scenes: [{say: nothing is seen}]", "show"),
        ("scenes: [{show: ' '}]", "write something"),
        ("scenes: [{show: a, seconds: 0}]", "seconds"),
        ("scenes: [{show: a}]\nmood: grim", "mood"),
        ("scenes: [", "not YAML"),
        ("- a", "wrong"),
        (f"scenes: {[{'show': 'a boat'}] * (MOST_SCENES + 1)}", f"at most {MOST_SCENES}"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        Story.read(text)


def chain(second: str, more: str = "a boat") -> Recipe:
    """Two pictures beside each other and a third from both."""
    order = "model: noise, width: 64, height: 64"
    return Recipe.read(
        f"""
name: chain
inputs: {{more: {{default: {more}}}}}
steps:
  first: {{task: imagine, with: {{prompt: one, {order}}}}}
  second: {{task: imagine, with: {{prompt: {second}, {order}}}}}
  third: {{task: imagine, with: {{prompt: "{{more}}", {order}}}}}
  last: {{task: imagine, with: {{prompt: "{{first}} {{second}}", {order}}}}}
"""
    )


def test_a_changed_recipe_keeps_what_did_not_change(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(tmp_path)
        async with host:
            client = host.client("ann")

            async def made(
                recipe: Recipe, revises: str | None = None
            ) -> tuple[str, dict[str, str]]:
                plan = Plan("chain", recipe=recipe, revises=revises or None)
                begun = await client.begin(plan, [Row(1, {})])
                assert (await ended(client, begun.run)).state is RunState.DONE
                (line,) = await client.lines(begun.run.id)
                return begun.run.id, {one.step: one.artifacts[0] for one in line.steps}

            earlier, before = await made(chain("two"))
            batches = len(lane.batches)
            later, after = await made(chain("three"), earlier)
            assert {name for name in before if before[name] == after[name]} == {"first", "third"}
            assert len(lane.batches) == batches + 2
            # An input counts where it is used, and nowhere else.
            _, last = await made(chain("three", "a house"), later)
            assert {name for name in after if after[name] != last[name]} == {"third"}

    run(test)
