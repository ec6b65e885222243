"""What the device child can still reach, asked of a real confined process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from studio.worker.cage import confine

home = Path.cwd()
confine(os.getppid(), home)

def may(what):
    try:
        what()
    except OSError:
        return "no"
    return "yes"

for name in ("keys/root.key", "host.json", "artifacts/a.png", "models/a/weights", "spool/b"):
    print("read", name, may((home / name).read_bytes))
for name in ("keys/new", "models/a/weights", "spool/c", "cache/d", "ledger.sqlite"):
    print("write", name, may(lambda: (home / name).write_bytes(b"x")))
print("link", may(lambda: os.link(home / "keys/root.key", home / "spool/stolen")))
import torch, tempfile
tempfile.NamedTemporaryFile(dir=home / "cache").close()
print("torch", int(torch.ones(2).sum()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_of_the_home_the_child_sees_its_work_and_nothing_else(tmp_path: Path) -> None:
    for name in ("keys/root.key", "host.json", "artifacts/a.png", "models/a/weights", "spool/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "cache").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "read keys/root.key no",
        "read host.json no",
        "read artifacts/a.png no",
        "read models/a/weights yes",
        "read spool/b yes",
        "write keys/new no",
        "write models/a/weights no",
        "write spool/c yes",
        "write cache/d yes",
        "write ledger.sqlite no",
        "link no",
        "torch 2",
    ]
