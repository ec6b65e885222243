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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from studio.errors import NotFound, Unavailable
from studio.provenance.fingerprint import LENGTH, distance
from studio.provenance.prints import Prints


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
    #: Of a picture, in pixels; 0 where it is not known.
    width: int = 0
    height: int = 0
    #: The methods of other packages whose mark it also carries.
    mark_also: tuple[str, ...] = ()

    def canonical(self) -> bytes:
        """The entry as the one JSON text that is hashed."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


#: Rows that are read at a time.
_PAGE = 10_000
_COLUMNS = ("mark", "sha256", "artifact", "fingerprint")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, mark TEXT, sha256 TEXT, artifact TEXT, fingerprint TEXT,
    body TEXT NOT NULL, chain TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS entries_mark ON entries (mark);
CREATE INDEX IF NOT EXISTS entries_sha256 ON entries (sha256);
DROP INDEX IF EXISTS entries_artifact;
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
        self._prints = Prints(path.with_suffix(".prints"))

    def close(self) -> None:
        """Close the file; the ledger is not used again."""
        # Under the lock: a thread whose task was cancelled may still be reading.
        with self._lock:
            self._database.close()

    def append(self, *entries: Entry) -> None:
        """Add one row for each, durably; all of them or none."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for entry in entries:
                columns = [getattr(entry, name) for name in _COLUMNS]
                self._add(entry.canonical(), columns)

    def record(self, said: Mapping[str, Any]) -> None:
        """Add one row that is no output: something that was decided about them, as plain JSON."""
        body = json.dumps(dict(said), sort_keys=True, separators=(",", ":")).encode()
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._add(body, [None] * len(_COLUMNS))

    def records(self) -> list[dict[str, Any]]:
        """What `record` added, oldest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT body FROM entries WHERE sha256 IS NULL ORDER BY seq"
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def by_mark(self, mark: str) -> Entry | None:
        """The newest entry with this mark (12 hex digits)."""
        return self._one("mark", mark)

    def by_sha256(self, sha256: str) -> Entry | None:
        """The newest entry of exactly this file."""
        return self._one("sha256", sha256)

    def nearest(self, fingerprint: bytes) -> tuple[Entry, int] | None:
        """The entry with the most similar fingerprint, and in how many bits it differs."""
        with self._lock:
            self._catch_up()
            found = self._print_of(fingerprint)
            if found is None:
                # The index is another ledger's, as after a backup was put back.
                self._prints.clear()
                self._catch_up()
                found = self._print_of(fingerprint)
        return found

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
        last = 0
        while True:
            with self._lock:
                rows = self._database.execute(
                    f"SELECT seq, body, chain, {', '.join(_COLUMNS)} FROM entries"  # noqa: S608
                    " WHERE seq > ? ORDER BY seq LIMIT ?",
                    (last, _PAGE),
                ).fetchall()
            if not rows:
                return
            yield from rows
            last = rows[-1][0]

    def _head(self) -> str:
        row = self._database.execute(
            "SELECT chain FROM entries ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return str(row[0]) if row else "0" * 64

    def _add(self, body: bytes, columns: Sequence[str | None]) -> None:
        self._database.execute(
            f"INSERT INTO entries ({', '.join(_COLUMNS)}, body, chain)"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?)",
            (*columns, body.decode(), self._link(self._head(), body)),
        )

    def _link(self, before: str, body: bytes) -> str:
        return hmac.new(self._secret, before.encode() + body, hashlib.sha256).hexdigest()

    def _print_of(self, fingerprint: bytes) -> tuple[Entry, int] | None:
        """What the index knows to be nearest, if the ledger says the same."""
        if (found := self._prints.nearest(fingerprint)) is None:
            return None
        row = self._database.execute(
            "SELECT body FROM entries WHERE seq = ?", (found[0],)
        ).fetchone()
        entry = _entry(row[0]) if row else None
        same = entry and distance(fingerprint, bytes.fromhex(entry.fingerprint)) == found[1]
        return (entry, found[1]) if entry and same else None

    def _catch_up(self) -> None:
        """Bring the index up to the newest row."""
        row = self._database.execute(
            "SELECT seq FROM entries WHERE length(fingerprint) = ? ORDER BY seq DESC LIMIT 1",
            (2 * LENGTH,),
        ).fetchone()
        (last, print_), newest = self._prints.newest(), row[0] if row else 0
        # After a backup was put back, the same numbers are other pictures'.
        same = last == 0 or print_ == self._fingerprint(last)
        if same and last == newest:
            return
        # SQLite's own lock also keeps other processes from writing the index meanwhile.
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if last > newest or not same:
                self._prints.clear()
            while rows := self._database.execute(
                "SELECT seq, fingerprint FROM entries WHERE seq > ? AND length(fingerprint) = ?"
                " ORDER BY seq LIMIT ?",
                (self._prints.newest()[0], 2 * LENGTH, _PAGE),
            ).fetchall():
                self._prints.extend((seq, bytes.fromhex(print_)) for seq, print_ in rows)

    def _fingerprint(self, seq: int) -> bytes:
        """That of one row; empty if there is none."""
        row = self._database.execute(
            "SELECT fingerprint FROM entries WHERE seq = ?", (seq,)
        ).fetchone()
        return bytes.fromhex(row[0]) if row else b""


def _entry(body: str) -> Entry:
    values = json.loads(body)
    for name in ("parents", "mark_also"):
        values[name] = tuple(values.get(name, ()))
    # A later version may know more of an output than this one.
    known = {field.name for field in fields(Entry)}
    return Entry(**{name: value for name, value in values.items() if name in known})
