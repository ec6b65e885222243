"""The README's own examples run, as written, in the order in which a reader meets them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio.provenance.verdict import Outcome
from tests.cli.conftest import Shell, Up

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    """A text's fenced blocks of one language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no {language} block any more; this test proves nothing"
    return found


def test_the_commands_run(shell: Shell, up: Up) -> None:
    here = Path(sys.executable).parent
    for block in blocks("sh"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=shell.folder,
            env={**shell.environment, "PATH": f"{here}:{shell.environment['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_python_runs(shell: Shell, up: Up) -> None:
    for block in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=shell.folder,
            env=shell.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Signed by") == 2, done.stdout


def test_the_python_of_its_own_page_runs(shell: Shell, up: Up) -> None:
    for block in blocks("python", PYTHON):
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=shell.folder,
            env=shell.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "artifacts/" in done.stdout or "done (" in done.stdout, done.stdout


@pytest.mark.parametrize("outcome", Outcome)
def test_every_verdict_is_explained(outcome: Outcome) -> None:
    assert f"| `{outcome}` |" in README


def test_what_the_readme_points_to_is_there() -> None:
    root = Path(__file__).parents[2]
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (root / link).exists(), link
