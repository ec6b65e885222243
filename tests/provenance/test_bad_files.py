"""Whatever a stranger sends: a typed error or an honest answer, within 2 s and 500 MB."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.provenance import Provenance
from tests.provenance.pictures import texture

#: Verifies one file in a process of its own and says what that took, children and all.
PROGRAM = """
import json, resource, sys
from pathlib import Path
from studio.errors import StudioError
from studio.provenance import open_provenance
from studio.settings import Settings

opened = open_provenance(Settings())
own = resource.getrusage(resource.RUSAGE_SELF)
try:
    said = opened.verifier.verify(Path(sys.argv[1])).outcome
except StudioError as error:
    said = type(error).__name__
usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
begun = own.ru_utime + own.ru_stime
seconds = sum(one.ru_utime + one.ru_stime for one in usage) - begun
print(json.dumps([said, seconds, usage[1].ru_maxrss / 1024]))
"""


def bomb(path: Path) -> None:
    """A PNG of 30,000 × 30,000 white pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress(bytes(30_000 * 3751), 9)
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def truncated(path: Path) -> None:
    Image.fromarray(texture(1)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:3000])


def damaged(path: Path) -> None:
    """An AVIF whose head is whole and whose picture is not."""
    Image.fromarray(texture(1)).save(path, "AVIF")
    content = path.read_bytes()
    begin = content.index(b"mdat") + 4
    path.write_bytes(content[:begin].ljust(len(content), b"\xff"))


def locked(path: Path) -> None:
    """The head of a zip archive with a password: local file header, encrypted bit set."""
    head = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 1, 8, 0, 0, 0, 4000, 9000, 5, 0)
    path.write_bytes(head + b"a.png" + os.urandom(4000))


def mislabelled(path: Path) -> None:
    """A picture that is called a sound."""
    Image.fromarray(texture(1)).save(path, "PNG")


def silent(path: Path) -> None:
    soundfile.write(path, np.zeros((8_000 * 20, 2)), 8_000, format="WAV")


def ten_hours(path: Path) -> None:
    with soundfile.SoundFile(path, "w", 8_000, 1, format="FLAC") as file:
        minute = np.zeros(8_000 * 60, np.int16)
        for _ in range(600):
            file.write(minute)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "bomb.png": (bomb, "InvalidRequest"),
    "truncated.jpg": (truncated, "InvalidRequest"),
    "damaged.avif": (damaged, "InvalidRequest"),
    "picture.wav": (mislabelled, "none"),
    "empty.png": (Path.touch, "InvalidRequest"),
    "one.png": (lambda path: Image.new("RGB", (1, 1)).save(path), "none"),
    "silent.wav": (silent, "none"),
    "long.flac": (ten_hours, "none"),
    "encrypted.png": (
        lambda path: path.write_bytes(b"Salted__" + os.urandom(4000)),
        "InvalidRequest",
    ),
    "locked.zip": (locked, "InvalidRequest"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_costs_little_and_gets_an_answer(
    name: str, another: Callable[..., Provenance], tmp_path: Path
) -> None:
    make, expected = FILES[name]
    make(tmp_path / name)
    home = another().sealer.settings.home
    environment = {**os.environ, "STUDIO_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, tmp_path / name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said, seconds, megabytes = json.loads(done.stdout)
    print(f"{name}: {said} after {seconds:.2f} s of processor time and {megabytes:.0f} MB")
    assert said == expected
    assert seconds <= 2
    assert megabytes <= 500
