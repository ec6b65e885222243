"""`studio story`: a film of scenes, killed again and again, with nothing made twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from tests.cli.conftest import Shell

STORY = """
title: The red boat
music: calm piano
width: 256
height: 256
seconds: 1
scenes:
  - {show: a red circle on a white background, say: There was a red boat.}
  - {show: a white square on a green background, say: It went far., seconds: 2}
  - {show: a yellow star on a black background}
"""
PIECES = ("film", "music", "picture_1", "picture_2", "picture_3", "voice_1", "voice_2")


def artifacts(shell: Shell) -> list[Path]:
    """The notes of what is published: a note whose media a kill kept away is seen by nobody."""
    notes = (shell.home / "artifacts").glob("??/*.note.json")
    return [
        note
        for note in notes
        if any(one != note for one in note.parent.glob(f"{note.name.partition('.')[0]}.*"))
    ]


def results(folder: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    return {line["step"]: line for line in lines}


@pytest.fixture(scope="module")
def told(shell: Shell) -> Path:
    """The folder of a story whose command was killed five times on the way."""
    (shell.folder / "boat.yaml").write_text(STORY)
    command = [sys.executable, "-m", "studio", "story", "boat.yaml"]
    for _ in range(5):
        known = len(artifacts(shell))
        process = subprocess.Popen(
            command, cwd=shell.folder, env=shell.environment, stdout=subprocess.DEVNULL
        )
        give_up = time.monotonic() + 60
        while len(artifacts(shell)) == known and process.poll() is None:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    # A step that four of the kills have struck is given up until somebody asks for it again.
    shell.run("story", "boat.yaml", status=None)
    shell.run("story", "boat.yaml", "--retry-failed")
    return shell.folder / "boat"


@pytest.mark.fault
def test_a_story_killed_five_times_makes_no_piece_twice(shell: Shell, told: Path) -> None:
    lines = results(told)
    assert sorted(lines) == sorted(PIECES)
    assert len(artifacts(shell)) == len(PIECES)
    shell.run("verify", *(str(told / line["file"]) for line in lines.values()))


def test_the_film_has_its_scenes_sound_subtitles_and_pieces(shell: Shell, told: Path) -> None:
    film = results(told)["film"]
    with av.open(str(told / film["file"])) as container:
        kinds = {stream.type for stream in container.streams}
        assert container.duration is not None
        seconds = container.duration / av.time_base
    assert kinds == {"video", "audio"}
    assert 3 < seconds < 9
    note = json.loads(
        next((shell.home / "artifacts").glob(f"??/{film['artifact']}.note.json")).read_text()
    )["note"]
    assert len(note["parents"]) == 6
    assert [cue["text"] for cue in note["about"]["cues"]] == [
        "There was a red boat.", "It went far.",
    ]  # fmt: skip
    told_again = shell.run("subtitles", film["artifact"]).out
    assert "There was a red boat." in told_again


def test_a_changed_scene_alone_is_made_again(shell: Shell, told: Path) -> None:
    before, count = results(told), len(artifacts(shell))
    changed = STORY.replace("a yellow star", "a blue star")
    (shell.folder / "boat.yaml").write_text(changed)
    shell.run("story", "boat.yaml")
    after = results(told)
    made = {name for name in PIECES if before[name]["artifact"] != after[name]["artifact"]}
    assert made == {"picture_3", "film"}
    assert len(artifacts(shell)) == count + 2
    shell.run("verify", str(told / after["film"]["file"]))


def test_what_cannot_be_told_is_said(shell: Shell) -> None:
    (shell.folder / "bad.yaml").write_text("scenes: [{say: nothing to see}]")
    assert "show" in shell.run("story", "bad.yaml", status=64).err
    assert "cannot be read" in shell.run("story", "nowhere.yaml", status=64).err
