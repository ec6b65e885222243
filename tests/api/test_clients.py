"""The client is the same in the host's process, over HTTP, and for scripts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from studio import Studio, attach
from studio.client import Client
from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.job import Done, Failed, JobState
from studio.remote import RemoteClient
from tests.api.conftest import Server
from tests.hosts import SMALL, finished, heard

Use = Callable[[Client], Awaitable[Any]]


async def remotely(server: Server, use: Use, owner: str = "ann") -> Any:
    async with RemoteClient(server.url, server.host.private_token, owner=owner) as client:
        return await use(client)


async def locally(server: Server, use: Use, owner: str = "ann") -> Any:
    used = asyncio.run_coroutine_threadsafe(use(server.host.client(owner)), server.loop)  # type: ignore[arg-type]
    return await asyncio.wrap_future(used)


def both(server: Server, use: Use) -> Any:
    """What both clients answer, which must be the same."""

    async def ask() -> tuple[Any, Any]:
        return await locally(server, use), await remotely(server, use)

    local, remote = asyncio.run(ask())
    assert local == remote
    return local


@pytest.mark.parametrize("way", [locally, remotely])
def test_a_whole_order(server: Server, way: Any) -> None:
    async def use(client: Client) -> None:
        job = await client.submit("imagine", {**SMALL, "count": 2, "seed": None}, key=way.__name__)
        again = await client.submit("imagine", {**SMALL, "count": 2}, key=way.__name__)
        assert (again.id, again.request) == (job.id, job.request)
        events = await heard(client, job.id)
        job = await client.job(job.id)
        assert events[-1] == Done(job.artifacts)
        for artifact in job.artifacts:
            found = await client.artifact(artifact)
            path = await client.fetch(artifact)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == found.sha256
            verdict = await client.verify(path)
            assert (verdict.outcome, verdict.file) == ("signed", str(path))

    asyncio.run(way(server, use))


@pytest.mark.parametrize("way", [locally, remotely])
def test_errors_are_the_same_errors(server: Server, way: Any) -> None:
    async def use(client: Client) -> None:
        with pytest.raises(InvalidRequest, match="steps"):
            await client.submit("imagine", {**SMALL, "steps": 0})
        for attempt in (client.job, client.cancel, client.artifact, client.fetch):
            with pytest.raises(NotFound):
                await attempt("../jobs")
        with pytest.raises(NotFound):
            await heard(client, "0" * 32)
        job = await client.submit("imagine", {**SMALL, "count": 30})
        await client.cancel(job.id)
        last = (await heard(client, job.id))[-1]
        assert isinstance(last, Failed)
        assert (await client.job(job.id)).state is JobState.CANCELLED

    asyncio.run(way(server, use))


def test_both_say_the_same(server: Server) -> None:
    async def order(client: Client) -> str:
        return (await finished(client, (await client.submit("imagine", SMALL)).id)).id

    job = asyncio.run(locally(server, order))
    artifact = both(server, lambda client: client.job(job)).artifacts[0]
    both(server, lambda client: client.artifact(artifact))
    both(server, lambda client: client.jobs(limit=3))
    both(server, lambda client: client.artifacts(limit=3))
    both(server, lambda client: client.queue())
    both(server, lambda client: client.cards())
    both(server, lambda client: client.fields("imagine"))
    both(server, lambda client: client.fields("imagine", "starter-pictures"))
    both(server, lambda client: client.devices())
    both(server, lambda client: heard(client, job))


def test_a_client_without_the_private_token_downloads(server: Server) -> None:
    async def use() -> None:
        async with RemoteClient(server.url) as client:
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            path = await client.fetch(job.artifacts[0])
            assert server.settings.home not in path.parents
            found = await client.artifact(job.artifacts[0])
            assert path.name == f"{found.id}.png"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == found.sha256
        assert not path.exists(), "what was fetched goes with the client"

    asyncio.run(use())


def test_a_script_attaches_to_the_host_that_runs(server: Server) -> None:
    place = server.settings.home / "run" / "host.json"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    events = []
    with Studio(server.settings) as studio:
        results = studio.make("text-to-image", on_event=events.append, **SMALL, seed=7, count=2)
        assert [(result.seed, result.card) for result in results] == [(7, "noise"), (8, "noise")]
        assert isinstance(events[-1], Done)
        copy = results[0].save(server.settings.home)
        assert studio.verify(copy).outcome == "signed"
        with pytest.raises(InvalidRequest):
            studio.make("text-to-image", prompt="")
    assert results[0].path.exists(), "the file belongs to the studio, not to the script"


def test_a_host_that_is_gone_is_said_to_be(server: Server) -> None:
    async def use() -> None:
        async with RemoteClient("http://127.0.0.1:9") as client:
            with pytest.raises(Unavailable, match="does not answer"):
                await client.queue()

    asyncio.run(use())


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux says what a socket does")
def test_a_client_asks_whether_a_silent_host_is_still_there(server: Server) -> None:
    async def use() -> None:
        async with RemoteClient(server.url) as client:
            await client.queue()
            port = f":{int(server.url.rpartition(':')[2]):04X}"
            ours = [
                fields
                for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines())
                if fields[2].endswith(port) and fields[3] == "01"
            ]
            # The timer that runs is the one of TCP's keep-alive.
            assert any(fields[5].startswith("02:") for fields in ours), ours

    asyncio.run(use())


def test_a_stale_file_counts_for_nothing(home: Path) -> None:
    home.mkdir()
    assert attach.find(home) is None
    attach.announce(home, "http://127.0.0.1:1", "token")
    running = attach.find(home)
    assert running is not None
    assert (running.pid, running.url) == (os.getpid(), "http://127.0.0.1:1")
    place = home / "run" / "host.json"
    record = json.loads(place.read_text())
    for stale in ({"pid": 2**22 + 1}, {"began": record["began"] - 100}):
        place.write_text(json.dumps({**record, **stale}))
        assert attach.find(home) is None
    place.write_text("{")
    assert attach.find(home) is None


def test_reading_about_the_studio_loads_no_torch() -> None:
    code = (
        "import sys, studio.api, studio.remote, studio.host; "
        "print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_jobs_can_be_tried_again_and_change_places(server: Server) -> None:
    async def use(client: Client) -> None:
        stopped = await client.submit("imagine", SMALL)
        await client.cancel(stopped.id)
        await finished(client, stopped.id)
        again = await client.retry(stopped.id)
        assert again.request == stopped.request
        done = await finished(client, again.id)
        assert done.state is JobState.DONE
        assert await client.retry(stopped.id) == done
        with pytest.raises(InvalidRequest):
            await client.move(done.id)
        with pytest.raises(NotFound):
            await client.move("0" * 32, done.id)

    for way in (locally, remotely):
        asyncio.run(way(server, use))
