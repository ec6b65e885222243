"""What the device child gives up before it loads anything: network, keys, privileges, orphanhood.

The child runs code that reads strangers' weights. From here on it has no network: a network
namespace of its own where the kernel allows one, and everywhere a refusal inside Python. Of the
home it sees the weights and what it was given to work on, where the kernel knows Landlock: not the
keys, not the private token, nobody's pictures.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from studio.worker.landlock import EVERYTHING, READ, beside, restrict

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


#: Of the home, what the child reads, and what it may change.
READS, CHANGES = ("models", "inputs"), ("spool", "cache")


def confine(parent: int, home: Path) -> Literal["namespace", "refusal"]:
    """Give up what generating does not need; say what keeps this process off the network.

    Must run before any thread is started: a new user namespace is for single-threaded processes.
    `parent` is the process whose death must be this one's too.
    """
    os.umask(0o077)
    # A core dump would hold prompts and pictures.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    isolated = sys.platform == "linux" and _leave_network()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # After the namespaces: entering one clears the wish to die with the parent.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        with suppress(OSError):
            # When main memory runs out, the kernel should end this process and not the host.
            Path("/proc/self/oom_score_adj").write_text("500")
    with suppress(OSError):
        restrict(_needed(home.resolve()))
    sys.addaudithook(_refuse_network)
    return "namespace" if isolated else "refusal"


def _needed(home: Path) -> Iterator[tuple[Path, int]]:
    """What the child may open: all but the home, and of that what it works with."""
    yield from ((path, EVERYTHING) for path in beside(home))
    yield from ((home / name, READ) for name in READS)
    yield from ((home / name, EVERYTHING) for name in CHANGES)
    # An installation may lie below its own home.
    code = (sys.prefix, sys.base_prefix, Path(__file__).parents[2])
    yield from ((Path(place), EVERYTHING) for place in code if Path(place).is_relative_to(home))


def _leave_network() -> bool:
    libc = ctypes.CDLL(None)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return True
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    return True


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: no connection, name look-up or listener except on Unix sockets."""
    if event == "socket.getaddrinfo" or (
        event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
        and arguments[0].family != socket.AF_UNIX
    ):
        raise OSError(errno.ENETUNREACH, "the device child has no network")
