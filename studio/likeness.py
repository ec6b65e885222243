"""Likenesses: by which vector each picture is found, and which are nearest to another vector.

They follow from the pictures and a model, so a file that is lost or damaged is filled again.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio.learned import Learned

#: Unit vectors, float32; of shape (width,) or (pictures, width).
Vectors = NDArray[np.float32]

_TABLE = """CREATE TABLE IF NOT EXISTS likenesses (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL
) STRICT"""


_NOTHING: Vectors = np.zeros((0, 0), np.float32)


class Likenesses:
    """The vectors of one model's pictures, in one SQLite file; safe for several threads."""

    def __init__(self, path: Path) -> None:
        self._file = Learned(path, _TABLE)
        self._lock = threading.Lock()
        self._model = ""
        self._rows: dict[str, int] = {}
        self._vectors = _NOTHING

    def use(self, model: str) -> None:
        """Go on with the vectors of `model`; those of any other are forgotten."""
        with self._lock:
            if model == self._model:
                return
            self._model = model
            self._file.write(("DELETE FROM likenesses WHERE model <> ?", (model,)))
            found = self._file.read("SELECT id, vector FROM likenesses")
            self._rows = {identity: row for row, (identity, _) in enumerate(found)}
            stored = [np.frombuffer(vector, np.float16) for _, vector in found]
            self._vectors = np.stack(stored).astype(np.float32) if stored else _NOTHING

    def add(self, found: Mapping[str, Vectors]) -> None:
        """Keep the vectors of these pictures, in half precision."""
        with self._lock:
            fresh = [identity for identity in found if identity not in self._rows]
            if not fresh:
                return
            halves = np.stack([found[identity] for identity in fresh]).astype(np.float16)
            insert = "INSERT OR REPLACE INTO likenesses VALUES (?, ?, ?)"
            self._file.write(
                *(
                    (insert, (identity, self._model, half.tobytes()))
                    for identity, half in zip(fresh, halves, strict=True)
                )
            )
            known = [self._vectors] if self._rows else []
            self._vectors = np.concatenate([*known, halves], dtype=np.float32)
            self._rows |= {identity: len(self._rows) + n for n, identity in enumerate(fresh)}

    def retain(self, there: Collection[str]) -> None:
        """Forget all other pictures: nothing is kept of what its owner threw away."""
        with self._lock:
            gone = self._rows.keys() - set(there)
            if not gone:
                return
            self._file.write(
                *(("DELETE FROM likenesses WHERE id = ?", (identity,)) for identity in gone)
            )
            kept = [(identity, row) for identity, row in self._rows.items() if identity not in gone]
            self._vectors = self._vectors[[row for _, row in kept]]
            self._rows = {identity: row for row, (identity, _) in enumerate(kept)}

    def lacking(self, pictures: Sequence[str]) -> list[str]:
        """Those of `pictures` that have no vector yet, in their order."""
        return [identity for identity in pictures if identity not in self._rows]

    def of(self, picture: str) -> Vectors | None:
        """The vector of a picture, if it has one."""
        with self._lock:
            row = self._rows.get(picture)
            return None if row is None else self._vectors[row]

    def nearest(self, vector: Vectors, among: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """At most `limit` of the pictures `among`, each with its cosine, the nearest first."""
        with self._lock:
            known = [identity for identity in among if identity in self._rows]
            rows = [self._rows[identity] for identity in known]
            cosines = self._vectors[rows] @ vector if rows else np.zeros(0, np.float32)
        best = np.argsort(-cosines, kind="stable")[:limit]
        return [(known[place], float(cosines[place])) for place in best]
