"""Seccomp: system calls that a process may no longer make, enforced by the kernel (Linux).

See seccomp(2). A limit on processes does not bind root, and containers run as root; this does.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
#: Of the filter's machine: load a word, compare, return.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
#: Where the kernel puts the number of a call, and the kind of machine that it is made for.
_NUMBER, _MACHINE = 0, 4
#: By machine: how the kernel calls it, and its numbers of clone, fork, vfork and clone3.
_BEGINNING = {
    "x86_64": (0xC000003E, (56, 57, 58, 435)),
    "aarch64": (0xC00000B7, (220, 435)),
}
#: From this number on come the x86_64 calls of a second kind, which nothing here needs.
_SECOND_KIND = 0x40000000


def stay_alone() -> None:
    """From here on, start no process and no thread: trying fails with EAGAIN, for root as well.

    Changes nothing on a machine that is none of those known here, or without filters in its kernel.
    """
    if platform.machine() not in _BEGINNING:
        return
    machine, numbers = _BEGINNING[platform.machine()]
    refuse = len(numbers) + 1
    program = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 0, refuse + 2, machine),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, refuse, 0, _SECOND_KIND),
        *((_EQUAL, refuse - 1 - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL | errno.EAGAIN),
    ]
    steps = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    whole = struct.pack("@HP", len(program), ctypes.addressof(steps))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_SECCOMP, _FILTER, whole, 0, 0)
