"""Conversations over HTTP are the same conversations."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest
import uvicorn

from studio.api import create_app
from studio.errors import InvalidRequest, NotFound
from studio.host import Host
from studio.remote import RemoteClient
from tests.hosts import finished
from tests.talk.lane import echo_host


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Host]]:
    """The address of a host whose model is `echo`, and the host."""
    home: Path = tmp_path_factory.mktemp("talk")
    started: Future[tuple[str, Host]] = Future()
    over = threading.Event()

    async def main() -> None:
        host, _ = echo_host(home)
        async with host:
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(host), port=0, log_config=None, timeout_graceful_shutdown=1
                )
            )
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            started.set_result((f"http://127.0.0.1:{port}", host))
            await asyncio.to_thread(over.wait)
            server.should_exit = True
            await serving

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    yield started.result(timeout=30)
    over.set()
    thread.join(timeout=30)


def test_every_verb_over_http(server: tuple[str, Host]) -> None:
    url, host = server

    async def use() -> None:
        async with RemoteClient(url, host.private_token, owner="ann") as ann:
            begun = await ann.start_conversation(model="echo", system="Be brief.")
            job = await ann.talk(begun.id, "a teal lamp", key="k")
            assert (await ann.talk(begun.id, "a teal lamp", key="k")).id == job.id
            await finished(ann, job.id)
            await finished(ann, (await ann.regenerate(begun.id)).id)
            found = await ann.change_conversation(begun.id, title="Lamps", model="")
            assert (found.title, found.model, found.system) == ("Lamps", None, "Be brief.")
            assert await ann.conversation(begun.id) == found
            assert len(found.turns[0].replies) == 2
            assert [one.title for one in await ann.conversations("teal")] == ["Lamps"]
            assert await ann.conversations(before=begun.id) == []
            with pytest.raises(InvalidRequest):
                await ann.talk(begun.id, "")
            with pytest.raises(NotFound):
                await ann.start_conversation(model="nobody")
            async with ann.acting_for("bob") as bob:
                with pytest.raises(NotFound):
                    await bob.talk(begun.id, "let me in")
            await ann.delete_conversation(begun.id)
            with pytest.raises(NotFound):
                await ann.conversation(begun.id)

    asyncio.run(use())


def test_a_conversation_is_a_file_in_two_forms(server: tuple[str, Host]) -> None:
    url, _ = server
    with httpx.Client(base_url=f"{url}/api/v1/", trust_env=False) as http:
        begun = http.post("conversations", json={"title": "Lamps"}).json()["id"]
        written = http.get(f"conversations/{begun}/export")
        assert (written.text, written.headers["content-type"]) == (
            "# Lamps\n",
            "text/markdown; charset=utf-8",
        )
        assert "attachment" in written.headers["content-disposition"]
        kept = http.get(f"conversations/{begun}/export", params={"as": "json"})
        assert json.loads(kept.content)["title"] == "Lamps"
        assert http.get(f"conversations/{begun}/export", params={"as": "exe"}).status_code == 422
