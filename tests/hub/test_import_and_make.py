"""From somebody's checkpoint to a sealed picture, in the real studio; and who may import."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from studio.client import Client
from studio.errors import InvalidRequest, NotFound, Refused, StudioError
from studio.host import Host
from studio.job import JobState
from studio.provenance.verdict import Outcome
from studio.remote import RemoteClient
from tests.api.conftest import Server, serve
from tests.cli.conftest import Shell
from tests.hosts import finished, settings_for
from tests.hub import checkpoints

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:diffusers", "ignore::FutureWarning:diffusers"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint `one.safetensors`, and the folder `one` that it was made of."""
    place = tmp_path_factory.mktemp("models")
    checkpoints.stable_diffusion(place / "one", place / "one.safetensors")
    return place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("served") / "home"
    yield from serve(settings_for(home))


async def arrived(client: Client, name: str) -> None:
    """Wait until the import is done; its error, if it failed."""
    while (one := (await client.imports()).get(name)) is not None:
        if one.error is not None:
            raise StudioError.from_record(one.error)
        await asyncio.sleep(0.05)


def test_a_checkpoint_makes_a_sealed_picture(models: Path, home: Path) -> None:
    async def use() -> None:
        async with Host(settings_for(home, devices=("cpu",))) as host:
            client = host.client("local")
            name = await client.import_model(
                models / "one.safetensors", name="mine", base=str(models / "one")
            )
            await arrived(client, name)
            fits = await client.fit(name)
            assert fits[0].placement == "full"
            job = await client.submit(
                "text-to-image", {"model": name, "prompt": "a star", "steps": 5, "seed": 7}
            )
            done = await finished(client, job.id)
            assert done.state is JobState.DONE, done
            picture = await client.fetch(done.artifacts[0])
            verdict = await client.verify(picture)
            assert verdict.outcome is Outcome.SIGNED
            artifact = await client.artifact(done.artifacts[0])
            assert artifact.note.card == name
            assert artifact.note.revision.startswith("sha256:")
            await client.remove_model(name)
            assert name not in {model.card.name for model in await client.cards()}
            assert not (home / "models" / name).exists()
        assert (models / "one.safetensors").exists()

    # Two processes load the library, one after the other.
    asyncio.run(asyncio.wait_for(use(), 240))


def test_importing_is_the_same_over_http(models: Path, server: Server) -> None:
    async def use() -> None:
        token = server.host.private_token
        async with RemoteClient(server.url, token) as client:
            survey = await client.survey(models)
            assert [one.kind for one in survey.found] == ["folder", "checkpoint"]
            assert survey.found[1].error is not None, "there is no base for it yet"
            name = await client.import_model(models / "one", licence="mit")
            await arrived(client, name)
            mine = {model.card.name: model for model in await client.cards()}[name]
            assert mine.installed
            assert mine.card.licence == "mit"
            assert (await client.survey(models)).found[1].base == name
            with pytest.raises(InvalidRequest):
                await client.import_model(models / "one")
            with pytest.raises(NotFound):
                await client.import_model(models / "nothing.safetensors")
            await client.remove_model(name)
            assert (models / "one" / "model_index.json").exists()
        async with RemoteClient(server.url, token, owner="ann") as client:
            for attempt in (
                client.survey(models), client.import_model(models / "one"), client.imports()
            ):  # fmt: skip
                with pytest.raises(Refused):
                    await attempt

    asyncio.run(use())


def test_the_command_shows_what_it_found_and_imports_it(
    models: Path, tmp_path: Path, home: Path
) -> None:
    shell = Shell(home, tmp_path)
    listed = shell.run("models", "import", str(models))
    assert "can be imported as one" in listed.err
    assert "it lacks" not in listed.out
    shell.run("models", "import", str(models / "one"), "--name", "mine", "--yes")
    assert "installed" in shell.run("models", "list").out.split("mine", 1)[1].split("\n")[0]
    assert str(models / "one") in shell.run("models", "show", "mine").out
    shell.run("models", "import", str(models / "one"), "--name", "mine", "--yes", status=64)
    shell.run("models", "import", str(models / "no.safetensors"), "--yes", status=66)
    shell.run("models", "remove", "mine")
    assert (models / "one" / "model_index.json").exists()
    assert "mine" not in json.dumps(shell.run("models", "list", "--json").json)
