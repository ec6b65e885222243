"""A family in six methods' worth of trouble: the prompt says what goes wrong."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from studio.draft import Draft
from studio.errors import OutOfMemory
from studio.families import Order, Progress, Spec
from studio.job import Preview


class Trouble:
    def load(self, spec: Spec, device: str, placement: str) -> Model:
        if spec.options.get("die_in_load"):
            os.kill(os.getpid(), 9)
        time.sleep(spec.options.get("load_seconds", 0))
        return Model()


class Model:
    starved = False

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        for number, order in enumerate(batch):
            trouble, _, how = order.request["prompt"].partition(" ")
            match trouble:
                case "steps":
                    # An unhurried model: `how` steps of a tenth of a second.
                    for step in range(int(how)):
                        preview = Preview(1, 1, bytes([step % 256, 0, 0]))
                        progress.step(step, int(how), [preview] * len(batch))
                        time.sleep(0.1)
                case "sleep":
                    time.sleep(1000)
                case "hold":
                    # PyDLL keeps the interpreter's lock: no other thread of this process runs.
                    ctypes.PyDLL(None).sleep(1000)
                case "die":
                    os.kill(os.getpid(), 9)
                case "raise":
                    raise RuntimeError("a secret detail")
                case "grow":
                    Model.hoard = np.ones(int(how) * 1_000_000, dtype=np.uint8)
                case "take":
                    # Megabytes for a moment, every page of them touched.
                    np.ones(int(how) * 1_000_000, dtype=np.uint8)
                case "say":
                    # Past every safeguard, straight into the socket to the host.
                    with socket.socket(fileno=os.dup(int(sys.argv[1]))) as host:
                        host.sendall(how.encode() + b"\n")
                    time.sleep(1000)
                case "starve" if not self.starved:
                    self.starved = True
                    raise OutOfMemory("There is no memory left.")
                case "tell":
                    progress.text(number, json.dumps(confidences()))
            pixels = np.full((2, 2, 3), order.seed % 256, dtype=np.uint8)
            yield Draft("image", order.index, order.seed, {"pixels": pixels})

    def unload(self) -> None:
        pass


def confidences() -> dict[str, object]:
    """What this process knows and can do that it perhaps should not."""
    reached = {}
    for family, address in {
        socket.AF_INET: ("127.0.0.1", 9),
        socket.AF_INET6: ("::1", 9),
    }.items():
        with socket.socket(family) as attempt:
            try:
                attempt.connect(address)
            except OSError as error:
                reached[address[0]] = error.strerror
    try:
        socket.getaddrinfo("localhost", 80)
    except OSError as error:
        reached["names"] = error.strerror
    # Past Python: a connection made by the C library, that no audit hook sees.
    libc = ctypes.CDLL(None, use_errno=True)
    raw = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    port = int(Path("models/port").read_text()) if Path("models/port").exists() else 9
    packed = b"\x02\x00" + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    connected = libc.connect(raw, packed, len(packed)) == 0
    return {
        "environment": dict(os.environ),
        "reached": reached,
        "raw connection": connected,
        "session": os.getsid(0) == os.getpid(),
        "umask": os.umask(0o077),
    }
