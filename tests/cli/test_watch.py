"""`studio watch`: a file that is dropped comes out made, once."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Shell

RECIPE = """
name: framed
inputs:
  picture: {type: image}
  words: {default: Hello}
steps:
  lettered: {task: image-lettering, with: {image: "{picture}", text: "{words}"}}
"""


@pytest.fixture(scope="module")
def drop(shell: Shell) -> Path:
    folder = shell.folder / "drop"
    folder.mkdir()
    (shell.folder / "framed.yaml").write_text(RECIPE)
    for name, colour in (("red.png", "red"), ("navy.png", "navy")):
        Image.new("RGB", (256, 256), colour).save(folder / name)
    (folder / "notes.png").write_text("no picture at all")
    (folder / ".hidden.png").write_bytes(b"half")
    (folder / "elsewhere.png").symlink_to("/etc/hostname")
    (folder / "empty.png").touch()
    return folder


def outputs(shell: Shell) -> int:
    return len(list((shell.home / "artifacts").glob("??/*.note.json")))


def test_what_lies_there_is_made_once(shell: Shell, drop: Path) -> None:
    first = shell.run("watch", "drop", "--recipe", "framed.yaml", "--once")
    assert "red.png: made" in first.out
    assert "notes.png: " in first.out
    assert sorted(path.name for path in (drop / "made").iterdir()) == ["navy.png", "red.png"]
    (made,) = (drop / "made" / "red.png").glob("*.png")
    shell.run("verify", str(made))
    assert outputs(shell) == 2
    # Again, and under another name: nothing new is made.
    shutil.copy(drop / "red.png", drop / "copy.png")
    again = shell.run("watch", "drop", "--recipe", "framed.yaml", "--once")
    assert "red.png: made" not in again.out
    assert (drop / "made" / "copy.png" / "results.jsonl").exists()
    assert outputs(shell) == 2
    # Asked for something else, it is.
    shell.run("watch", "drop", "--recipe", "framed.yaml", "--set", "words=Bye", "--out", "other",
              "--once")  # fmt: skip
    assert outputs(shell) == 4


def test_a_file_is_taken_when_it_is_whole(shell: Shell) -> None:
    folder = shell.folder / "slow"
    folder.mkdir()
    whole = shell.folder / "whole.png"
    Image.effect_noise((256, 256), 40).convert("RGB").save(whole)
    content = whole.read_bytes()
    command = [sys.executable, "-m", "studio", "watch", "slow", "--recipe", "framed.yaml"]
    process = subprocess.Popen(
        [*command, "--every", "0.5"], cwd=shell.folder, env=shell.environment,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with (folder / "late.png").open("wb", buffering=0) as file:
            for begin in range(0, len(content), len(content) // 8):
                file.write(content[begin : begin + len(content) // 8])
                time.sleep(0.3)
        lines = folder / "made" / "late.png" / "results.jsonl"
        give_up = time.monotonic() + 60
        while not lines.exists() and time.monotonic() < give_up:
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert [json.loads(line)["state"] for line in lines.read_text().splitlines()] == ["done"]
    assert said.count("late.png") == 2, said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--recipe", "framed.yaml"), "is no folder"),
        (("drop", "--recipe", "style-board"), "0 inputs that take a file"),
        (("drop", "--recipe", "framed.yaml", "--input", "words"), "no input 'words'"),
    ],
)
def test_what_cannot_be_watched_is_said(
    shell: Shell, drop: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in shell.run("watch", *arguments, status=64).err
