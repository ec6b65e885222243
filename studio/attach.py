"""How a second command finds the host that already runs: `home/run/host.json`.

The file names the host's process from the moment the home is locked, and its address and private
token from the moment it listens. Whoever can read it may act for every owner, so only the home's
user can. A file whose process is gone is stale, and counts for nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Running:
    """A host that runs on this machine."""

    pid: int
    #: When that process began, in seconds since the epoch: a process id is used again, in time.
    began: float
    #: Where it listens: `http://127.0.0.1:7860`; None while it does not.
    url: str | None = None
    #: The private token that goes with the address.
    token: str | None = None


def announce(home: Path, url: str | None = None, token: str | None = None) -> None:
    """Say that this process is the host of `home`, and where it listens."""
    running = Running(os.getpid(), psutil.Process().create_time(), url, token)
    place = _place(home)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = place.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(running), file)
    fresh.rename(place)


def withdraw(home: Path) -> None:
    """Say that there is no host any more."""
    _place(home).unlink(missing_ok=True)


def find(home: Path) -> Running | None:
    """The host that runs for `home`, if there is one."""
    try:
        running = Running(**json.loads(_place(home).read_text(encoding="utf-8")))
        # Clocks are read to the hundredth of a second on some systems.
        alive = abs(psutil.Process(running.pid).create_time() - running.began) < 1
    except (OSError, ValueError, TypeError, psutil.Error):
        return None
    return running if alive else None


def _place(home: Path) -> Path:
    return home / "run" / "host.json"
