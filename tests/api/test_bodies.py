"""How much of a request is read: little before it is known who sends it, and never all there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from studio.api import create_app
from tests.api.conftest import Server, serve
from tests.hosts import settings_for

TOKEN = "a long and random secret"
#: What Gradio reads whole, before it asks who sent it.
GRADIO = ("queue/join", "run/check", "api/check", "call/check", "call/v2/check", "cancel", "reset")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token, with its page."""
    home: Path = tmp_path_factory.mktemp("bodies") / "home"
    yield from serve(settings_for(home, token=TOKEN), page=True)


def caller(guarded: Server, token: str | None) -> httpx.Client:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=guarded.url, headers=headers, timeout=60, trust_env=False)


def pieces(count: int, sent: list[int] | None = None) -> Iterator[bytes]:
    """A JSON text in so many pieces; how long those were that somebody took."""
    yield b'"'
    for _ in range(count):
        if sent is not None:
            sent.append(100_000)
        yield b" " * 100_000
    yield b'"'


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("length", [True, False])
def test_what_is_read_before_it_is_known_who_asks_may_not_be_long(
    guarded: Server, token: str | None, length: bool
) -> None:
    routes = [
        (method, route.path.replace("{", "").replace("}", ""))
        for route in create_app(guarded.host).routes
        if isinstance(route, APIRoute) and route.body_field is not None
        for method in route.methods
    ]
    assert {"/api/v1/session", "/api/v1/presets", "/api/v1/imports"} <= {path for _, path in routes}
    routes += [("POST", f"/gradio_api/{path}") for path in GRADIO]
    headers = {"Content-Type": "application/json"}
    with caller(guarded, token) as client:
        for method, path in routes:
            body = b"".join(pieces(12)) if length else pieces(12)
            answer = client.request(method, path, content=body, headers=headers)
            assert (path, answer.status_code) == (path, 413)
            assert set(answer.json()) == {"error", "message", "hint", "retry"}
            assert answer.json()["error"] == "InvalidRequest"
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["api/v1/session", "api/v1/text-to-image", "gradio_api/queue/join"]
)
def test_who_sends_without_end_is_hung_up_on(guarded: Server, path: str) -> None:
    sent: list[int] = []
    with caller(guarded, TOKEN) as client:
        try:
            answer = client.post(f"/{path}", content=pieces(1000, sent))
        except (httpx.WriteError, httpx.ReadError):
            pass  # the server had answered, and hung up
        else:
            assert answer.status_code == 413
    assert sum(sent) < 50_000_000


def test_a_form_from_a_stranger_is_not_kept(guarded: Server) -> None:
    with caller(guarded, None) as client:
        answer = client.post("/login", files={"username": ("a", bytes(1_200_000))})
        assert answer.status_code == 413


def test_files_and_tables_may_be_longer(guarded: Server) -> None:
    # Under another name it is read, and not looked at, which takes longer.
    file = {"other": ("long.bin", bytes(1_200_000))}
    head = {"name": "long", "task": "text-to-image", "dry": True}
    row = [2, {"prompt": "a star " * 570}]
    table = "\n".join(map(json.dumps, [head, *([row] * 310)]))
    assert len(table) > 1_200_000
    with caller(guarded, TOKEN) as client:
        for path in ("api/v1/uploads", "api/v1/verify", "v1/content_provenance_checks"):
            answer = client.post(f"/{path}", files=file)
            assert (path, answer.status_code) == (path, 422)
            assert "no file in the request" in answer.json()["message"]
        assert client.post("/api/v1/runs", content=table).status_code == 200
        (put_in,) = client.post("/gradio_api/upload", files={"files": file["other"]}).json()
        assert Path(put_in).stat().st_size == 1_200_000
    with caller(guarded, None) as stranger:
        for path in ("api/v1/uploads", "api/v1/verify", "api/v1/runs", "gradio_api/upload"):
            assert stranger.post(f"/{path}", files=file).status_code == 401
