"""`studio chat` as a person runs it, and the starter model behind it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.starter


def chat(folder: Path, typed: str, *options: str) -> tuple[str, str]:
    """What `studio chat` printed when `typed` was piped into it, and what it said beside that."""
    done = subprocess.run(
        [sys.executable, "-m", "studio", "chat", *options],
        cwd=folder,
        env={**os.environ, "STUDIO_HOME": str(folder / "home")},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, done.stderr


def test_a_conversation_in_the_terminal_is_kept_and_taken_up_again(tmp_path: Path) -> None:
    typed = "a story about a red boat\n/regenerate\n/export lamps.json\n/nonsense\n/quit\n"
    out, beside = chat(tmp_path, typed, "--model", "starter-words")
    kept = json.loads((tmp_path / "lamps.json").read_text())
    first, second = (reply["text"] for reply in kept["turns"][0]["replies"])
    assert first.strip()
    assert out.strip() == f"{first}\n{second}".strip()
    assert "There is no command /nonsense" in beside
    found = re.search(r"--resume ([0-9a-f]{32})", beside)
    assert found is not None
    out, beside = chat(tmp_path, "/export lamps.json\n/export lamps.md\n", "--resume", found[1])
    assert out == f"> a story about a red boat\n{second}\n\n"
    assert "lamps.json cannot be written" in beside
    assert second in (tmp_path / "lamps.md").read_text()
