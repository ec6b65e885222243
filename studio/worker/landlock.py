"""Landlock: which files a process may still open, enforced by the kernel (Linux 5.13 and later).

See landlock(7). A process gives up rights for itself and all that it starts, for good; no privilege
is needed for that, and none gets them back. Rules can only allow, so hiding one folder means
allowing everything that lies beside the way to it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
#: What there is to give up, by the kernel's version of Landlock; later ones add devices, which are
#: left alone: drivers of accelerators need them.
_ALL = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
#: What can be allowed on a file that is no folder.
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

READ = _READ_FILE | _READ_DIR
EVERYTHING = _ALL[3]


def restrict(allowed: Iterable[tuple[Path, int]]) -> bool:
    """From here on, open only what is `allowed`: paths, with all below them, and rights.

    Names of files stay visible everywhere; their content does not. What is missing is passed over,
    and so are symbolic links, since what they point to has a place of its own. Returns False where
    the kernel knows no Landlock.

    Raises:
        OSError: if the kernel knows it, and refuses.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return False
    handled = _ALL[min(version, 3)]
    attributes = struct.pack("=Q", handled)
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        for path, rights in [(Path("/"), _READ_DIR), *allowed]:
            with suppress(FileNotFoundError, PermissionError):
                _add(libc, ruleset, path, rights & handled)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def beside(hidden: Path) -> Iterator[Path]:
    """Everything that lies beside the way from the root to `hidden`; together, all but it."""
    for place in (*reversed(hidden.parents), hidden)[1:]:
        with suppress(PermissionError):
            yield from (Path(entry) for entry in os.scandir(place.parent) if Path(entry) != place)


def _add(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if path.is_symlink():
            return
        if not path.is_dir():
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
