"""Drafts: what a family made, as raw arrays, before anything is marked, encoded or published.

A draft is in no media format on purpose. It cannot be posted, opened or mistaken for a result;
only `studio.provenance.seal` can make something of it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from studio.errors import Broken, Unavailable

if TYPE_CHECKING:
    # The device child starts without the tasks and the cards.
    from studio.tasks.request import Kind

Array = NDArray[Any]

#: Facts without which the arrays are not the same content.
_CONTENT = ("fps", "rate", "text")
#: The arrays that a draft of each kind must hold, and those that it may.
_ARRAYS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "image": (frozenset({"pixels"}), frozenset()),
    "audio": (frozenset({"samples"}), frozenset()),
    "video": (frozenset({"frames"}), frozenset({"samples"})),
    "text": (frozenset(), frozenset()),
    "mesh": (frozenset({"vertices", "faces"}), frozenset({"colours"})),
}


@dataclass(frozen=True)
class Draft:
    """One output, unsealed.

    `arrays` by kind:

    - image: `pixels`, uint8, shape (height, width, 3) RGB, or (height, width, 4) RGBA
    - audio: `samples`, float32 in [-1, 1], shape (samples, channels); `facts["rate"]` in Hz
    - video: `frames`, uint8, shape (frames, height, width, 3); `facts["fps"]`; `samples` optional
    - text: no arrays; `facts["text"]`
    - mesh: `vertices` float32 (n, 3), `faces` int32 (m, 3), `colours` uint8 (n, 3) optional: linear
      light, as in glTF
    """

    kind: Kind
    #: Place in the job: 0 to count - 1, and count for the whole of a job that is made in parts.
    index: int
    #: The seed that made it.
    seed: int
    arrays: Mapping[str, Array] = field(default_factory=dict)
    #: Whatever else belongs to the content or says how it came about; plain JSON. `made with` is
    #: a list of what was done that changes the output, for its note.
    facts: Mapping[str, Any] = field(default_factory=dict)

    def checked(self, kind: Kind, index: int, seed: int) -> Draft:
        """The draft itself, if it is the output that was ordered.

        Raises:
            Broken: if it is another one; whoever spooled it is not believed.
        """
        must, may = _ARRAYS[kind]
        ordered = (self.kind, self.index, self.seed) == (kind, index, seed)
        if not ordered or not must <= set(self.arrays) <= must | may:
            raise Broken("The worker made something other than what was ordered.")
        return self

    def digest(self) -> str:
        """SHA-256 over the content, in hex: equal for equal drafts, whatever marks they get."""
        total = hashlib.sha256(self.kind.encode())
        for name in sorted(self.arrays):
            array = self.arrays[name]
            total.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
            for piece in pieces(array):
                total.update(np.ascontiguousarray(piece).data)
        for name in _CONTENT:
            if name in self.facts:
                total.update(f"{name}={self.facts[name]};".encode())
        return total.hexdigest()

    def spool(self, folder: Path) -> Path:
        """Write the draft below `folder` (which only its owner can enter) and return its path."""
        place = folder / f"{self.index:05d}"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, array in self.arrays.items():
            np.save(place / f"{name}.npy", array, allow_pickle=False)
        head = {
            "kind": self.kind,
            "index": self.index,
            "seed": self.seed,
            "arrays": sorted(self.arrays),
            "facts": dict(self.facts),
        }
        # Written last: a folder without it is an unfinished spool and is never read.
        (place / "draft.json").write_text(json.dumps(head), encoding="utf-8")
        return place

    @staticmethod
    def unspool(place: Path) -> Draft:
        """Read a draft back; arrays are mapped, not copied.

        Raises:
            FileNotFoundError: if spooling never finished.
        """
        head = json.loads((place / "draft.json").read_text(encoding="utf-8"))
        arrays = {
            name: np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in head["arrays"]
        }
        return Draft(head["kind"], head["index"], head["seed"], arrays, head["facts"])


def blank_frames(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Black frames (count, height, width, 3) to fill in, mapped from a file that has no name.

    So a film's length costs disk and no memory, and nothing is left behind.

    Raises:
        Unavailable: if the disk has no room for them; writing would end the process.
    """
    # Twice: here, and once more when they are spooled.
    needed = 2 * count * height * width * 3
    if shutil.disk_usage(tempfile.gettempdir()).free < needed:
        raise Unavailable(
            f"The disk has no room for {count} frames of {width} × {height} pixels.",
            hint=f"Free {needed / 1e9:.1f} GB, or ask for a shorter or smaller film.",
            retry=True,
        )
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=(count, height, width, 3))


#: Bytes of an array that are in memory at a time, where it is read piece by piece.
_PIECE = 1 << 22


def pieces(array: Array, length: int = 0) -> Iterator[Array]:
    """`array` cut along its first axis, `length` entries at a time; 0 chooses for itself.

    What a whole, mapped array shows is mapped anew for each piece and given back after it, so that
    a film of any length takes the memory of one piece.
    """
    entry = array[:1].nbytes
    length = length or max(1, _PIECE // max(entry, 1))
    # A part of a mapped array forgets where in its file it begins.
    base: object = array.base
    mapped = isinstance(array, np.memmap) and array.filename is not None
    whole = mapped and isinstance(base, mmap.mmap) and array.flags.c_contiguous
    for begin in range(0, len(array), length):
        if isinstance(array, np.memmap) and whole:
            shape = (min(length, len(array) - begin), *array.shape[1:])
            offset = array.offset + begin * entry
            yield np.memmap(str(array.filename), array.dtype, "r", offset, shape)
        else:
            yield array[begin : begin + length]


def let_go(array: Array) -> None:
    """Give back the memory in which a mapped array is seen; what it holds stays in its file."""
    base: object = array.base
    # What was written into a private copy is in no file.
    if isinstance(array, np.memmap) and isinstance(base, mmap.mmap) and array.mode != "c":
        base.madvise(mmap.MADV_DONTNEED)


def with_sound(film: Draft, frames: Array, fps: float) -> tuple[dict[str, Array], dict[str, Any]]:
    """A film's arrays and facts with other `frames` and the sound that it has."""
    arrays: dict[str, Array] = {"frames": frames}
    facts: dict[str, Any] = {"fps": fps}
    if "samples" in film.arrays:
        arrays["samples"], facts["rate"] = film.arrays["samples"], film.facts["rate"]
    return arrays, facts
