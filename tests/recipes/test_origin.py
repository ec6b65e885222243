"""The recipe that an output is: its parents become steps, what strangers made becomes inputs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image

from studio.client import Client
from studio.origin import origin
from studio.recipes.document import Recipe
from tests.hosts import fake_host, finished, run

CARD = """---
license: mit
studio:
  title: All
  family: none
  tasks: [text-to-image, image-to-image, contact-sheet, latent-walk]
  source: {path: starter/pictures}
  memory: {weights: 1, working: 1}
---
"""


SIZE = {"width": 64, "height": 64}


@asynccontextmanager
async def somebody(home: Path) -> AsyncIterator[Client]:
    """Somebody's client of a host with a model for everything here."""
    host, _ = fake_host(home)
    (home / "model_cards" / "all.md").write_text(CARD)
    async with host:
        yield host.client("ann")


async def made(client: Client, task: str, **values: object) -> str:
    """The first output of such an order."""
    job = await client.submit(task, {"model": "all", **values})  # type: ignore[dict-item]
    return (await finished(client, job.id)).artifacts[0]


def test_an_output_tells_how_it_came_about(tmp_path: Path) -> None:
    async def test() -> None:
        photo = tmp_path / "photo.png"
        Image.effect_noise((128, 128), 90).convert("RGB").save(photo)
        async with somebody(tmp_path / "home") as client:
            first = await made(client, "text-to-image", prompt="a {red} boat", **SIZE)
            second = await made(client, "image-to-image", prompt="at night", image=first, **SIZE)
            mine = (await client.upload(photo)).id
            third = await made(client, "image-to-image", prompt="a sea", image=mine, **SIZE)

            found = await origin(client, second)
            assert list(found.steps) == ["imagine", "edit"]
            assert found.steps["edit"].fields["image"] == "{imagine}"
            assert found.outputs == ("edit",)
            # What a person said can be said differently, brace and all.
            assert {given.default for given in found.inputs.values()} == {
                "a {red} boat",
                "at night",
            }
            assert Recipe.of(found.record()) == found

            found = await origin(client, third)
            assert list(found.steps) == ["edit"]
            (name,) = (name for name, one in found.inputs.items() if one.type == "image")
            assert found.steps["edit"].fields["image"] == f"{{{name}}}"
            assert found.inputs[name].default is None

    run(test)


def test_one_parent_of_two_children_is_made_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with somebody(tmp_path / "home") as client:
            first = await made(client, "text-to-image", prompt="one", **SIZE)
            second = await made(client, "image-to-image", prompt="two", image=first, **SIZE)
            sheet = await made(client, "contact-sheet", images=[first, second, first])
            found = await origin(client, sheet)
            assert list(found.steps) == ["imagine", "edit", "sheet"]
            assert found.steps["sheet"].fields["images"] == ["{imagine}", "{edit}", "{imagine}"]

    run(test)


def test_what_is_only_made_together_is_one_step_whose_outputs_are_counted(tmp_path: Path) -> None:
    async def test() -> None:
        async with somebody(tmp_path / "home") as client:
            walk = {"model": "all", "prompt": "day", "prompt_2": "night", "count": 4, **SIZE}
            job = await client.submit("latent-walk", walk)
            steps = (await finished(client, job.id)).artifacts
            sheet = await made(client, "contact-sheet", images=[steps[0], steps[2]])
            found = await origin(client, sheet)
            assert list(found.steps) == ["walk", "sheet"]
            assert found.steps["sheet"].fields["images"] == ["{walk}", "{walk[2]}"]
            again = found.steps["walk"].fields
            note = (await client.artifact(steps[0])).note
            assert (again["count"], again["seed"]) == (4, note.seed)

    run(test)
