"""What holds for every test: no network beyond this machine, a home of its own, one thread."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

# Before any library reads them.
os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    GRADIO_ANALYTICS_ENABLED="False",
    OMP_NUM_THREADS="1",
    STUDIO_THREADS="1",
)

import pytest
from hypothesis import HealthCheck, settings

# Timings belong in benchmarks: a slow machine is no reason to fail.
settings.register_profile(
    "studio", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100
)
settings.load_profile("studio")

_connect = socket.socket.connect


def _local_connect(self: socket.socket, address: object) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = str(address[0]) if isinstance(address, tuple) else ""
        if host not in ("localhost", "::1") and not host.startswith("127."):
            raise AssertionError(f"a test tried to reach {address!r}")
    _connect(self, address)  # type: ignore[arg-type]


socket.socket.connect = _local_connect  # type: ignore[method-assign,assignment]

# Started in the background, a shell's commands ignore Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Share the tests out file by file, and all that need a browser to the same core.

    Two browsers at once on two cores wait longer for each other than one after the other.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "browser" if file.startswith("tests/browser/") else file

    return Together(config, log)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private, empty STUDIO_HOME for every test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(folder))
    return folder
