"""A studio behind a real socket, on a loop of its own, for the tests of one module."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from studio.api import create_app
from studio.host import Host
from studio.settings import Settings
from tests.fake_lane import FakeLane
from tests.hosts import settings_for, write_cards
from ui.app import mount


@dataclass
class Server:
    """A running server, as its tests see it."""

    url: str
    host: Host
    settings: Settings
    loop: asyncio.AbstractEventLoop

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """A plain HTTP client of the API."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.Client(
            base_url=f"{self.url}/api/v1/", headers=headers, timeout=30, trust_env=False
        )


def serve(settings: Settings, *, page: bool = False, **lane: Any) -> Iterator[Server]:
    """A server with `settings`, and with the `page` if that is wanted, until it is resumed."""
    write_cards(settings.home)
    started: Future[Server] = Future()
    over = threading.Event()

    async def main() -> None:
        async with Host(settings, lanes=[FakeLane(settings, **lane)]) as host:
            app = create_app(host)
            if page:
                await mount(app, host.client, settings, app.state.gate.authenticate)
            config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            url = f"http://127.0.0.1:{port}"
            host.listens(url)
            started.set_result(Server(url, host, settings, asyncio.get_running_loop()))
            await asyncio.to_thread(over.wait)
            server.should_exit = True
            await serving

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield started.result(timeout=30)
    finally:
        over.set()
        thread.join(timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a token, whose steps take a twentieth of a second."""
    home: Path = tmp_path_factory.mktemp("api") / "home"
    yield from serve(settings_for(home, max_upload_bytes=1_000_000), seconds=0.05)
