"""What the bot must not forget: whose errand is where, the servers' rules, and who changed them.

One small SQLite file in the home, used from the bot's own thread. A write takes a fraction of a
millisecond, so it may stand in the way of nothing; a killed process loses none that was made.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from bots.rules import Rules


class State(StrEnum):
    """How far an errand is. The last two are final."""

    #: Written down; perhaps answered, perhaps ordered.
    TAKEN = "taken"
    #: The studio has the job.
    MAKING = "making"
    #: A new message may have been sent, because the answer could no longer be edited.
    SENDING = "sending"
    #: Whoever asked has seen the end of it.
    POSTED = "posted"
    #: Nobody could be told; the log says why.
    DROPPED = "dropped"


@dataclass(frozen=True)
class Errand:
    """One thing that somebody asked for, and where the answer goes."""

    #: The interaction's id, as text: the key of the order and the nonce of the post.
    id: str
    #: With which its answer can be edited, for fifteen minutes.
    token: str
    user: str
    channel: str
    #: Empty outside of servers.
    guild: str
    #: Whether the answer may only go to the user: the bot is no member of the place.
    personal: bool
    language: str
    #: The largest file that can be sent there, in bytes.
    limit: int
    #: The task's id; empty if a finished job is to be shown.
    task: str
    #: The request's fields. A file that was attached is a mapping with its `url` and its `name`.
    values: Mapping[str, Any]
    spoiler: bool = False
    created: float = field(default_factory=time.time)
    state: State = State.TAKEN
    job: str = ""
    #: Which outputs of the job to post; all if empty.
    only: tuple[int, ...] = ()
    #: The message that shows the result.
    message: str = ""
    #: Whose job it is, if it is not the user's own.
    owner: str = ""

    @property
    def studio_owner(self) -> str:
        """What the studio calls the job's owner."""
        return owner_of(self.owner or self.user)


def owner_of(user: str) -> str:
    """What the studio calls somebody on Discord."""
    return f"discord:{user}"


_SCHEMA = """
CREATE TABLE IF NOT EXISTS errands (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, job TEXT NOT NULL, user TEXT NOT NULL,
    guild TEXT NOT NULL, created REAL NOT NULL, record TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS errands_by_job ON errands (job);
CREATE INDEX IF NOT EXISTS errands_by_user ON errands (user, created);
CREATE INDEX IF NOT EXISTS errands_open ON errands (created)
    WHERE state NOT IN ('posted', 'dropped');
CREATE TABLE IF NOT EXISTS rules (guild TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (
    at REAL NOT NULL, guild TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_OPEN = "state NOT IN ('posted', 'dropped')"


class Store:
    """The bot's own memory, at `path`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        # WAL with NORMAL keeps every write of a killed process, and needs no wait for the disk.
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_SCHEMA}")
        self._rules: dict[str, Rules] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def take(self, errand: Errand) -> bool:
        """Write a new errand down; False if it was there already."""
        row = (
            errand.id,
            errand.state,
            errand.job,
            errand.user,
            errand.guild,
            errand.created,
            json.dumps(asdict(errand)),
        )
        cursor = self._db.execute("INSERT OR IGNORE INTO errands VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return cursor.rowcount == 1

    def update(self, errand: Errand, **changes: Any) -> Errand:
        """The errand with the changes, written down. What has ended keeps no token."""
        changed = replace(errand, **changes)
        if changed.state in (State.POSTED, State.DROPPED):
            changed = replace(changed, token="")
        self._db.execute(
            "UPDATE errands SET state = ?, job = ?, record = ? WHERE id = ?",
            (changed.state, changed.job, json.dumps(asdict(changed)), changed.id),
        )
        return changed

    def drop(self, errand: Errand) -> None:
        """Forget an errand that somebody else does."""
        self._db.execute("DELETE FROM errands WHERE id = ?", (errand.id,))

    def unfinished(self) -> list[Errand]:
        """What is to be done, oldest first."""
        return self._errands(f"WHERE {_OPEN} ORDER BY created")

    def open_count(self) -> int:
        """How many errands are to be done."""
        return int(self._one(f"SELECT count(*) FROM errands WHERE {_OPEN}") or 0)  # noqa: S608

    def of_job(self, job: str) -> Errand | None:
        """The first errand that this job was, or is, for."""
        found = self._errands("WHERE job = ? AND job != '' ORDER BY created LIMIT 1", job)
        return found[0] if found else None

    def ordered(self, user: str, guild: str, since: float) -> list[float]:
        """When somebody ordered something in a server since then, oldest first."""
        rows = self._db.execute(
            "SELECT created FROM errands WHERE user = ? AND guild = ? AND created >= ? "
            "AND json_extract(record, '$.task') != '' ORDER BY created",
            (user, guild, since),
        )
        return [created for (created,) in rows]

    def forget(self, user: str) -> int:
        """Forget somebody's errands that have ended; returns how many."""
        return self._db.execute(
            f"DELETE FROM errands WHERE user = ? AND NOT ({_OPEN})",  # noqa: S608 - no value in it
            (user,),
        ).rowcount

    def sweep(self, before: float) -> None:
        """Forget what ended before then."""
        self._db.execute(
            f"DELETE FROM errands WHERE created < ? AND NOT ({_OPEN})",  # noqa: S608
            (before,),
        )
        self._db.execute("DELETE FROM audit WHERE at < ?", (before,))

    def rules(self, guild: str) -> Rules:
        """A server's rules; asked for at every command, so they are kept at hand."""
        if guild not in self._rules:
            record = self._one("SELECT record FROM rules WHERE guild = ?", guild)
            self._rules[guild] = Rules.model_validate_json(record) if record else Rules()
        return self._rules[guild]

    def save_rules(self, guild: str, rules: Rules, *, who: str, what: str) -> None:
        """Put other rules in place, and write down who did that."""
        self._db.execute(
            "INSERT OR REPLACE INTO rules VALUES (?, ?)", (guild, rules.model_dump_json())
        )
        self._rules[guild] = rules
        self.note(guild, who, what)

    def note(self, guild: str, who: str, what: str) -> None:
        """Write down what somebody did."""
        self._db.execute("INSERT INTO audit VALUES (?, ?, ?, ?)", (time.time(), guild, who, what))

    def audit(self, guild: str, limit: int = 20) -> list[tuple[float, str, str]]:
        """What was done in a server, newest first: when, who, what."""
        return self._db.execute(
            "SELECT at, who, what FROM audit WHERE guild = ? ORDER BY at DESC LIMIT ?",
            (guild, limit),
        ).fetchall()

    def fact(self, name: str) -> str:
        """What was remembered under this name; empty if nothing was."""
        return str(self._one("SELECT value FROM facts WHERE name = ?", name) or "")

    def remember(self, name: str, value: str) -> None:
        """Remember a fact."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _one(self, query: str, *values: object) -> Any:
        with closing(self._db.execute(query, values)) as cursor:
            row = cursor.fetchone()
        return row[0] if row else None

    def _errands(self, where: str, *values: object) -> list[Errand]:
        rows = self._db.execute(f"SELECT record FROM errands {where}", values)  # noqa: S608
        return [_errand(json.loads(record)) for (record,) in rows]


def _errand(record: dict[str, Any]) -> Errand:
    known = {one.name: record[one.name] for one in fields(Errand) if one.name in record}
    return Errand(**known | {"state": State(record["state"]), "only": tuple(record["only"])})
