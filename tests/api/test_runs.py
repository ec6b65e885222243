"""Runs over HTTP are the runs of the host, and what is wrong with them is said."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from studio.client import Client
from studio.errors import InvalidRequest, NotFound
from studio.fields import Value
from studio.recipes.document import Recipe
from studio.recipes.rows import Row, read
from studio.recipes.run import Run, RunState
from studio.remote import RemoteClient
from studio.runs import Plan
from tests.api.conftest import Server

ORDER: dict[str, Value] = {"model": "noise", "width": 64, "height": 64}
BATCH = Plan("icons", task="imagine", defaults=ORDER)


def remote(server: Server, owner: str = "ann") -> RemoteClient:
    """The studio as an owner sees it from another process."""
    return RemoteClient(server.url, server.host.private_token, owner=owner)


async def ended(client: Client, run: Run) -> Run:
    """The run, once it goes on no more."""
    async with asyncio.timeout(30):
        while (found := await client.run(run.id)).state is RunState.RUNNING:
            await asyncio.sleep(0.05)
    return found


def test_a_batch_over_http_from_beginning_to_end(server: Server, tmp_path: Path) -> None:
    table = tmp_path / "orders.csv"
    table.write_text("prompt,seed\na {red|blue} star,{1..3}\n")

    async def test() -> None:
        async with remote(server) as client:
            begun = await client.begin(BATCH, read(table), key="batch")
            again = await client.begin(BATCH, read(table), key="batch")
            assert again.run.id == begun.run.id
            found = await ended(client, begun.run)
            assert (found.total, found.done) == (6, 6)
            lines = await client.lines(found.id, after=1, limit=2)
            assert [line.place for line in lines] == [2, 3]
            assert lines[0].values["seed"] == 3
            assert (await client.artifact(lines[0].artifacts[0])).note.seed == 3
            assert [run.id for run in await client.runs(limit=1)] == [found.id]
            assert await client.recipe(found.id) is None
            anew = await ended(client, await client.redo(found.id, 0, "make"))
            assert (await client.lines(anew.id, limit=1))[0].artifacts != lines[0].artifacts

    asyncio.run(test())


def test_a_recipe_over_http(server: Server) -> None:
    recipe = Recipe.read(
        "name: two\n"
        "inputs: {subject: {default: a boat}}\n"
        "steps:\n"
        "  a: {task: imagine, with: {prompt: '{subject}', model: noise, width: 64, height: 64}}\n"
        "  b: {task: imagine, with: {prompt: '{a}', model: noise, width: 64, height: 64}}\n"
    )

    async def test() -> None:
        async with remote(server) as client:
            begun = await client.begin(Plan("two", recipe=recipe), [Row(1, {})])
            found = await ended(client, begun.run)
            assert (found.done, found.failed) == (1, 0)
            assert await client.recipe(found.id) == recipe
            (line,) = await client.lines(found.id)
            assert [step.step for step in line.steps] == ["a", "b"]

    asyncio.run(test())


def test_results_name_the_step_that_failed_beside_what_was_made_before(server: Server) -> None:
    recipe = Recipe.read(
        "name: two\n"
        "steps:\n"
        "  a: {task: imagine, with: {prompt: a boat, model: noise, width: 64, height: 64}}\n"
        "  b: {task: imagine, with: {prompt: 'a nude child, {a.seed}', model: noise}}\n"
    )

    async def test() -> Run:
        async with remote(server) as client:
            begun = await client.begin(Plan("two", recipe=recipe), [Row(1, {})])
            return await ended(client, begun.run)

    found = asyncio.run(test())
    assert found.failed == 1
    headers = {"X-Studio-Owner": "ann"}
    with server.client(server.host.private_token, **headers) as http:
        lines = http.get(f"runs/{found.id}/results.jsonl").text.splitlines()
    (made, failed) = map(json.loads, lines)
    assert (made["step"], made["state"], made["error"]) == ("a", "done", None)
    assert (failed["step"], failed["state"]) == ("b", "failed")
    assert "sexual" in failed["error"]


def test_wrong_rows_arrive_as_what_they_are(server: Server) -> None:
    async def test() -> None:
        async with remote(server) as client, remote(server, "bob") as other:
            with pytest.raises(InvalidRequest, match="line 7: prompt"):
                await client.begin(BATCH, [Row(7, {"prompt": " "})])
            begun = await client.begin(BATCH, [Row(2, {"prompt": "a star"})])
            with pytest.raises(NotFound):
                await other.run(begun.run.id)
            assert await other.runs() == []
            stopped = await client.stop_run(begun.run.id)
            found = await ended(client, await client.resume_run(stopped.id))
            assert found.done == 1

    asyncio.run(test())


@pytest.mark.parametrize(
    "body",
    [b"", b"{}\n", b"[]\n", b'{"name": "x", "colour": 1}\n', b'{"name": "x"}\nno row\n', b"\xff\n"],
)
def test_a_wrong_body_is_refused(server: Server, body: bytes) -> None:
    with server.client() as http:
        answer = http.post("runs", content=body, headers={"Content-Type": "application/x-ndjson"})
        assert answer.status_code == 422, answer.text
        assert answer.json()["hint"]


def test_a_body_without_end_is_not_kept(server: Server) -> None:
    line = b'[2, {"prompt": "' + b"x" * 1000 + b'"}]\n'
    with server.client() as http:
        answer = http.post("runs", content=b'{"name": "x", "task": "imagine"}\n' + 1500 * line)
        assert answer.status_code == 413, answer.text
        deep = b'{"name": "x"}\n' + b"[" * 100_000 + b"\n"
        assert http.post("runs", content=deep).status_code == 422


def test_the_body_is_json_lines(server: Server) -> None:
    lines = [{"name": "icons", "task": "imagine", "defaults": ORDER}, [2, {"prompt": "a star"}]]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    with server.client() as http:
        begun = http.post("runs", content=body)
        assert begun.status_code == 200, begun.text
        assert begun.json()["run"]["total"] == 1
