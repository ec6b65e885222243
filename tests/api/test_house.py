"""What belongs to the house: named users, sessions, presets, the shelf, and the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from studio.host import Host
from tests.api.conftest import Server, serve
from tests.hosts import settings_for

TOKEN = "a long and random secret"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token."""
    home: Path = tmp_path_factory.mktemp("house") / "home"
    yield from serve(settings_for(home, token=TOKEN), seconds=0.01)


def user(guarded: Server, name: str) -> httpx.Client:
    with guarded.client(TOKEN) as operator:
        token = operator.post("users", json={"name": name}).json()["token"]
    return guarded.client(token)


def test_each_user_sees_only_what_is_theirs(guarded: Server) -> None:
    order = {"model": "noise", "prompt": "a secret star", "width": 64, "height": 64}
    with user(guarded, "ann") as ann, user(guarded, "bob") as bob, guarded.client(TOKEN) as us:
        job = ann.post("text-to-image", json=order).json()["id"]
        assert ann.get(f"jobs/{job}").status_code == 200
        assert bob.get(f"jobs/{job}").status_code == 404
        assert us.get(f"jobs/{job}").status_code == 404, "the operator, too"
        ann.post("presets", json={"name": "x", "task": "text-to-image", "values": {"width": 64}})
        assert [one["name"] for one in ann.get("presets").json()] == ["x"]
        assert bob.get("presets").json() == []
        assert us.delete("presets", params={"name": "x"}).status_code == 404


def test_the_house_is_the_operators(guarded: Server) -> None:
    with user(guarded, "cleo") as cleo, guarded.client(TOKEN) as us:
        for method, path in [
            ("GET", "users"),
            ("DELETE", "users/cleo"),
            ("GET", "doctor"),
            ("PUT", "models/sdxl-turbo/weights"),
            ("DELETE", "models/sdxl-turbo/weights"),
            ("DELETE", "models/sdxl-turbo/download"),
        ]:
            assert cleo.request(method, path).status_code == 403, path
        assert cleo.post("users", json={"name": "dora"}).status_code == 403
        assert "cleo" in us.get("users").json()
        assert {"disk", "network"} <= {one["name"] for one in us.get("doctor").json()}
        assert us.delete("users/cleo").status_code == 204
        assert cleo.get("jobs").status_code == 401


def test_a_session_is_one_users_and_ends_when_they_leave(guarded: Server) -> None:
    with guarded.client(TOKEN) as us:
        token = us.post("users", json={"name": "emma"}).json()["token"]
    with guarded.client() as page:
        assert page.get("presets").status_code == 401
        assert page.post("session", json={"token": token}).status_code == 204
        body = {"name": "mine", "task": "text-to-image", "values": {}}
        assert page.post("presets", json=body).status_code == 200
        # Nobody becomes somebody else by writing another name into the cookie.
        session = page.cookies["studio_session"].strip('"')
        forged = session.replace("emma|", "local|", 1)
        later = session.replace("|1", "|9", 1)
        assert session not in (forged, later)
        with guarded.client() as other:
            for wrong in (forged, later, "emma|", "emma|x|y", "local||"):
                assert other.get("presets", headers=cookie(wrong)).status_code == 401, wrong
            assert other.get("presets", headers=cookie(session)).status_code == 200
            assert page.delete("session").status_code == 204
            assert other.get("presets", headers=cookie(session)).status_code == 401
        assert page.get("presets").status_code == 401


def cookie(session: str) -> dict[str, str]:
    """The header that a browser with this session sends."""
    return {"Cookie": f'studio_session="{session}"'}


def test_wrong_tokens_have_to_wait_and_so_does_the_right_one_then(guarded: Server) -> None:
    with guarded.client() as page:
        answers = [page.post("session", json={"token": f"{n}"}).status_code for n in range(6)]
        assert answers == [401] * 5 + [429]
        waiting = page.post("session", json={"token": TOKEN})
        assert (waiting.status_code, waiting.json()["retry"]) == (429, True)


def test_a_model_that_ships_with_the_studio_is_neither_got_nor_removed(guarded: Server) -> None:
    with guarded.client(TOKEN) as api:
        answer = api.delete("models/starter-pictures/weights")
        assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")
        assert api.put("models/nobody/weights").status_code == 404
        starter = api.get("models/starter-pictures").json()
        assert "yellow" in starter["vocabulary"]["colours"]
        assert starter["download"] is None


def test_the_page_can_tell_one_start_from_the_next(guarded: Server) -> None:
    with guarded.client() as page:
        boots = {page.get("health").json()["boot"] for _ in range(2)}
    assert boots == {guarded.host.boot}
    assert Host(guarded.settings).boot not in boots
