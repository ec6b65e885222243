"""Where measurements of this machine are kept: one SQLite file below the home.

They can be made again. So a damaged file is begun anew, and a full disk costs no more than the
memory of what was learned: neither may stop the studio.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)


class Learned:
    """One table of the file. Safe to use from several threads and processes."""

    def __init__(self, path: Path, create: str) -> None:
        """Keep rows in the file at `path`; `create` is the table's `CREATE TABLE IF NOT EXISTS`."""
        self._path = path
        self._create = create

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that `query` selects; none from a file that is damaged, which is begun anew."""
        try:
            with closing(self._open()) as file:
                return file.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            _LOG.warning("%s cannot be read: %s", self._path, error)
        except sqlite3.DatabaseError as error:
            _LOG.warning("%s is damaged and is begun anew: %s", self._path, error)
            self._path.unlink()
        return []

    def write(self, *statements: tuple[str, Sequence[Any]]) -> None:
        """Execute the statements, each with its values, all or none."""
        try:
            with closing(self._open()) as file, file:
                for statement, values in statements:
                    file.execute(statement, values)
        except sqlite3.Error as error:
            _LOG.warning("a measurement could not be kept: %s", error)

    def _open(self) -> sqlite3.Connection:
        file = sqlite3.connect(self._path)
        try:
            file.execute("PRAGMA journal_mode = WAL")
            # No batch waits for the disk: what a power cut damages is begun anew.
            file.execute("PRAGMA synchronous = OFF")
            file.execute(self._create)
        except sqlite3.Error:
            file.close()
            raise
        return file
