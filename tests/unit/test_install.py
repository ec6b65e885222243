"""`scripts/install`: what one call installed, the next ones know; and hints name what it takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: A Python that has torch, makes environments of itself, and writes down what it was asked for.
_PYTHON = """#!/bin/bash
case "$*" in
  *torch.__version__*) echo 2.9.0 ;;
  "-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
esac
echo "${0##*/} $*" >> asked.txt
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout of which only the installer is real, and a PATH with two Pythons."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "install", tmp_path / "scripts")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").write_text("torch==2.9.0\n")
    (tmp_path / "path").mkdir()
    for name in ("python3.11", "python3.13"):
        place = tmp_path / "path" / name
        place.write_text(_PYTHON)
        place.chmod(0o755)
    return tmp_path


def install(clone: Path, *extras: str) -> list[str]:
    """What the Pythons were asked for by one call."""
    asked = clone / "asked.txt"
    asked.write_text("")
    environment = {**os.environ, "PATH": f"{clone / 'path'}:{os.environ['PATH']}", "PYTHON": ""}
    subprocess.run([clone / "scripts" / "install", *extras], env=environment, check=True)
    return asked.read_text().splitlines()


def test_an_extra_is_installed_once_whatever_comes_between(clone: Path) -> None:
    assert install(clone, "speech")[-1].endswith("--editable .[speech]")
    assert install(clone, "test", "discord")[-1].endswith("--editable .[discord,test]")
    for extras in (["speech"], ["discord"], ["speech", "test"], []):
        assert install(clone, *extras) == []


def test_the_python_that_the_versions_were_tested_on_comes_first(clone: Path) -> None:
    (made,) = (asked for asked in install(clone) if "-m venv" in asked)
    assert made.startswith("python3.11 ")


def test_hints_name_extras_that_there_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    places = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "model_cards").glob("*")]
    places += [path for room in ("studio", "bots", "ui") for path in (ROOT / room).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in places)
    named = set(re.findall(r"scripts/install (\w+)", text))
    assert {"discord", "hosted"} <= named <= project["optional-dependencies"].keys()
    # It is in no registry: a checkout is what there is.
    assert "colophon[" not in text
