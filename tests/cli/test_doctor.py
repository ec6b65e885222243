"""`studio doctor`: what it counts, and what it says to do."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from studio.__main__ import main
from studio.checkup import Finding, examine
from studio.settings import Settings
from tests.cli.conftest import Shell


def found(home: Path, name: str) -> Finding:
    return next(one for one in examine(Settings(home=home)) if one.name == name)


def test_outputs_are_what_was_made_and_nothing_beside_it(shell: Shell) -> None:
    # A command that makes nothing leaves the gallery's index.
    shell.run("recipe", "runs")
    assert (shell.home / "artifacts" / "index.sqlite").exists()
    assert found(shell.home, "outputs").message == "0 files, 0.0 MB"
    shell.run("make", "sheet", *_two(shell.folder))
    assert len(list((shell.home / "artifacts").glob("??/*"))) > 1
    assert found(shell.home, "outputs").message.startswith("1 file, ")


def test_the_hidden_mark_is_put_back_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(home))
    asked = ("attest", "imagine", "--by", "Ann", "--reason", "a chart")
    assert CliRunner().invoke(main, ["keys", *asked]).exit_code == 0
    _, command, _ = found(home, "hidden mark").mend.split("`")
    studio, *arguments = shlex.split(command)
    assert studio == "studio"
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert all(one.name != "hidden mark" for one in examine(Settings(home=home)))


def _two(folder: Path) -> list[str]:
    from PIL import Image

    Image.new("RGB", (64, 64), "red").save(folder / "red.png")
    return ["red.png", "red.png"]
