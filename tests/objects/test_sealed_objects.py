"""Objects and films of them from order to signed file, through the whole studio."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import trimesh

from studio.artifact import Artifact
from studio.client import Client
from studio.errors import InvalidRequest
from studio.host import Host
from studio.job import JobState
from studio.origin import origin
from studio.provenance.verdict import Outcome
from tests.hosts import finished, run, settings_for
from tests.objects import tiny

CARD = """---
license: mit
studio:
  title: Tiny sculptor
  family: diffusers-objects
  tasks: [text-to-3d]
  source: {repo: nobody/tiny}
  memory: {weights: 1, working: 10}
  defaults: {steps: 2, detail: 20}
---
Made of random numbers.
"""


async def made(client: Client, task: str, **values: object) -> Artifact:
    """What comes of an order, once it is done."""
    job = await client.submit(task, values)
    done = await finished(client, job.id)
    assert done.state is JobState.DONE, done
    return await client.artifact(done.artifacts[0])


@pytest.fixture
def furnished(home: Path) -> Path:
    """A home with the tiny sculptor."""
    (home / "model_cards").mkdir(mode=0o700, parents=True)
    (home / "model_cards" / "tiny-sculptor.md").write_text(CARD)
    tiny.shap_e(home / "models" / "tiny-sculptor")
    return home


def test_words_become_a_signed_object_and_a_film_of_it(furnished: Path) -> None:
    async def use() -> None:
        async with Host(settings_for(furnished, devices=("cpu",))) as host:
            client = host.client("local")
            thing = await made(client, "sculpt", prompt="a chair", seed=3, model="tiny-sculptor")
            file = await client.fetch(thing.id)
            assert (thing.kind, file.suffix) == ("mesh", ".glb")
            mesh = trimesh.load_scene(file, process=False).to_mesh()
            assert len(mesh.vertices) == thing.note.about["vertices"] > 100
            assert len(np.unique(np.asarray(mesh.visual.vertex_colors), axis=0)) > 20
            assert (await client.verify(file)).outcome is Outcome.SIGNED
            film = await made(
                client, "turn", object=thing.id, duration=0.5, fps=8, width=64, height=64
            )
            assert (film.kind, film.note.parents) == ("video", (thing.id,))
            with av.open(str(await client.fetch(film.id))) as container:
                frames = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)]
            assert len(frames) == 4
            ink = np.abs(frames[0].astype(int) - frames[0][0, 0]).max(axis=-1) > 40
            tints = np.ptp(frames[0][ink].astype(int), axis=1)
            assert tints.max() > 15, "its colours are lost on the way"

    run(use)


def test_an_object_that_somebody_brings_along_can_be_filmed(home: Path, tmp_path: Path) -> None:
    trimesh.creation.icosphere(1).export(tmp_path / "ball.obj")

    async def use() -> None:
        async with Host(settings_for(home, devices=("cpu",))) as host:
            client = host.client("local")
            ball = await client.upload(tmp_path / "ball.obj")
            assert ball.kind == "mesh"
            film = await made(
                client, "turn", object=ball.id, duration=0.5, fps=4, width=64, height=64
            )
            assert film.note.about["seconds"] == pytest.approx(0.5)
            recipe = await origin(client, film.id)
            assert "mesh" in {one.type for one in recipe.inputs.values()}
            with pytest.raises(InvalidRequest, match="takes a 3D object"):
                await client.submit("turn", {"object": film.id})

    run(use)
