"""The README's own examples run, as written, in the order in which a reader meets them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio.provenance.verdict import Outcome
from tests.cli.conftest import Shell

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of one language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no {language} block any more; this test proves nothing"
    return found


def test_the_commands_run(shell: Shell) -> None:
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


def test_the_python_runs(shell: Shell) -> None:
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


@pytest.mark.parametrize("outcome", Outcome)
def test_every_verdict_is_explained(outcome: Outcome) -> None:
    assert f"| `{outcome}` |" in README


def test_what_the_readme_points_to_is_there() -> None:
    root = Path(__file__).parents[2]
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (root / link).exists(), link
