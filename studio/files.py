"""Writing files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(target: Path, content: bytes) -> Iterator[Callable[[], None]]:
    """A function that puts `content`, already safe on the disk, in `target`'s place in one go."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield lambda: os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def companion_of(path: Path) -> Path | None:
    """The manifest that lies beside a file: `<name>.c2pa`, with the file's extension or without."""
    for companion in (path.with_name(f"{path.name}.c2pa"), path.with_suffix(".c2pa")):
        if companion.is_file() and companion != path:
            return companion
    return None


def sync_folder(folder: Path) -> None:
    """See that what was renamed in `folder` stays so, whatever happens to the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
