"""The asking side of the decode child: one process per file, a time limit, typed errors."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.draft import Array, Draft
from studio.errors import InvalidRequest, StudioError
from studio.files import companion_of
from studio.provenance.manifest import Report
from studio.settings import Settings
from studio.tasks.request import Kind

#: Seconds after which a child is killed: that checks a file, and that reads all of it. It limits
#: its own processor time more tightly.
_PATIENCE, _PATIENCE_FOR_ALL = 10.0, 120.0
#: Bytes of an answer: a text and its manifest at most.
_ANSWER = 16_000_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """What a decode child found in a file."""

    kind: Kind
    #: From the content, whatever the file is called.
    media_type: str
    #: Size of the picture or film in the file; 0 for anything else.
    width: int
    height: int
    #: Of a sound or a film; of a sound as far as it was read.
    seconds: float
    manifest: Report
    #: Its arrays are mapped from a file that is gone when the context ends. None if it is damaged,
    #: which only a file with a manifest may be.
    content: Draft | None
    #: What is wrong with the content, if anything is.
    damage: str

    @property
    def pixels(self) -> NDArray[np.uint8] | None:
        """Of a picture: uint8 (height, width, 3 or 4)."""
        return self.content.arrays["pixels"] if self.content else None


@contextlib.contextmanager
def decoding(
    path: Path,
    settings: Settings,
    *,
    kinds: Sequence[Kind] = ("image",),
    anchors: str = "",
    short_side: int = 0,
    seconds: int = 0,
) -> Iterator[Decoded]:
    """What is in `path`, opened in a process of its own.

    `anchors` are the PEM roots that manifests are judged by; a manifest may also lie beside the
    file, in `<name>.c2pa`, with the file's extension or without. With `short_side`, pictures whose
    short side is at least twice that are reduced by a whole factor; with `seconds`, sounds are read
    no further. Without `video` among the `kinds`, a film is its sound alone.

    Raises:
        NotFound: if there is no such file.
        InvalidRequest: if it is not of these `kinds`, damaged without a manifest, too large, or
            takes too much to open.
    """
    _check_size(path, settings.max_upload_bytes)
    with tempfile.TemporaryDirectory(prefix="colophon-decode-") as folder:
        content = Path(folder) / "content"
        # A copy, since the child sees no other file than the one it was given.
        companion = _beside(path, Path(folder) / "companion", settings.max_upload_bytes)
        order = {
            "path": str(path.absolute()),
            "content": str(content),
            "kinds": list(kinds),
            "companion": str(companion) if companion else "",
            "anchors": anchors,
            "max_pixels": settings.max_pixels,
            "short_side": short_side,
            "seconds": seconds,
        }
        answer = _ask(order, Path(folder), _PATIENCE if seconds else _PATIENCE_FOR_ALL)
        if "error" in answer:
            raise StudioError.from_record(answer["error"])
        found = answer["ok"]
        facts = found["facts"]
        yield Decoded(
            kind=found["kind"],
            media_type=found["media_type"],
            width=facts.get("width", 0),
            height=facts.get("height", 0),
            seconds=facts.get("seconds", 0.0),
            manifest=Report.from_record(found["manifest"]),
            # The path is the host's own, whatever the child says.
            content=None if found["damage"] else _content(found["kind"], content, facts),
            damage=found["damage"],
        )


def _beside(path: Path, place: Path, limit: int) -> Path | None:
    """A copy, at `place`, of the manifest that lies beside the file at `path`, if one does."""
    companion = companion_of(path)
    if companion is None:
        return None
    _check_size(companion, limit)
    return Path(shutil.copyfile(companion, place))


def _content(kind: Kind, place: Path, facts: dict[str, Any]) -> Draft:
    match kind:
        case "image":
            pixels = np.load(place, mmap_mode="r", allow_pickle=False)
            return Draft(kind, 0, 0, {"pixels": pixels}, facts)
        case "audio":
            return Draft(kind, 0, 0, {"samples": _samples(place, facts)}, facts)
        case "video":
            frames = np.memmap(place, np.uint8, "r").reshape(-1, *facts["shape"])
            arrays: dict[str, Array] = {"frames": frames}
            sound = place.with_name(f"{place.name}.samples")
            if sound.exists() and sound.stat().st_size:
                arrays["samples"] = _samples(sound, facts)
            return Draft(kind, 0, 0, arrays, facts)
        case "mesh":
            corners = np.memmap(place, np.float32, "r").reshape(-1, 3)
            faces = np.memmap(place.with_name(f"{place.name}.faces"), np.int32, "r").reshape(-1, 3)
            shape: dict[str, Array] = {"vertices": corners, "faces": faces}
            colours = place.with_name(f"{place.name}.colours")
            if colours.exists():
                shape["colours"] = np.memmap(colours, np.uint8, "r").reshape(-1, 3)
            return Draft(kind, 0, 0, shape, facts)
        case _:
            return Draft(kind, 0, 0, {}, facts)


def _samples(place: Path, facts: dict[str, Any]) -> Array:
    return np.memmap(place, np.float32, "r").reshape(-1, facts["channels"])


def _check_size(path: Path, limit: int) -> None:
    with contextlib.suppress(OSError):
        # What is wrong with a file that cannot be seen, the child says better.
        size = path.stat().st_size
        if path.is_file() and size > limit:
            raise InvalidRequest(
                f"This file has {size} bytes; at most {limit} are accepted.",
                hint="Reduce it, or raise `max_upload_bytes` in the settings.",
            )
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InvalidRequest("This is a device or a pipe, not a file.", hint="Name a file.")


def _ask(order: dict[str, object], folder: Path, patience: float) -> dict[str, Any]:
    # Only what an interpreter needs to start: no token, no proxy, no key reaches the child.
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    told, said = folder / "told", folder / "said"
    with told.open("w+b") as answer, said.open("w+b") as errors:
        try:
            # Into files, whose size the child limits: what it prints never fills this memory.
            child = subprocess.run(
                [sys.executable, "-P", "-m", "studio.worker.decode"],
                input=json.dumps(order).encode(),
                stdout=answer,
                stderr=errors,
                env=environment,
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _gave_up("took too long") from None
        if child.returncode != 0 or told.stat().st_size > _ANSWER:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 2000))
            _LOG.warning("decode child ended with %s: %s", child.returncode, errors.read())
            raise _gave_up("took more time or memory than a check may use")
    found: dict[str, Any] = json.loads(told.read_bytes())
    return found


def _gave_up(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"Opening this file {why}, so it was given up.",
        hint="It may be damaged, or made to do harm. Fetch it again from where it came.",
    )
