"""`studio make` and `studio verify`, from a prompt to a checked file."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Shell


@pytest.fixture(scope="module")
def made(shell: Shell) -> list[dict[str, Any]]:
    """Two yellow stars."""
    records: list[dict[str, Any]] = shell.run(
        "make", "text-to-image", "a yellow star", "--seed", "7", "--count", "2",
        "--out", "pics", "--json",
    ).json  # fmt: skip
    return records


def test_make_prints_what_the_readme_promises(shell: Shell, made: list[dict[str, Any]]) -> None:
    assert [record["seed"] for record in made] == [7, 8]
    for record in made:
        assert set(record) == {"id", "path", "media_type", "seed", "card", "job"}
        assert record["media_type"] == "image/png"
        assert record["card"] == "starter-pictures"
        with Image.open(shell.folder / record["path"]) as picture:
            assert picture.size == (512, 512)
            pixels = np.asarray(picture.convert("RGB"))
        assert pixels.std() > 10, "the picture is blank"
    assert made[0]["job"] == made[1]["job"]


def test_what_was_made_verifies_as_signed(shell: Shell, made: list[dict[str, Any]]) -> None:
    verdicts = shell.run("verify", *[record["path"] for record in made], "--json").json
    assert [verdict["verdict"] for verdict in verdicts] == ["signed", "signed"]
    assert {layer["name"] for layer in verdicts[0]["layers"]} == {
        "manifest", "mark", "fingerprint", "ledger",
    }  # fmt: skip


def test_a_stripped_copy_is_still_ours(shell: Shell, made: list[dict[str, Any]]) -> None:
    stripped = shell.folder / "stripped.jpg"
    with Image.open(shell.folder / made[0]["path"]) as picture:
        picture.convert("RGB").save(stripped, quality=50)
    [verdict] = shell.run("verify", str(stripped), "--json").json
    assert verdict["verdict"] == "marked"


def test_a_tampered_copy_is_contradicted(shell: Shell, made: list[dict[str, Any]]) -> None:
    data = bytearray((shell.folder / made[0]["path"]).read_bytes())
    data[-2000] ^= 1
    tampered = shell.folder / "tampered.png"
    tampered.write_bytes(data)
    [verdict] = shell.run("verify", str(tampered), "--json", status=4).json
    assert verdict["verdict"] == "contradicted"


def test_a_stranger_has_no_evidence(shell: Shell) -> None:
    stranger = shell.folder / "stranger.png"
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stranger)
    [verdict] = shell.run("verify", str(stranger), "--json", status=3).json
    assert verdict["verdict"] == "none"
    for word in ("human", "authentic", "genuine"):
        assert word not in verdict["sentence"].lower()


@pytest.mark.parametrize("content", [b"", b"\x89PNG, and then nothing", None])
def test_an_unusable_file_is_said_to_be_so(
    shell: Shell, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "file.png"
    if content is not None:
        file.write_bytes(content)
    ran = shell.run("verify", str(file), status=2)
    assert "file.png" in ran.err
    assert "Traceback" not in ran.err


def test_the_same_seed_makes_the_same_draft_under_another_mark(shell: Shell) -> None:
    # Alone both times: in a batch the last bit of a pixel may differ.
    order = ("make", "imagine", "a yellow star", "--seed", "7", "--json")
    [one], [again] = shell.run(*order).json, shell.run(*order).json
    assert again["id"] != one["id"]
    first, second = (
        next(
            layer["details"]
            for layer in shell.run("verify", path, "--json").json[0]["layers"]
            if layer["name"] == "ledger"
        )
        for path in (one["path"], again["path"])
    )
    assert first["draft_sha256"] == second["draft_sha256"]


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["text-to-image", ""], 64, "prompt"),
        (["text-to-image", "x" * 10_000], 64, "prompt"),
        (["text-to-image", "a\u202eb"], 64, "prompt"),
        (["text-to-image", "a", "--guidance", "nan"], 64, "guidance"),
        (["text-to-image", "a", "--width", "513"], 64, "width"),
        (["text-to-image", "a", "--steps", "many"], 64, "steps"),
        (["text-to-image", "a", "--count", "1000000000"], 64, "count"),
        (["text-to-image", "a", "--model", "no-such"], 66, "no-such"),
        (["text-to-image", "a", "--model", "stable-diffusion-1.5"], 69, "models get"),
        (["paint", "a"], 64, "paint"),
    ],
)
def test_a_wrong_order_ends_with_its_own_status(
    shell: Shell, arguments: list[str], status: int, word: str
) -> None:
    ran = shell.run("make", *arguments, "--json", status=status)
    assert word in ran.err
    assert ran.json["error"]
    assert "Traceback" not in ran.err


def test_an_output_folder_that_cannot_be_made_is_said_before_any_work(shell: Shell) -> None:
    (shell.folder / "taken").write_text("")
    ran = shell.run("make", "imagine", "a star", "--out", "taken/pics", status=69)
    assert "taken" in ran.err


def test_the_ledger_holds_and_tampering_shows(
    shell: Shell, made: list[dict[str, Any]], tmp_path: Path
) -> None:
    record = shell.run("audit", "verify", "--json").json
    assert record["rows"] >= len(made)
    copy = Shell(tmp_path / "home", tmp_path)
    shutil.copytree(shell.home, copy.home)
    with closing(sqlite3.connect(copy.home / "ledger.sqlite")) as ledger, ledger:
        for trigger in ("entries_stay", "entries_remain"):
            ledger.execute(f"DROP TRIGGER {trigger}")
        ledger.execute("UPDATE entries SET body = replace(body, 'starter', 'another')")
    assert "row 1" in copy.run("audit", "verify", status=69).err
