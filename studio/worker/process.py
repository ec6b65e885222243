"""The device child as the host sees it: a process group, a socket, a log and a watchdog."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from studio.settings import Settings
from studio.worker.cage import CHANGES, READS
from studio.worker.pipe import (
    MAX_LINE,
    Beat,
    Failed,
    Finished,
    FromChild,
    Ready,
    Run,
    Stop,
    from_child,
    to_line,
)

#: What the child inherits of the host's environment, and nothing else: no token, no provider's key.
_INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
)
#: Seconds a child has for importing its libraries, during which it may well be silent.
_START_SECONDS = 120.0
_LOG_BYTES = 5_000_000
_LOGS_KEPT = 3


@dataclass(frozen=True)
class Gone:
    """The child is no more; `how` says why: 'killed by signal 9', 'it hung: …'."""

    how: str


class ChildProcess:
    """One running device child. It belongs to the event loop that spawned it."""

    def __init__(
        self,
        settings: Settings,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Use `spawn`."""
        self._settings = settings
        self._process = process
        self._writer = writer
        #: What the child said, pulse left out, and at last a `Gone`.
        self.messages: asyncio.Queue[FromChild | Gone] = asyncio.Queue()
        self._busy = False
        self._progress = -1
        self._moved = 0.0
        self._listener = asyncio.create_task(self._listen(reader), name="device child")

    @classmethod
    async def spawn(cls, settings: Settings, device: str) -> ChildProcess:
        """Start a child for the device so called; its first message is `Ready` or `Failed`."""
        # The child may open these and nothing else of the home, so they must be there before it.
        for name in (*READS, *CHANGES):
            (settings.home / name).mkdir(mode=0o700, exist_ok=True)
        ours, theirs = socket.socketpair()
        with theirs, open_log(settings.home / "logs" / "worker.log") as log:
            arguments = [theirs.fileno(), os.getpid(), device, settings.hang_seconds / 6]
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "studio.worker.child",
                *map(str, arguments),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(settings),
                cwd=settings.home,
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
        return cls(settings, process, reader, writer)

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet, as far as is known."""
        return not self._listener.done()

    def send(self, message: Run | Stop) -> None:
        """Say something to the child; if it is gone, the next message says so."""
        if isinstance(message, Run):
            self._busy = True
            self._moved = asyncio.get_running_loop().time()
        self._writer.write(to_line(message))

    def kill(self) -> None:
        """End the whole process group, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Let the child end by itself; kill it if it does not within a second."""
        self._writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._process.wait()
        self.kill()
        await self._listener

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            how = await self._relay(reader)
        except ConnectionError:
            # Its end of the pipe is gone with something unread in it; the status says how it ended.
            how = ""
        except (ValueError, OSError) as error:
            how = f"it spoke nonsense: {str(error)[:200]}"
        self.kill()
        status = await self._process.wait()
        self._writer.close()
        if not how:
            how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        self.messages.put_nowait(Gone(how))

    async def _relay(self, reader: asyncio.StreamReader) -> str:
        """Pass messages on until the child falls silent; why, unless it simply ended."""
        silence, silences = _START_SECONDS, 0
        while True:
            try:
                async with asyncio.timeout(silence / 2):
                    line = await reader.readline()
            except TimeoutError:
                # Twice half the time: after this machine slept, or this loop was blocked, the
                # first silence ends although the child has long been heard.
                silences += 1
                if silences == 2:
                    return f"it hung: no sign of life for {silence:g} s"
                continue
            silences = 0
            if not line:
                return ""
            message = from_child(line)
            if isinstance(message, Beat):
                if self._stalled(message.progress):
                    return f"it hung: no progress for {self._settings.stall_seconds:g} s"
                continue
            if isinstance(message, Ready):
                silence = self._settings.hang_seconds
            if isinstance(message, Finished | Failed):
                self._busy = False
            self.messages.put_nowait(message)

    def _stalled(self, progress: int) -> bool:
        """Whether a batch has stood still for too long although the child is alive."""
        now = asyncio.get_running_loop().time()
        if progress != self._progress:
            self._progress, self._moved = progress, now
        return self._busy and now - self._moved > self._settings.stall_seconds


def open_log(path: Path) -> BinaryIO:
    """The log at `path`, to append to; a large one is set aside first, and a few of those kept."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        for number in range(_LOGS_KEPT - 1, 0, -1):
            older = path.with_suffix(f".log.{number}")
            if older.exists():
                older.rename(path.with_suffix(f".log.{number + 1}"))
        path.rename(path.with_suffix(".log.1"))
    return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def environment(settings: Settings) -> dict[str, str]:
    """What a process that holds torch may know of the host's environment."""
    cache = str(settings.home / "cache")
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {
        # Caches, and the place where hub libraries would look for a token.
        "HOME": cache,
        "TMPDIR": cache,
        "HF_HOME": cache,
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # Their warnings quote prompts, which have no place in a log.
        "DIFFUSERS_VERBOSITY": "error",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONFAULTHANDLER": "1",
        # Where other programs share the processor, threads that spin while they wait keep the ones
        # they wait for from running: measured, a hundred times slower.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if settings.audiocraft_python is not None:
        environment["STUDIO_AUDIOCRAFT_PYTHON"] = str(settings.audiocraft_python)
    if settings.threads:
        environment |= {
            name: str(settings.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        }
    return environment
