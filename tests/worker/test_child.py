"""What the device child asks a family before it loads anything."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.families import Spec
from studio.memory import Need
from studio.worker.child import Child
from studio.worker.device import Device
from studio.worker.pipe import Run


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (SimpleNamespace(offloads=True), True),
        (SimpleNamespace(offloads=False), False),
        (SimpleNamespace(), False),
    ],
)
def test_a_family_says_itself_whether_it_moves_a_models_parts(family: Any, expected: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = Child(ours, 1.0)
        child._families["own"] = family
        need = Need("a", (), (), offloads=False)
        asked = Run(1, "own", Spec("a", Path("a"), "float32", None, {}), "1", need, (), Path("b"))
        assert child._need(asked, Device("cpu", "cpu")).offloads is expected
