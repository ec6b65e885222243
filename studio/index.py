"""The gallery's index: whose is what, what it says and how much there is, in one SQLite file.

It holds nothing that the files do not say. Every property that can be asked for is a row in
`facets`, in the order of time, so that any page of any filter is one short walk along a key, and
every row is counted as it comes and goes, so that counting walks nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.fields import fields_of
from studio.gallery import Filter
from studio.search import match, words
from studio.tasks import TASKS

#: Raised whenever the tables change; an index of any other version is made anew.
VERSION = 3

#: What there is something to see of.
_SHOWN = ("image", "video", "mesh")

_TABLES = ("artifacts", "facets", "counts", "collections", "words")
_SCHEMA = (
    # The number is the time in microseconds, so every order by it is the order of time.
    """CREATE TABLE artifacts (
        number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, job TEXT NOT NULL,
        place INTEGER NOT NULL, owner TEXT NOT NULL, record TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX artifacts_job ON artifacts (job, place)",
    """CREATE TABLE facets (
        owner TEXT, facet TEXT, value TEXT, number INTEGER,
        PRIMARY KEY (owner, facet, value, number)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE counts (
        owner TEXT, facet TEXT, value TEXT, size INTEGER NOT NULL,
        PRIMARY KEY (owner, facet, value)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE collections (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (owner, name)
    ) STRICT""",
    # Words come in already cut up by `words`; pictures among them count as words, too.
    """CREATE VIRTUAL TABLE words USING fts5 (
        owner, text, prefix = '2 3',
        tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co So'"
    )""",
)

#: The place in time before which every artifact comes.
_END = 2**63 - 1

Facet = tuple[str, str]
Record = Mapping[str, Any]


class Index:
    """One index file; safe for several threads and processes. It deals in artifacts' records."""

    def __init__(self, path: Path) -> None:
        """Open or begin the index in `path`; `sqlite3.DatabaseError` if that is damaged."""
        self._lock = threading.RLock()
        self._database = sqlite3.connect(
            path, timeout=60, isolation_level=None, check_same_thread=False
        )
        try:
            path.chmod(0o600)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.DatabaseError:
            self._database.close()
            raise

    @property
    def current(self) -> bool:
        """Whether the index is there, and of this version."""
        return self._all("PRAGMA user_version") == [(VERSION,)]

    def close(self) -> None:
        """Close the file; the index is not used again."""
        # Under the lock: a thread whose task was cancelled may still be reading.
        with self._lock:
            self._database.close()

    def fill(self, records: Iterable[Record], collections: Iterable[tuple[str, str, str]]) -> None:
        """Make the index anew, from artifacts and from collections as (id, owner, name)."""
        ordered = sorted(records, key=lambda one: (one["note"]["created"], one["id"]))
        with self._changing() as database:
            for table in _TABLES:
                database.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _SCHEMA:
                database.execute(statement)
            for record in ordered:
                self._enter(record, self._free(record))
            database.execute(
                "INSERT INTO counts SELECT owner, facet, value, count(*) FROM facets "
                "WHERE facet <> 'parent' GROUP BY owner, facet, value"
            )
            database.executemany("INSERT OR IGNORE INTO collections VALUES (?, ?, ?)", collections)
            database.execute(f"PRAGMA user_version = {VERSION}")

    def put(self, record: Record) -> None:
        """Enter an artifact, or enter it anew if it has changed."""
        with self._changing():
            number = self._remove(record["id"]) or self._free(record)
            self._enter(record, number)
            self._count(record, 1)

    def remove(self, identity: str) -> None:
        """Forget an artifact, if it is there."""
        with self._changing():
            self._remove(identity)

    def get(self, identity: str) -> Record | None:
        """The artifact with this id."""
        found = self._all("SELECT record FROM artifacts WHERE id = ?", identity)
        return json.loads(found[0][0]) if found else None

    def of_job(self, job: str) -> dict[int, str]:
        """The outputs of a job: place to id."""
        return dict(self._all("SELECT place, id FROM artifacts WHERE job = ? ORDER BY place", job))

    def find(
        self, owner: str, where: Filter, *, limit: int, before: str | None = None
    ) -> list[Record]:
        """At most `limit` of an owner's artifacts, newest first, that come after `before`.

        Raises:
            LookupError: if the owner has no artifact `before`.
        """
        rows = self._rows("record", owner, where, limit, before)
        return [json.loads(row[0]) for row in rows]

    def ids(self, owner: str, where: Filter) -> list[str]:
        """The ids of all of an owner's artifacts that the filter lets through, newest first."""
        return [row[0] for row in self._rows("id", owner, where, limit=-1)]

    def _rows(
        self, column: str, owner: str, where: Filter, limit: int, before: str | None = None
    ) -> list[Any]:
        first = 0 if where.since is None else _number(where.since)
        last = _END if where.until is None else _number(where.until) - 1
        if before is not None:
            found = self._all(
                "SELECT number FROM artifacts WHERE id = ? AND owner = ?", before, owner
            )
            if not found:
                raise LookupError(before)
            last = min(last, found[0][0] - 1)
        sizes = self.sizes(owner)
        # The rarest goes first, and the others are looked up for what it finds.
        facets = sorted(_asked(where), key=lambda facet: sizes.get(facet, 0))
        if not all(facet in sizes for facet in facets):
            return []
        values: list[str | int] = []
        if where.search.strip():
            query = match(where.search)
            if query is None:
                return []
            table, place = "words", "words.rowid"
            conditions = "words MATCH ?"
            values.append(f"owner : {_token_of(owner)} AND text : ({query})")
        else:
            table, place = "facets", "facets.number"
            conditions = "facets.owner = ? AND facets.facet = ? AND facets.value = ?"
            values += [owner, *facets.pop(0)]
        for facet in facets:
            conditions += (
                " AND EXISTS (SELECT 1 FROM facets AS other WHERE other.owner = ? "  # noqa: S608
                f"AND other.facet = ? AND other.value = ? AND other.number = {place})"
            )
            values += [owner, *facet]
        return self._all(
            f"SELECT {column} FROM {table} CROSS JOIN artifacts ON artifacts.number = {place} "  # noqa: S608
            f"WHERE {conditions} AND {place} BETWEEN ? AND ? ORDER BY {place} DESC LIMIT ?",
            *values,
            first,
            last,
            limit,
        )

    def children(self, owner: str, parent: str, *, limit: int) -> list[Record]:
        """The newest of an owner's artifacts that were made from `parent`."""
        rows = self._all(
            "SELECT record FROM facets JOIN artifacts USING (number) WHERE facets.owner = ? "
            "AND facet = 'parent' AND value = ? ORDER BY number DESC LIMIT ?",
            owner,
            parent,
            limit,
        )
        return [json.loads(row[0]) for row in rows]

    def sizes(self, owner: str) -> dict[Facet, int]:
        """How many artifacts of an owner have each property that was counted."""
        rows = self._all("SELECT facet, value, size FROM counts WHERE owner = ?", owner)
        return {(facet, value): size for facet, value, size in rows}

    def shown(self) -> list[str]:
        """The ids of everybody's pictures, films and objects, newest first."""
        rows = self._all(
            "SELECT id FROM counts JOIN facets USING (owner, facet, value) JOIN artifacts "
            "USING (number) WHERE facet = 'kind' AND value IN ('image', 'video', 'mesh') "
            "ORDER BY number DESC"
        )
        return [row[0] for row in rows]

    def uncaptioned(self) -> list[str]:
        """The ids of those of them of which nobody has said yet what they show, newest first."""
        rows = self._all(
            "SELECT id FROM counts JOIN facets USING (owner, facet, value) JOIN artifacts "
            "USING (number) WHERE facet = 'uncaptioned' ORDER BY number DESC"
        )
        return [row[0] for row in rows]

    def binned(self) -> list[Record]:
        """Everybody's artifacts that are in the bin."""
        rows = self._all(
            "SELECT record FROM counts JOIN facets USING (owner, facet, value) "
            "JOIN artifacts USING (number) WHERE facet = 'bin'"
        )
        return [json.loads(row[0]) for row in rows]

    def collections(self, owner: str) -> list[tuple[str, str]]:
        """An owner's collections as (id, name), by name."""
        return self._all("SELECT id, name FROM collections WHERE owner = ? ORDER BY name", owner)

    def put_collection(self, identity: str, owner: str, name: str) -> None:
        """Enter a collection, or its new name."""
        with self._changing() as database:
            database.execute(
                "INSERT INTO collections VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                (identity, owner, name),
            )

    def remove_collection(self, identity: str) -> None:
        """Forget a collection."""
        with self._changing() as database:
            database.execute("DELETE FROM collections WHERE id = ?", (identity,))

    def _enter(self, record: Record, number: int) -> None:
        note, owner = record["note"], record["owner"]
        self._database.execute(
            "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?)",
            (number, record["id"], note["job"], note["index"], owner, json.dumps(record)),
        )
        self._database.executemany(
            "INSERT INTO facets VALUES (?, ?, ?, ?)",
            [(owner, *facet, number) for facet in _facets(record)],
        )
        if record["keeping"]["deleted"] is None:
            self._database.execute(
                "INSERT INTO words (rowid, owner, text) VALUES (?, ?, ?)",
                (number, _token_of(owner), " ".join(words(_text(record)))),
            )

    def _remove(self, identity: str) -> int | None:
        """Take an artifact out; the number it had, if it was there."""
        found = self._all("SELECT number, record FROM artifacts WHERE id = ?", identity)
        if not found:
            return None
        number, record = found[0][0], json.loads(found[0][1])
        self._count(record, -1)
        self._database.execute("DELETE FROM artifacts WHERE number = ?", (number,))
        self._database.execute("DELETE FROM words WHERE rowid = ?", (number,))
        self._database.executemany(
            "DELETE FROM facets WHERE owner = ? AND facet = ? AND value = ? AND number = ?",
            [(record["owner"], *facet, number) for facet in _facets(record)],
        )
        return int(number)

    def _count(self, record: Record, change: int) -> None:
        # Nobody asks how many, and there may be as many parents as artifacts.
        counted = (facet for facet in _facets(record) if facet[0] != "parent")
        keys = [(record["owner"], *facet) for facet in counted]
        self._database.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET size = size + excluded.size",
            [(*key, change) for key in keys],
        )
        self._database.executemany(
            "DELETE FROM counts WHERE owner = ? AND facet = ? AND value = ? AND size = 0", keys
        )

    def _free(self, record: Record) -> int:
        """The number for an artifact's time, or the next that is free."""
        number = _number(record["note"]["created"])
        while self._all("SELECT 1 FROM artifacts WHERE number = ?", number):
            number += 1
        return number

    def _all(self, query: str, *values: str | int) -> list[Any]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database


def _facets(record: Record) -> set[Facet]:
    """Everything an artifact can be asked for by."""
    note, keeping = record["note"], record["keeping"]
    if keeping["deleted"] is not None:
        return {("bin", "")}
    uncaptioned = record["kind"] in _SHOWN and not keeping["caption"]
    return {
        ("all", ""),
        ("kind", record["kind"]),
        ("task", note["task"]),
        ("card", note["card"]),
        *((("starred", ""),) if keeping["starred"] else ()),
        *((("uncaptioned", ""),) if uncaptioned else ()),
        *(("tag", tag) for tag in keeping["tags"]),
        *(("collection", collection) for collection in keeping["collections"]),
        *(("parent", parent) for parent in note["parents"]),
    }


def _asked(where: Filter) -> list[Facet]:
    """The properties that a filter asks for."""
    if where.binned:
        return [("bin", "")]
    named = [(name, getattr(where, name)) for name in ("kind", "task", "card", "tag", "collection")]
    asked = [(name, value) for name, value in named if value is not None]
    asked += [("starred", "")] if where.starred else []
    return asked or [("all", "")]


def _text(record: Record) -> str:
    """What an artifact can be found by: what was said to make it, and what was said of it."""
    note = record["note"]
    task = TASKS.get(note["task"])
    said = [
        str(note["request"].get(spec.name) or "")
        for spec in (fields_of(task.request) if task else ())
        if spec.type == "text" and spec.media is None and not spec.advanced
    ]
    keeping = record["keeping"]
    return "\n".join([*said, note["card"], note["task"], *keeping["tags"], keeping["caption"]])


def _token_of(owner: str) -> str:
    """One word that stands for an owner, whose name may hold anything."""
    return f"owner{hashlib.sha256(owner.encode(errors='surrogatepass')).hexdigest()}"


def _number(seconds: float) -> int:
    return round(seconds * 1_000_000)
