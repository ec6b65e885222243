"""A studio that wants a token: nothing without it, everything with it, and it stays secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import Server, serve
from tests.hosts import SMALL, settings_for

READS = ("jobs", "queue", "artifacts", "tasks", "models", "models/noise", "devices")
SECRET = "a long secret, ü"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token."""
    home = tmp_path_factory.mktemp("locked") / "home"
    yield from serve(settings_for(home, token=SECRET, hosts=("studio.lan",)))


def test_without_the_token_everything_is_closed(locked: Server) -> None:
    for token in (None, "wrong"):
        with locked.client(token) as client:
            for path in (*READS, f"jobs/{'0' * 32}", f"artifacts/{'0' * 32}/file"):
                response = client.get(path)
                assert (path, response.status_code) == (path, 401)
                assert response.headers["www-authenticate"] == "Bearer"
                assert response.json()["error"] == "Refused"
            assert client.post("text-to-image", json=SMALL).status_code == 401
            assert client.post("verify", files={"file": b"x"}).status_code == 401
            assert client.get("health").status_code == 200


def test_the_token_opens(locked: Server) -> None:
    with httpx.Client(base_url=f"{locked.url}/api/v1/", trust_env=False) as client:
        headers = {"Authorization": b"Bearer " + SECRET.encode()}
        assert client.get("jobs", headers=headers).status_code == 200


def test_a_session_opens_and_holds_no_token(locked: Server) -> None:
    with locked.client() as client:
        assert client.post("session", json={"token": "wrong"}).status_code == 401
        response = client.post("session", json={"token": SECRET})
        assert response.status_code == 204
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert "secret" not in cookie
        assert client.get("jobs").status_code == 200
        client.cookies.set("studio_session", "0" * 64)
    with locked.client(Cookie="studio_session=0") as client:
        assert client.get("jobs").status_code == 401


def test_a_configured_name_is_answered(locked: Server) -> None:
    with locked.client(Host="studio.lan") as client:
        assert client.get("health").status_code == 200


def test_no_secret_is_logged(locked: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for token in (locked.host.private_token, "wrong but secret"):
            with locked.client(token) as client:
                client.get("jobs")
                client.post("session", json={"token": SECRET})
    text = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("studio")
    )
    assert locked.host.private_token not in text
    assert "secret" not in text
    assert SECRET not in repr(locked.settings)
