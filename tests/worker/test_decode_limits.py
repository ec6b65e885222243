"""What the decode child gives up, by trying it; the same for root, as whom containers run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these limits are Linux's")

CONFINED = """
import sys
from studio.worker import decode
decode.confine({"path": "given", "content": "into/content", "max_pixels": 1000, "seconds": SECONDS})
"""


def confined(program: str, folder: Path, *, seconds: int = 1) -> str:
    """What `program` prints after it was confined in `folder`."""
    (folder / "given").touch()
    (folder / "into").mkdir()
    code = CONFINED.replace("SECONDS", str(seconds)) + program
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_process_and_no_thread_is_started(tmp_path: Path) -> None:
    program = """
import os, threading
try:
    os.fork() or os._exit(0)
except BlockingIOError:
    print("no process")
try:
    threading.Thread(target=print).start()
except RuntimeError:
    print("no thread")
"""
    assert confined(program, tmp_path) == "no process\nno thread\n"


def test_no_file_grows_without_end(tmp_path: Path) -> None:
    program = """
import errno
with open("into/content", "wb", buffering=0) as file:
    file.seek(decode._FILE_SIZE - 1)
    file.write(b"x")
    try:
        file.write(b"x")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    assert confined(program, tmp_path) == "EFBIG\n"


def test_nobody_can_be_called(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=5)
except OSError as error:
    print("nobody there")
"""
        assert confined(program, tmp_path) == "nobody there\n"


@pytest.mark.parametrize(("asked", "limit"), [(20, 4), (0, 60)])
def test_processor_time_is_short_for_a_check(tmp_path: Path, asked: int, limit: int) -> None:
    program = "import resource; print(*resource.getrlimit(resource.RLIMIT_CPU))"
    assert confined(program, tmp_path, seconds=asked) == f"{limit} {limit}\n"


def test_it_ends_with_whoever_asked(tmp_path: Path) -> None:
    (tmp_path / "given").touch()
    (tmp_path / "into").mkdir()
    waiting = (
        CONFINED.replace("SECONDS", "1")
        + """
import os, signal
print(os.getpid(), flush=True)
signal.pause()
"""
    )
    # The child says its number; the asker waits for it.
    asker = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {waiting!r}])
"""
    with subprocess.Popen(
        [sys.executable, "-c", asker], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as asking:
        assert asking.stdout is not None
        child = int(asking.stdout.readline())
        asking.kill()
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        # Its number stays until somebody collects it.
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("it outlived the process that had asked")
