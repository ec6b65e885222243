"""All fingerprints of the ledger in one flat file, scanned whole for the nearest.

An exact search: no picture within any distance is ever missed. At a million rows that is 40 MB,
mapped rather than read, so that the memory is the system's cache and not the host's. The file
holds nothing that the ledger does not say; lost or out of step, it is made anew from there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio.provenance.fingerprint import LENGTH

#: One row: its number in the ledger, then its fingerprint as 64-bit words.
_ROW = np.dtype([("seq", "<u8"), ("words", "<u8", (LENGTH // 8,))])
#: Rows that are compared at a time: few enough for the processor's cache.
_BLOCK = 16_384


class Prints:
    """The flat file beside one ledger. Only one process at a time may `extend` it or `clear` it."""

    def __init__(self, path: Path) -> None:
        """The fingerprints in `path`, which need not exist yet."""
        self._path = path

    def newest(self) -> tuple[int, bytes]:
        """The newest fingerprint here with its number in the ledger; 0 if there is none."""
        rows = self._rows()
        return (int(rows["seq"][-1]), rows["words"][-1].tobytes()) if len(rows) else (0, b"")

    def extend(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Add fingerprints with their numbers, which grow."""
        fresh = np.array([(seq, np.frombuffer(print_, "<u8")) for seq, print_ in rows], _ROW)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        with open(descriptor, "wb") as file:
            # After a crash the last row may be there in part; it is written again.
            file.seek(len(self._rows()) * _ROW.itemsize)
            file.write(fresh.tobytes())

    def clear(self) -> None:
        """Begin anew."""
        self._path.unlink(missing_ok=True)

    def nearest(self, print_: bytes) -> tuple[int, int] | None:
        """The number of the most similar fingerprint, the oldest of equals, and its distance."""
        rows, wanted = self._rows(), np.frombuffer(print_, "<u8")
        best: tuple[int, int] | None = None
        for begin in range(0, len(rows), _BLOCK):
            block = rows[begin : begin + _BLOCK]
            # Word by word: a sum along so short an axis takes five times as long.
            distances = np.zeros(len(block), np.uint16)
            for place, word in enumerate(wanted):
                distances += np.bitwise_count(block["words"][:, place] ^ word)
            nearest = int(distances.argmin())
            if best is None or distances[nearest] < best[1]:
                best = int(block["seq"][nearest]), int(distances[nearest])
        return best

    def _rows(self) -> NDArray[np.void]:
        size = self._path.stat().st_size if self._path.is_file() else 0
        count = size // _ROW.itemsize
        # Nothing cannot be mapped.
        return np.memmap(self._path, _ROW, mode="r", shape=(count,)) if count else np.empty(0, _ROW)
