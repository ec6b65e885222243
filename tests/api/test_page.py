"""What the page takes from a browser, and gives it: files that were put in, and no others."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import Server, serve
from tests.hosts import SMALL, settings_for

TOKEN = "a long and random secret"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token, with its page."""
    home: Path = tmp_path_factory.mktemp("page") / "home"
    yield from serve(settings_for(home, token=TOKEN), page=True)


@pytest.fixture(scope="module")
def ann(guarded: Server) -> Iterator[httpx.Client]:
    """A user of it, who has made something."""
    with user(guarded, "ann") as client:
        yield client


@pytest.fixture(scope="module")
def bob(guarded: Server) -> Iterator[httpx.Client]:
    """Another one, who has not."""
    with user(guarded, "bob") as client:
        yield client


@pytest.fixture(scope="module")
def artifact(ann: httpx.Client) -> str:
    """What Ann has made."""
    return made(ann, ann.post("/api/v1/text-to-image", json=SMALL).json()["id"])


@pytest.fixture(scope="module")
def secret(guarded: Server, artifact: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Paths of what is not Bob's, written in several ways."""
    home = guarded.settings.home
    outside = tmp_path_factory.mktemp("outside") / "diary.txt"
    outside.write_text("dear diary")
    (picture,) = (home / "artifacts").rglob(f"{artifact}.png")
    host = home / "run" / "host.json"
    around = home / "page" / ".." / "run" / "host.json"
    return [str(one) for one in (host, around, picture, outside, *(home / "keys").glob("*.pem"))]


def user(guarded: Server, name: str) -> httpx.Client:
    with guarded.client(TOKEN) as operator:
        token = operator.post("users", json={"name": name}).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=guarded.url, headers=headers, timeout=60, trust_env=False)


def made(client: httpx.Client, job: str) -> str:
    """The first output of a job, once it is done."""
    client.get(f"/api/v1/jobs/{job}/events")
    return str(client.get(f"/api/v1/jobs/{job}").json()["artifacts"][0])


@dataclass
class Tab:
    """An open page, as Gradio's server sees it."""

    http: httpx.Client
    session: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        """Open it."""
        config = self.http.get("/config").json()
        self.components: dict[int, Any] = {one["id"]: one for one in config["components"]}
        self.handlers: list[Any] = config["dependencies"]

    def body(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """What is sent to the newest handler of that name that takes what is `given`, by field."""
        for handler in self.handlers[::-1] if given else self.handlers:
            props = [self.components[one]["props"] for one in handler["inputs"]]
            held = [(one.get("elem_id"), one.get("value")) for one in props]
            if re.fullmatch(rf"{name}(_\d+)?", handler["api_name"]) and given.keys() <= {
                *dict(held)
            }:
                data = [given.get(field, value) for field, value in held]
                return {"fn_index": handler["id"], "session_hash": self.session, "data": data}
        raise LookupError(name)

    def send(self, name: str, given: dict[str, Any], query: str = "") -> dict[str, Any]:
        """How the handler ends."""
        body = self.body(name, given)
        self.http.post(f"/gradio_api/queue/join{query}", json=body).raise_for_status()
        ended: dict[str, Any] = {}
        where = {"session_hash": self.session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=where) as lines:
            for line in lines.iter_lines():
                told = json.loads(line.removeprefix("data: ") or "{}")
                if told.get("msg") == "process_completed":
                    ended = told
        return ended

    def draw(self) -> None:
        """Have the form drawn that was asked for."""
        config = self.send("apply", {})["output"]["render_config"]
        self.components |= {one["id"]: one for one in config["components"]}
        self.handlers += config["dependencies"]

    def form(self, task: str) -> None:
        """Change to the form of a task."""
        self.send("choose", {"task": task})
        self.draw()

    def arrive(self, query: str) -> None:
        """Open the page under an address that fills the form in."""
        self.send("arrive", {"task": "text-to-image"}, query)
        self.draw()

    def value(self, name: str) -> Any:
        """What the newest field of that name came with."""
        found = [one["props"] for one in self.components.values()]
        return [one.get("value") for one in found if one.get("elem_id") == name][-1]

    def held(self) -> str:
        """All that the server keeps of what was entered, as it gives it back."""
        link = self.http.get("/gradio_api/deep_link", params={"session_hash": self.session}).json()
        return self.http.get("/config", params={"deep_link": link}).text


def same(home: Path, path: str) -> int:
    """How many files of the home hold what lies at `path`, or -1 where nothing lies any more."""
    if not Path(path).exists():
        return -1
    content = Path(path).read_bytes()
    return sum(one.is_file() and one.read_bytes() == content for one in home.rglob("*"))


def file(path: str, *, bare: bool = False) -> dict[str, Any]:
    """What a browser calls a file that it has put in; Gradio looks less closely at `bare` ones."""
    return {"path": path} if bare else {"path": path, "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    ("task", "handler", "name"),
    [
        ("", "check", "run-table"),
        ("", "begin", "run-table"),
        ("", "check", "verify-files"),
        ("", "send", "talk-picture"),
        ("", "ask", "consent-sample"),
        ("image-to-image", "order", "field-image"),
        ("image-to-image", "narrow", "field-image"),
        ("inpainting", "order", "field-mask"),
        ("image-to-3d", "order", "field-image"),
    ],
)
def test_a_file_that_was_not_put_in_is_not_taken_out(
    guarded: Server,
    bob: httpx.Client,
    secret: list[str],
    task: str,
    handler: str,
    name: str,
    bare: bool,
) -> None:
    tab, home = Tab(bob), guarded.settings.home
    if task:
        tab.form(task)
    for path in secret:
        before = same(home, path)
        sent: Any = file(path, bare=bare)
        if name == "field-mask":
            sent = {"background": None, "layers": [sent], "composite": None, "id": None}
        ended = tab.send(handler, {name: [sent] if name == "verify-files" else sent})
        assert ended["success"] is False, path
        assert same(home, path) == before, path
        assert Path(path).name not in tab.held()
    assert bob.get("/api/v1/jobs").json() == []


def test_no_other_way_in_takes_it_either(
    guarded: Server, bob: httpx.Client, secret: list[str]
) -> None:
    tab, home = Tab(bob), guarded.settings.home
    for path in secret:
        before = same(home, path)
        body = tab.body("check", {"run-table": file(path)})
        for way in ("run/predict", "run/check", "api/check"):
            assert bob.post(f"/gradio_api/{way}", json=body).status_code == 404, way
        event = bob.post("/gradio_api/call/check", json={"data": body["data"]}).json()["event_id"]
        assert "event: error" in bob.get(f"/gradio_api/call/check/{event}").text
        assert bob.get(f"/gradio_api/file={path}").status_code == 403
        assert same(home, path) == before


@pytest.mark.parametrize("handler", ["order", "narrow"])
def test_what_was_typed_is_never_taken_for_a_file(
    guarded: Server, bob: httpx.Client, secret: list[str], handler: str
) -> None:
    """The form's state changes before it is drawn anew: its fields are then others than before."""
    home = guarded.settings.home
    for path in secret:
        tab, before = Tab(bob), same(home, path)
        tab.send("choose", {"task": "image-to-3d"})
        ended = tab.send(handler, {"field-prompt": path})
        assert not ended["success"] or "was not put into a form" in ended["output"]["data"][0]
        tab.draw()
        assert same(home, path) == before
    assert bob.get("/api/v1/jobs").json() == []


def test_a_form_comes_with_ones_own_outputs_in_it(
    guarded: Server, ann: httpx.Client, bob: httpx.Client, artifact: str
) -> None:
    content = ann.get(f"/api/v1/artifacts/{artifact}/file").content
    tab = Tab(ann)
    tab.arrive(f"?task=image-to-image&image={artifact}&prompt=a+star")
    shown = tab.value("field-image")
    assert ann.get(shown["url"]).content == content
    assert tab.send("order", {"field-image": shown})["output"]["data"] == [""]
    job = ann.get("/api/v1/jobs").json()[0]
    assert job["request"]["image"] == artifact
    again = made(ann, job["id"])
    tab.arrive(f"?again={again}")
    assert ann.get(tab.value("field-image")["url"]).content == content
    # A list of files, and what is painted on.
    tab.arrive(f"?task=contact-sheet&images={artifact},{again}")
    assert ann.get(tab.value("field-images")[0]["url"]).content == content
    tab.arrive(f"?task=inpainting&image={artifact}")
    assert ann.get(tab.value("field-mask")["background"]["url"]).status_code == 200
    other = Tab(bob)
    for wish in (f"?task=image-to-image&image={artifact}", f"?again={again}"):
        other.arrive(wish)
        assert artifact not in json.dumps([*other.components.values()])


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """Another server's address, and what was asked of it; Gradio takes it for a public one."""
    monkeypatch.setattr("safehttpx.is_public_ip", lambda ip: True)
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<script>alert(1)</script>")

        do_HEAD = do_GET  # noqa: N815 - as the library calls it

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_nothing_is_fetched_from_elsewhere_for_anybody(
    guarded: Server, bob: httpx.Client, elsewhere: tuple[str, list[str]]
) -> None:
    url, asked = elsewhere
    for way in ("file=", "file/", "proxy="):
        for where in (f"{url}/x.png", f"{url}/x.html", "https://example.org/x.png"):
            for method in ("GET", "HEAD"):
                answer = bob.request(method, f"/gradio_api/{way}{where}")
                assert (way, answer.status_code) == (way, 404)
    tab = Tab(bob)
    tab.form("image-to-image")
    for handler, name in (("check", "run-table"), ("order", "field-image")):
        for bare in (False, True):
            for where in (f"{url}/x.png", "file:///etc/hostname", "ftp://127.0.0.1/x"):
                assert tab.send(handler, {name: file(where, bare=bare)})["success"] is False
    assert asked == []
    assert not [one for one in (guarded.settings.home / "page").rglob("x.*") if one.is_file()]


def test_no_recording_is_converted_here(bob: httpx.Client) -> None:
    film = {"video": ("a.mp4", b"no film")}
    assert bob.post("/gradio_api/process_recording", files=film).status_code == 404
