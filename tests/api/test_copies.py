"""What the gallery offers to copy makes the same draft again, whichever way it is run."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping

import httpx
import pytest

from studio.artifact import Artifact
from studio.client import Client
from studio.fields import build, fields_of
from studio.tasks import TASKS
from tests.api.conftest import Server
from tests.api.test_clients import locally
from tests.hosts import SMALL, finished
from ui.copies import copies

#: Everything that a shell, Python, JSON, CSV or an option parser could trip over.
PROMPT = "--seed 9 'star' \"quoted\" $(touch x) `y` \\ a, b; 黄色い猫 🌟"


@pytest.fixture(scope="module")
def original(server: Server) -> Artifact:
    """The second of two, so that its seed is not the order's."""

    async def order(client: Client) -> Artifact:
        wanted = {**SMALL, "prompt": PROMPT, "count": 2, "seed": 41, "guidance": 3.5}
        job = await finished(client, (await client.submit("imagine", wanted)).id)
        return await client.artifact(job.artifacts[1])

    found: Artifact = asyncio.run(locally(server, order, "local"))
    assert found.note.seed == 42
    return found


@pytest.fixture(scope="module")
def ways(server: Server, original: Artifact) -> Mapping[str, str]:
    """What is offered to copy."""
    return copies(original, server.url)


def newest(server: Server) -> Artifact:
    """What was made last."""

    async def look(client: Client) -> Artifact:
        return (await client.artifacts(limit=1))[0]

    found: Artifact = asyncio.run(locally(server, look, "local"))
    return found


def same(server: Server, original: Artifact) -> None:
    """The newest is another work, with the same prompt and the same draft."""
    made = newest(server)
    assert made.id != original.id
    assert made.note.request["prompt"] == PROMPT
    assert made.note.draft_sha256 == original.note.draft_sha256


def run(server: Server, command: list[str]) -> None:
    environment = os.environ | {"STUDIO_HOME": str(server.settings.home)}
    subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)


def test_the_copied_command_makes_the_same(
    server: Server, original: Artifact, ways: Mapping[str, str]
) -> None:
    studio, *arguments = shlex.split(ways["cli"])
    assert studio == "studio"
    run(server, [sys.executable, "-m", "studio", *arguments])
    same(server, original)


def test_the_copied_python_makes_the_same(
    server: Server, original: Artifact, ways: Mapping[str, str]
) -> None:
    run(server, [sys.executable, "-c", ways["python"]])
    same(server, original)


def test_the_copied_request_makes_the_same(
    server: Server, original: Artifact, ways: Mapping[str, str]
) -> None:
    curl, _, url, _, header, _, body = shlex.split(ways["curl"])
    assert curl == "curl"
    name, _, value = header.partition(": ")
    answer = httpx.post(url, content=body.encode(), headers={name: value}, trust_env=False)
    assert answer.status_code == 202

    async def wait(client: Client) -> None:
        await finished(client, answer.json()["id"])

    asyncio.run(locally(server, wait, "local"))
    same(server, original)


def test_the_copied_row_is_the_same_order(original: Artifact, ways: Mapping[str, str]) -> None:
    (row,) = csv.DictReader(io.StringIO(ways["batch"]))
    task = TASKS[row.pop("task")]
    specs = {spec.name: spec for spec in fields_of(task.request)}
    values = {name: specs[name].parse(text) for name, text in row.items()}
    wanted = {**original.note.request, "seed": 42, "count": 1, "model": original.note.card}
    assert build(task.request, values).model_dump() == wanted


def test_the_copied_slash_command_names_every_option_once(ways: Mapping[str, str]) -> None:
    command = ways["discord"]
    assert command.startswith(f"/imagine prompt:{PROMPT} ")
    assert " seed:42" in command
    assert " guidance:3.5" in command
    assert "\n" not in command


def test_a_task_of_another_time_has_nothing_to_copy(original: Artifact) -> None:
    record = json.loads(json.dumps(original.record()))
    record["note"]["task"] = "text-to-smell"
    assert copies(Artifact.from_record(record), "http://127.0.0.1") == {}
