"""The `studio` command as a person runs it: real processes, a home of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from studio.__main__ import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which must be one JSON value."""
        return json.loads(self.out)


class Shell:
    """Runs `studio` with one home."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.environment = {**os.environ, "STUDIO_HOME": str(home)}

    def run(self, *arguments: str, status: int | None = 0) -> Ran:
        """Run `studio` to its end, and check how it ended unless `status` is None."""
        done = subprocess.run(
            [sys.executable, "-m", "studio", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if status is not None:
            assert done.returncode == status, done.stdout + done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def here(self, *arguments: str) -> Ran:
        """Run `studio` in this process, where only what it does matters and not how it starts."""
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(main, arguments, env=self.environment)
        return Ran(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A home that the tests of one module share, and a folder to work in."""
    folder = tmp_path_factory.mktemp("cli")
    return Shell(folder / "home", folder)


@dataclass(frozen=True)
class Up:
    """A running studio."""

    process: subprocess.Popen[str]
    url: str


@pytest.fixture(scope="module")
def up(shell: Shell) -> Iterator[Up]:
    """`studio up` on a free port, in the module's home."""
    process = subprocess.Popen(
        [sys.executable, "-m", "studio", "up", "--port", "0"],
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    assert found is not None
    yield Up(process, found[0])
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    process.stdout.close()
