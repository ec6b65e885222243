"""`studio models get`, against a hub on loopback, as a person runs it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from studio.errors import Refused
from tests.hub.loopback import COMMIT, Loopback, digest, serve

FILES = {
    "model_index.json": b'{"_class_name": "Some"}',
    "unet/config.json": b"{}",
    # More than the ten megabytes that the client writes at a time.
    "unet/diffusion_pytorch_model.safetensors": os.urandom(12_000_000),
    "unet/diffusion_pytorch_model.bin": pickle.dumps("never fetched"),
    "evil.py": b"raise SystemExit",
    "unasked/other.safetensors": b"x",
}
UNET = "unet/diffusion_pytorch_model.safetensors"
CARD = """---
license: other
license_name: some-licence
studio:
  title: Some model
  family: diffusers
  tasks: [text-to-image]
  source: {repo: who/what, files: [model_index.json, "unet/*", "*.py"]}
  memory: {weights: 1, working: 1}
---
Prose.
"""


@pytest.fixture
def hub() -> Iterator[Loopback]:
    with serve(Loopback(dict(FILES))) as running:
        yield running


Studio = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def studio(home: Path, hub: Loopback) -> Studio:
    """Runs `studio models …`: exit status, JSON from stdout, stderr."""
    (home / "model_cards").mkdir(parents=True)
    (home / "model_cards" / "some.md").write_text(CARD)
    base = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "STUDIO_HOME": str(home),
    }
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_TOKEN"):
        base.pop(name, None)

    def run(*arguments: str, **environment: str) -> tuple[int, Any, str]:
        done = subprocess.run(
            [sys.executable, "-m", "studio", "models", *arguments, "--json"],
            env=base | environment,
            capture_output=True,
            text=True,
            timeout=90,
            input=environment.get("INPUT", ""),
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    return run


def installed(home: Path) -> Path:
    return home / "models" / "some"


def test_a_model_is_fetched_checked_and_locked(studio: Studio, hub: Loopback, home: Path) -> None:
    status, before, _ = studio("show", "some")
    assert (status, before["installed"], before["licence"]) == (0, False, "some-licence")
    assert hub.seen == [], "nothing contacts the network unless asked"
    status, summary, said = studio("get", "some", "--yes")
    assert status == 0, said
    assert summary["installed"]
    assert summary["revision"] == COMMIT
    assert "some-licence" in said
    assert "3 files, 0.01 GB" in said
    lock = json.loads((installed(home) / "lock.json").read_text())
    assert lock == {
        "repo": "who/what",
        "revision": COMMIT,
        "sha256": {UNET: digest(FILES[UNET])},
    }
    there = {str(p.relative_to(installed(home))) for p in installed(home).rglob("*") if p.is_file()}
    assert there == {"lock.json", "model_index.json", "unet/config.json", UNET}
    assert {path.name for path in (home / "models").iterdir()} == {"some", ".some.lock"}
    strange = [path for _, path, _ in hub.seen if "/who/what/" not in path]
    assert strange == [], "the hub is asked for the model and told nothing else"
    asked = len(hub.seen)
    assert studio("get", "some", "--yes")[0] == 0
    assert len(hub.seen) == asked, "what is installed is not fetched again"
    assert studio("remove", "some")[1]["installed"] is False
    assert not installed(home).exists()
    assert studio("remove", "some")[0] == 66


def test_no_is_an_answer(studio: Studio, hub: Loopback, home: Path) -> None:
    status, error, said = studio("get", "some", INPUT="n\n")
    assert status == 130
    assert error["error"] == "Cancelled"
    assert "some-licence" in said
    assert hub.downloads() == []
    assert not (home / "models").exists()


def test_a_broken_download_goes_on_where_it_was(studio: Studio, hub: Loopback, home: Path) -> None:
    hub.cut_after, hub.cuts = 11_000_000, 1
    status, error, _ = studio("get", "some", "--yes")
    assert (status, error["error"], error["retry"]) == (69, "Unavailable", True)
    assert not installed(home).exists(), "half a model is never installed"
    hub.status = 200
    before = len(hub.downloads())
    assert studio("get", "some", "--yes")[0] == 0
    ((name, part),) = hub.downloads()[before:]
    assert name == UNET, "the other files are there already"
    assert part is not None
    assert int(part.removeprefix("bytes=").split("-")[0]) >= 10_000_000
    assert (installed(home) / UNET).read_bytes() == FILES[UNET]


def test_a_damaged_file_is_found_and_fetched_anew(
    studio: Studio, hub: Loopback, home: Path
) -> None:
    hub.damaged.add(UNET)
    status, error, _ = studio("get", "some", "--yes")
    assert status == 69
    assert "checksum" in error["message"]
    assert not installed(home).exists()
    hub.damaged.clear()
    before = len(hub.downloads())
    assert studio("get", "some", "--yes")[0] == 0
    assert [name for name, _ in hub.downloads()[before:]] == [UNET]
    assert (installed(home) / UNET).read_bytes() == FILES[UNET]


def test_a_gated_model_says_what_to_accept_and_where_files_go(
    studio: Studio, hub: Loopback, home: Path
) -> None:
    hub.token = "right"
    for token in ({}, {"HF_TOKEN": "wrong"}):
        status, error, said = studio("get", "some", "--yes", **token)
        assert (status, error["error"]) == (77, "Refused")
        assert f"{hub.url}/who/what" in error["hint"]
        assert str(installed(home)) in error["hint"]
        assert "model_index.json, unet/*" in error["hint"]
        assert "wrong" not in said + json.dumps(error)
    assert studio("get", "some", "--yes", HF_TOKEN="right")[0] == 0


@pytest.mark.parametrize("case", ["offline", "unreachable", "out of order"])
def test_without_the_hub_it_says_which_files_go_where(
    studio: Studio, hub: Loopback, home: Path, case: str
) -> None:
    environment = {"HF_HUB_OFFLINE": "1"} if case == "offline" else {}
    if case == "unreachable":
        environment = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    if case == "out of order":
        hub.status = 500
    status, error, _ = studio("get", "some", "--yes", **environment)
    assert (status, error["error"]) == (69, "Unavailable")
    assert str(installed(home)) in error["hint"]
    assert "model_index.json, unet/*" in error["hint"]


def test_files_brought_by_hand_are_checked_and_locked(
    studio: Studio, hub: Loopback, home: Path
) -> None:
    for name in ("model_index.json", UNET):
        path = installed(home) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[name])
    card = home / "model_cards" / "some.md"
    card.write_text(CARD.replace(', "*.py"', ""))
    status, summary, said = studio("get", "some", HF_HUB_OFFLINE="1")
    assert status == 0, said
    assert (summary["installed"], summary["revision"]) == (True, "by-hand")
    lock = json.loads((installed(home) / "lock.json").read_text())
    assert lock["sha256"] == {UNET: digest(FILES[UNET])}
    (installed(home) / "lock.json").unlink()
    (installed(home) / "model_index.json").unlink()
    status, error, _ = studio("get", "some", HF_HUB_OFFLINE="1")
    assert status == 69
    assert "model_index.json is missing" in error["message"]
    assert hub.seen == []


def test_pickles_alone_are_refused(studio: Studio, hub: Loopback) -> None:
    del hub.files[UNET]
    status, error, _ = studio("get", "some", "--yes")
    assert (status, error["error"]) == (77, "Refused")
    assert "safetensors" in error["message"]
    assert hub.downloads() == []


def test_names_that_lead_elsewhere_are_refused(studio: Studio, hub: Loopback, home: Path) -> None:
    hub.files["unet/../../../escaped.json"] = b"{}"
    status, error, _ = studio("get", "some", "--yes")
    assert (status, error["error"]) == (77, "Refused")
    assert hub.downloads() == []


def test_what_is_not_there_is_named(studio: Studio, hub: Loopback, home: Path) -> None:
    card = home / "model_cards" / "some.md"
    card.write_text(CARD.replace("who/what", "who/else"))
    status, error, _ = studio("get", "some", "--yes")
    assert (status, error["error"]) == (66, "NotFound")
    card.write_text(CARD.replace("repo: who/what", "repo: who/what, revision: gone"))
    status, error, _ = studio("get", "some", "--yes")
    assert (status, error["error"]) == (66, "NotFound")
    assert "gone" in error["message"]
    card.write_text(CARD.replace('"*.py"', "vae/gone.safetensors"))
    status, error, _ = studio("get", "some", "--yes")
    assert (status, error["error"]) == (66, "NotFound")
    assert "vae/gone.safetensors" in error["message"]
    assert studio("get", "nobody", "--yes")[0] == 66
    assert studio("get", "starter-pictures", "--yes")[0] == 64


def test_the_list_tells_what_is_installed(studio: Studio, hub: Loopback) -> None:
    status, listed, _ = studio()
    by_name = {one["name"]: one for one in listed}
    assert status == 0
    assert by_name["starter-pictures"]["installed"]
    assert by_name["starter-pictures"]["source"]["kind"] == "embedded"
    assert not by_name["some"]["installed"]
    assert hub.seen == []


def test_every_file_with_a_known_checksum_is_checked(
    home: Path, hub: Loopback, studio: Studio
) -> None:
    folder = home / "models" / f".some.{COMMIT}.partial" / "unet"
    folder.mkdir(parents=True)
    (folder / "config.json.part").write_bytes(b"{}{}")
    status, _, err = studio("get", "some", "--yes")
    assert status == 0, err
    assert (home / "models" / "some" / "unet" / "config.json").read_bytes() == b"{}"


def test_two_at_once_do_not_write_into_each_other(home: Path, studio: Studio) -> None:
    (home / "models").mkdir()
    with FileLock(home / "models" / ".some.lock"):
        status, said, _ = studio("get", "some", "--yes")
    assert status == 69
    assert "already" in said["message"]


def test_a_studio_that_earns_money_fetches_nothing_that_forbids_it(
    studio: Studio, hub: Loopback, home: Path
) -> None:
    (home / "model_cards" / "some.md").write_text(CARD.replace("some-licence", "some-nc-licence"))
    status, error, _ = studio("get", "some", "--yes", STUDIO_COMMERCIAL="1")
    assert (status, error["error"]) == (Refused.exit_code, "Refused")
    assert "some-nc-licence" in error["message"]
    assert hub.seen == []
    status, _, said = studio("get", "some", INPUT="n\n")
    assert "forbids commercial use" in said, "it is said before anything is fetched"
