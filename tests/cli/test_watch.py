"""`studio watch`: a file that is dropped comes out made, once."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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


def test_other_content_and_other_settings_take_the_place_of_what_was_made(
    shell: Shell, drop: Path
) -> None:
    folder = shell.folder / "swapped"
    folder.mkdir()

    def made(*arguments: str) -> tuple[dict[str, Any], tuple[int, ...]]:
        shell.run("watch", "swapped", "--recipe", "framed.yaml", "--once", *arguments)
        place = folder / "made" / "photo.png"
        (line,) = map(json.loads, (place / "results.jsonl").read_text().splitlines())
        with Image.open(place / line["file"]) as picture:
            corner = picture.convert("RGB").getpixel((2, 2))
        assert isinstance(corner, tuple)
        return line, corner

    Image.new("RGB", (256, 256), "red").save(folder / "photo.png")
    (red, corner) = made("--set", "words=One")
    assert corner[0] > corner[2]
    Image.new("RGB", (256, 256), "blue").save(folder / "photo.png")
    (blue, corner) = made("--set", "words=One")
    assert corner[0] < corner[2]
    assert blue["artifact"] != red["artifact"]
    (other, _) = made("--set", "words=Two")
    assert other["artifact"] not in (blue["artifact"], red["artifact"])
    # A command that was killed when it had just taken the folder over.
    run = (folder / "made" / "photo.png" / ".colophon-run").read_text()
    (back, _) = made("--set", "words=One")
    assert back["artifact"] == blue["artifact"]
    (folder / "made" / "photo.png" / ".colophon-run").write_text(run)
    (folder / "made" / "photo.png" / "results.jsonl").unlink()
    assert made("--set", "words=Two")[0]["artifact"] == other["artifact"]


def test_a_failure_ends_as_a_batch_does(shell: Shell, drop: Path) -> None:
    folder = shell.folder / "failing"
    folder.mkdir()
    Image.new("RGB", (256, 256), "red").save(folder / "red.png")
    order = ("watch", "failing", "--recipe", "framed.yaml", "--set", "words=無", "--once")
    # The second time nothing is tried again, and it has failed all the same.
    for _ in range(2):
        assert "red.png: failed, see" in shell.run(*order, status=6).out


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
