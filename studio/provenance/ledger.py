"""The ledger: one row per sealed output, append-only, each row's hash built on the one before.

It answers what a found mark, a file's SHA-256 or a similar picture stands for. Rows name owners by
a random pseudonym; whose it is stands in a table of its own, so that a person can be forgotten
while the chain stays whole. Changing, removing or inserting a row breaks the chain, and `check`
says where; the chain is keyed, so that nobody without the key can build a new one. Rows cut off
at the end leave no trace: for that, keep a copy of `head` elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.errors import NotFound, Unavailable
from studio.provenance.fingerprint import LENGTH


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of one sealed output; nothing here names a person or a prompt."""

    artifact: str
    kind: str
    media_type: str
    #: SHA-256 of the finished file and of the draft it came from, in hex.
    sha256: str
    draft_sha256: str
    #: Which mark, 12 hex digits; its method, its key, and whether it is weak.
    mark: str
    mark_alg: str
    mark_key: str
    mark_weak: bool
    #: Perceptual fingerprint in hex.
    fingerprint: str
    #: Name of the leaf that signed it.
    signing_key: str
    owner: str
    task: str
    card: str
    revision: str
    parents: tuple[str, ...]
    #: Seconds since the epoch.
    created: float

    def canonical(self) -> bytes:
        """The entry as the one JSON text that is hashed."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


_COLUMNS = ("mark", "sha256", "artifact", "fingerprint")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, mark TEXT, sha256 TEXT, artifact TEXT, fingerprint TEXT,
    body TEXT NOT NULL, chain TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS entries_mark ON entries (mark);
CREATE INDEX IF NOT EXISTS entries_sha256 ON entries (sha256);
CREATE INDEX IF NOT EXISTS entries_artifact ON entries (artifact);
CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_remain BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TABLE IF NOT EXISTS owners (pseudonym TEXT PRIMARY KEY, owner TEXT UNIQUE) STRICT;
"""


class Ledger:
    """The ledger in one SQLite file; safe for several threads and processes."""

    def __init__(self, path: Path, secret: bytes) -> None:
        """Open or begin the ledger in `path`; `Unavailable` if the file is damaged."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._secret = secret
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        path.chmod(0o600)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._database.close()
            if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            raise Unavailable(
                f"The ledger {path} is damaged.",
                hint="Put a backup in its place, or move it away to begin a new one; the outputs "
                "themselves are untouched, and their signatures hold.",
            ) from None
        # Fingerprints of rows 1 to _seen, as four 64-bit words each; grows as rows are added.
        self._prints: NDArray[np.uint64] = np.empty((0, LENGTH // 8), np.uint64)
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)

    def close(self) -> None:
        """Close the file; the ledger is not used again."""
        self._database.close()

    def append(self, entry: Entry) -> None:
        """Add one row, durably."""
        body = entry.canonical()
        values = [getattr(entry, name) for name in _COLUMNS]
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            chain = self._link(self._head(), body)
            self._database.execute(
                f"INSERT INTO entries ({', '.join(_COLUMNS)}, body, chain)"  # noqa: S608
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*values, body.decode(), chain),
            )

    def by_mark(self, mark: str) -> Entry | None:
        """The newest entry with this mark (12 hex digits)."""
        return self._one("mark", mark)

    def by_sha256(self, sha256: str) -> Entry | None:
        """The newest entry of exactly this file."""
        return self._one("sha256", sha256)

    def by_artifact(self, artifact: str) -> Entry | None:
        """The newest entry of this artifact."""
        return self._one("artifact", artifact)

    def nearest(self, fingerprint: bytes) -> tuple[Entry, int] | None:
        """The entry with the most similar fingerprint, and in how many bits it differs."""
        with self._lock:
            self._catch_up()
            if not len(self._rows):
                return None
            wanted = np.frombuffer(fingerprint, np.uint64)
            distances = np.bitwise_count(self._prints ^ wanted).sum(axis=1, dtype=np.int16)
            best = int(distances.argmin())
            row = self._database.execute(
                "SELECT body FROM entries WHERE seq = ?", (int(self._rows[best]),)
            ).fetchone()
        return _entry(row[0]), int(distances[best])

    def head(self) -> str:
        """The chain's last hash, or 64 zeros: a copy kept elsewhere proves what came before."""
        with self._lock:
            return self._head()

    def check(self) -> int:
        """How many rows the chain has.

        Raises:
            Unavailable: naming the first row that is not as it was written.
        """
        chain, count = "0" * 64, 0
        for seq, body, written, *columns in self._all():
            chain, count = self._link(chain, body.encode()), count + 1
            values = json.loads(body)
            same = [values.get(name) for name in _COLUMNS] == columns
            if not same or not hmac.compare_digest(chain, written) or seq != count:
                raise Unavailable(
                    f"The ledger was changed at row {count}: its chain does not hold.",
                    hint="Put back a copy that holds; rows before that one can be relied upon.",
                )
        return count

    def pseudonym(self, owner: str) -> str:
        """The random name under which `owner` stands in the rows; made at the first call."""
        with self._lock, self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO owners VALUES (?, ?)", (secrets.token_hex(16), owner)
            )
            row = self._database.execute(
                "SELECT pseudonym FROM owners WHERE owner = ?", (owner,)
            ).fetchone()
        return str(row[0])

    def forget(self, owner: str) -> None:
        """Erase which pseudonym was `owner`'s. Their rows stay, and belong to nobody known.

        Raises:
            NotFound: if the ledger knows nobody of that name.
        """
        with self._lock, self._database:
            done = self._database.execute("DELETE FROM owners WHERE owner = ?", (owner,))
        if not done.rowcount:
            raise NotFound(
                f"The ledger knows nobody called {owner}.",
                hint="The name is the one that `studio users list` shows; alone, it is `local`.",
            )

    def _one(self, column: str, value: str) -> Entry | None:
        with self._lock:
            row = self._database.execute(
                f"SELECT body FROM entries WHERE {column} = ? ORDER BY seq DESC LIMIT 1",  # noqa: S608
                (value,),
            ).fetchone()
        return _entry(row[0]) if row else None

    def _all(self) -> Iterator[tuple[Any, ...]]:
        with self._lock:
            rows = self._database.execute(
                f"SELECT seq, body, chain, {', '.join(_COLUMNS)} FROM entries ORDER BY seq"  # noqa: S608
            ).fetchall()
        yield from rows

    def _head(self) -> str:
        row = self._database.execute(
            "SELECT chain FROM entries ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return str(row[0]) if row else "0" * 64

    def _link(self, before: str, body: bytes) -> str:
        return hmac.new(self._secret, before.encode() + body, hashlib.sha256).hexdigest()

    def _catch_up(self) -> None:
        last = int(self._rows[-1]) if len(self._rows) else 0
        rows = self._database.execute(
            "SELECT seq, fingerprint FROM entries WHERE seq > ? AND fingerprint != '' ORDER BY seq",
            (last,),
        ).fetchall()
        if rows:
            prints = np.frombuffer(bytes.fromhex("".join(row[1] for row in rows)), np.uint64)
            self._prints = np.concatenate([self._prints, prints.reshape(len(rows), -1)])
            self._rows = np.concatenate([self._rows, [row[0] for row in rows]])


def _entry(body: str) -> Entry:
    values = json.loads(body)
    values["parents"] = tuple(values["parents"])
    # A later version may know more of an output than this one.
    known = {field.name for field in fields(Entry)}
    return Entry(**{name: value for name, value in values.items() if name in known})
