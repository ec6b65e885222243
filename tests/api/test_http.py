"""The HTTP API over a real socket."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from studio.tasks import TASKS
from tests.api.conftest import Server
from tests.hosts import SMALL


def order(client: httpx.Client, **values: Any) -> dict[str, Any]:
    response = client.post("text-to-image", json={**SMALL, **values})
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    return job


def events(client: httpx.Client, job: str, most: int = 1000) -> list[dict[str, Any]]:
    """The job's events, as a stream gives them; at most so many."""
    found: list[dict[str, Any]] = []
    with client.stream("GET", f"jobs/{job}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                if len(found) == most:
                    break
    return found


def test_an_order_becomes_a_file(server: Server) -> None:
    with server.client() as client:
        response = client.post("text-to-image", json={**SMALL, "count": 2, "seed": 5})
        job = response.json()
        assert response.headers["location"] == f"/api/v1/jobs/{job['id']}"
        told = events(client, job["id"])
        assert told[0]["event"] in ("Queued", "Loading", "Step")
        assert told[-1]["event"] == "Done"
        job = client.get(f"jobs/{job['id']}").json()
        assert (job["state"], job["artifacts"]) == ("done", told[-1]["ids"])
        artifact = client.get(f"artifacts/{job['artifacts'][1]}").json()
        assert (artifact["note"]["seed"], artifact["media_type"]) == (6, "image/png")
        file = client.get(f"artifacts/{artifact['id']}/file")
        assert file.content[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(file.content) == artifact["size"]
        assert file.headers["content-type"] == "image/png"
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["content-disposition"] == f'inline; filename="{artifact["id"]}.png"'
        assert "x-studio-path" not in file.headers
        verdict = client.post("verify", files={"file": ("mine.png", file.content)}).json()
        assert (verdict["verdict"], verdict["file"]) == ("signed", "mine.png")


def test_every_task_has_its_own_endpoint_and_schema(server: Server) -> None:
    with server.client() as client:
        document = client.get("openapi.json").json()
        for task in TASKS.values():
            body = document["paths"][f"/api/v1/{task.id}"]["post"]["requestBody"]
            schema = body["content"]["application/json"]["schema"]
            assert set(schema["properties"]) == set(task.request.model_fields)
            assert schema["additionalProperties"] is False
        listed = client.get("tasks").json()
        assert [one["id"] for one in listed] == list(TASKS)
        narrowed = client.get("tasks", params={"model": "starter-pictures"}).json()
        width = next(one for one in narrowed[0]["fields"] if one["name"] == "width")
        assert width["maximum"] < 4096


def test_the_same_key_is_the_same_job(server: Server) -> None:
    with server.client() as client:
        headers = {"Idempotency-Key": "tuesday"}
        first, again = (
            client.post("text-to-image", json=SMALL, headers=headers).json() for _ in range(2)
        )
        assert first["id"] == again["id"]
        other = client.post("text-to-image", json={**SMALL, "prompt": "b"}, headers=headers)
        assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"\xff\xfe", "JSON"),
        (b'{"prompt": "x", "guidance": NaN}', "NaN"),
        (b'{"prompt": "x", "guidance": 1e999}', "guidance"),
        (b'{"prompt": "x", "steps": "20"}', "steps"),
        (b'{"prompt": "x", "steps": true}', "steps"),
        (b'{"prompt": "x", "count": 1000000000}', "count"),
        (b'{"prompt": "x", "seed": ' + b"9" * 5000 + b"}", "JSON"),
        (b'{"prompt": "x", "\\ud800": 1}', "unicode"),
        (b'{"prompt": "\\u0000"}', "prompt"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_a_wrong_order_is_explained(server: Server, body: bytes, word: str) -> None:
    with server.client() as client:
        response = client.post("text-to-image", content=body)
        assert response.status_code == 422, response.text
        failure = response.json()
        assert set(failure) == {"error", "message", "hint", "retry"}
        assert failure["error"] == "InvalidRequest"
        assert word in failure["message"]


def test_an_endless_order_is_cut_off(server: Server) -> None:
    with server.client() as client:
        response = client.post("text-to-image", content=b" " * 1_100_000)
        assert response.status_code == 413
        assert "longer" in response.json()["message"]


def test_whatever_goes_wrong_has_one_shape(server: Server) -> None:
    with server.client() as client:
        for method, path, status in [
            ("GET", "nothing", 404),
            ("GET", f"jobs/{'0' * 32}", 404),
            ("GET", f"jobs/{'0' * 32}/events", 404),
            ("GET", "jobs/%00", 404),
            ("GET", "artifacts/..%2f..%2fjobs.sqlite/file", 404),
            ("DELETE", "text-to-image", 405),
            ("GET", "jobs?limit=0", 422),
            ("GET", "jobs?before=x", 404),
            ("GET", "models/none", 404),
            ("POST", "verify", 422),
        ]:
            response = client.request(method, path)
            assert (path, response.status_code) == (path, status)
            assert set(response.json()) == {"error", "message", "hint", "retry"}


def test_a_running_job_is_stopped(server: Server) -> None:
    with server.client() as client:
        job = order(client, count=50)
        assert events(client, job["id"], most=3)
        assert client.delete(f"jobs/{job['id']}").json()["state"] in ("running", "cancelled")
        last = events(client, job["id"])[-1]
        assert last["error"]["error"] == "Cancelled"
        assert client.get(f"jobs/{job['id']}").json()["state"] == "cancelled"


def test_a_watcher_can_leave_and_come_back(server: Server) -> None:
    with server.client() as client:
        job = order(client, count=4)
        first = events(client, job["id"], most=2)
        rest = events(client, job["id"])
        assert first[-1]["event"] != "Done"
        assert rest[-1]["event"] == "Done"
        assert [one["event"] for one in rest].count("Sealed") == 4
        assert events(client, job["id"]) == rest[-1:]


def test_the_list_comes_in_pages(server: Server) -> None:
    with server.client() as client:
        ids = [order(client, prompt=str(n))["id"] for n in range(5)]
        seen: list[str] = []
        while len(seen) < 5:
            params = {"limit": 2, **({"before": seen[-1]} if seen else {})}
            seen += [job["id"] for job in client.get("jobs", params=params).json()]
        assert seen[:5] == ids[::-1]
        queue = client.get("queue").json()
        assert {one["job"]["id"] for one in queue} <= set(ids)


def test_an_upload_that_is_too_large_is_cut_off(server: Server) -> None:
    with server.client() as client:
        sent = 0

        def endless() -> Any:
            nonlocal sent
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(1000):
                sent += 100_000
                yield bytes(100_000)

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        try:
            response = client.post("verify", content=endless(), headers=headers)
        except (httpx.WriteError, httpx.ReadError):
            pass  # the server had answered, and hung up
        else:
            assert response.status_code == 413
            assert "larger" in response.json()["message"]
        assert sent < 50_000_000


def test_a_name_in_an_upload_goes_nowhere(server: Server) -> None:
    with server.client() as client:
        response = client.post("verify", files={"file": ("../../<script>.png", b"not a picture")})
        assert response.status_code in (200, 422)


def test_models_devices_health(server: Server) -> None:
    with server.client() as client:
        models = {one["name"]: one for one in client.get("models").json()}
        assert models["starter-pictures"]["installed"]
        assert client.get("models/noise").json() == models["noise"]
        assert client.get("devices").json()[0]["device"] == "none"
        assert client.get("health").json()["status"] == "ok"
