"""Who comes in: hosts, origins, tokens, sessions, owners."""

from __future__ import annotations

import pytest

from tests.api.conftest import Server
from tests.hosts import SMALL

READS = ("jobs", "queue", "artifacts", "tasks", "models", "models/noise", "devices")


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "", "a b", "[::1"])
def test_other_names_are_refused(server: Server, name: str) -> None:
    with server.client(Host=name) as client:
        for path in (*READS, "health", "openapi.json"):
            assert client.get(path).status_code in (400, 403)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1:7860", "[::1]:7860", "192.168.1.5"])
def test_its_own_names_and_addresses_are_answered(server: Server, name: str) -> None:
    with server.client(Host=name) as client:
        assert client.get("jobs").status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"]
)
def test_pages_of_other_sites_change_nothing(server: Server, origin: str) -> None:
    with server.client(Origin=origin) as client:
        assert client.post("text-to-image", json=SMALL).status_code == 403
        assert client.delete(f"jobs/{'0' * 32}").status_code == 403
        assert client.get("jobs").status_code == 200


def test_every_answer_is_hardened(server: Server) -> None:
    with server.client() as client:
        for response in (client.get("jobs"), client.get("nothing"), client.get("openapi.json")):
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["x-frame-options"] == "SAMEORIGIN"


def test_its_own_page_may(server: Server) -> None:
    with server.client(Origin=server.url) as client:
        assert client.post("text-to-image", json=SMALL).status_code == 202


def test_the_private_token_acts_for_others_who_do_not_meet(server: Server) -> None:
    token = server.host.private_token
    ann = server.client(token, **{"X-Studio-Owner": "discord:1"})
    bob = server.client(token, **{"X-Studio-Owner": "discord:2"})
    anyone = server.client(**{"X-Studio-Owner": "discord:1"})
    with ann, bob, anyone:
        job = ann.post("text-to-image", json=SMALL).json()
        assert job["owner"] == "discord:1"
        assert '"Done"' in ann.get(f"jobs/{job['id']}/events").text
        artifact = ann.get(f"jobs/{job['id']}").json()["artifacts"][0]
        assert ann.get(f"artifacts/{artifact}/file").status_code == 200
        for stranger in (bob, anyone):
            for path in (
                f"jobs/{job['id']}",
                f"jobs/{job['id']}/events",
                f"jobs?before={job['id']}",
                f"artifacts/{artifact}",
                f"artifacts/{artifact}/file",
                f"artifacts?before={artifact}",
            ):
                assert (path, stranger.get(path).status_code) == (path, 404)
            assert stranger.delete(f"jobs/{job['id']}").status_code == 404
            assert job["id"] not in stranger.get("jobs").text
            assert artifact not in stranger.get("artifacts").text


def test_a_name_that_is_none_is_refused(server: Server) -> None:
    for name in ("", "a b", "x" * 101, "<script>"):
        with server.client(server.host.private_token, **{"X-Studio-Owner": name}) as client:
            assert client.get("jobs").status_code == 422
