"""Copying a model's folder, so that a copy that was interrupted goes on where it was.

The copy grows in a hidden folder beside the models until it is complete. What lies there is
believed of nobody: weights are kept if they have the digest of those they are a copy of.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: What of a folder is part of a model.
_PARTS = (".safetensors", ".json", ".txt", ".model", ".md", ".jinja")
_BLOCK = 8_000_000
#: Seconds after which nobody will go on with a copy.
_STALE = 7 * 86_400.0


def unfinished(name: str, models: Path) -> Path:
    """Where the copy of the model called `name` grows; others of a week ago are deleted."""
    place = models / f".{name}.import.partial"
    for other in models.glob(".*.import.partial"):
        if other != place and time.time() - other.stat().st_mtime > _STALE:
            shutil.rmtree(other)
    return place


def copy(
    source: Path, folder: Path, digests: Mapping[Path, str], progress: Callable[[int], None]
) -> None:
    """Make `folder` a copy of what in `source` is part of a model; `progress` hears bytes done.

    `digests` are those of the source's weights.
    """
    wanted = {
        folder / path.relative_to(source): path
        for path in sorted(source.rglob("*"))
        if path.suffix in _PARTS and path.is_file()
    }
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    done = 0

    def advance(read: int) -> None:
        progress(done + read)

    for place, path in wanted.items():
        size = path.stat().st_size
        there = place.is_file() and place.stat().st_size == size and path in digests
        if not there or digests_of([place], advance)[place] != digests[path]:
            _write(path, place, advance)
        done += size


def digests_of(paths: Sequence[Path], progress: Callable[[int], None]) -> dict[Path, str]:
    """SHA-256 of every file; `progress` hears bytes done."""
    done, digests = 0, {}
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                done += len(block)
                progress(done)
        digests[path] = digest.hexdigest()
    return digests


def together(digests: Sequence[str]) -> str:
    """The digest of a file, or of several files' digests."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _write(source: Path, place: Path, progress: Callable[[int], None]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    with source.open("rb") as there, place.open("wb") as here:
        while block := there.read(_BLOCK):
            here.write(block)
            done += len(block)
            progress(done)
