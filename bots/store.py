"""What the bot must not forget: whose errand is where, the servers' rules, and who changed them.

One small SQLite file in the home, used from the bot's own thread. A write takes a fraction of a
millisecond, so it may stand in the way of nothing; a killed process loses none that was made.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict, astuple, fields, replace
from pathlib import Path
from typing import Any, Self

from bots.errand import Chat, Errand, Kind, State
from bots.rules import DAY, Rules

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
CREATE TABLE IF NOT EXISTS chats (
    channel TEXT NOT NULL, user TEXT NOT NULL, begun TEXT NOT NULL, model TEXT NOT NULL,
    persona TEXT NOT NULL, language TEXT NOT NULL, PRIMARY KEY (channel, user)
);
CREATE TABLE IF NOT EXISTS heard (
    channel TEXT PRIMARY KEY, message TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS forgotten (
    user TEXT NOT NULL, guild TEXT NOT NULL, created REAL NOT NULL
);
CREATE VIEW IF NOT EXISTS orders AS
    SELECT user, guild, created FROM errands WHERE json_extract(record, '$.task') != ''
    UNION ALL SELECT user, guild, created FROM forgotten;
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
            "SELECT created FROM orders WHERE user = ? AND guild = ? AND created >= ? "
            "ORDER BY created",
            (user, guild, since),
        )
        return [created for (created,) in rows]

    def talks_before(self, errand: Errand) -> bool:
        """Whether something that the same person said there earlier has no answer yet."""
        query = (
            f"SELECT count(*) FROM errands WHERE user = ? AND {_OPEN} "  # noqa: S608
            "AND json_extract(record, '$.kind') = 'talk' "
            "AND json_extract(record, '$.channel') = ? AND CAST(id AS INTEGER) < ?"
        )
        return bool(self._one(query, errand.user, errand.channel, int(errand.id)))

    def open_chat(self, chat: Chat) -> None:
        """Keep a conversation, in the place of an earlier one of the same person there."""
        self._db.execute("INSERT OR REPLACE INTO chats VALUES (?, ?, ?, ?, ?, ?)", astuple(chat))

    def chat(self, channel: str, user: str) -> Chat | None:
        """Somebody's conversation there, or else the first one that anybody has there."""
        rows = self._db.execute(
            "SELECT * FROM chats WHERE channel = ? ORDER BY user != ?, CAST(begun AS INTEGER)",
            (channel, user),
        ).fetchmany(1)
        return Chat(*rows[0]) if rows else None

    def hear(self, channel: str, message: str) -> None:
        """Remember what was heard last in a channel with a conversation."""
        self._db.execute(
            "INSERT OR REPLACE INTO heard VALUES (?, ?, ?)", (channel, message, time.time())
        )

    def heard(self, since: float, limit: int = 100) -> list[tuple[str, str]]:
        """Where people have talked since then, newest first, and the last message of each."""
        return self._db.execute(
            "SELECT channel, message FROM heard WHERE at >= ? ORDER BY at DESC LIMIT ?",
            (since, limit),
        ).fetchall()

    def forget(self, user: str) -> None:
        """Forget somebody's conversations, and those of their errands that have ended.

        Quotas still count these for a day: when something was ordered where, and nothing else.
        """
        ended = f"FROM errands WHERE user = ? AND NOT ({_OPEN})"
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM chats WHERE user = ?", (user,))
            self._db.execute(
                f"INSERT INTO forgotten SELECT user, guild, created {ended} "
                "AND json_extract(record, '$.task') != ''",
                (user,),
            )
            self._db.execute(f"DELETE {ended}", (user,))

    def sweep(self, before: float) -> None:
        """Forget what ended before then."""
        self._db.execute(
            f"DELETE FROM errands WHERE created < ? AND NOT ({_OPEN})",  # noqa: S608
            (before,),
        )
        self._db.execute("DELETE FROM forgotten WHERE created < ?", (time.time() - DAY,))
        self._db.execute("DELETE FROM audit WHERE at < ?", (before,))
        self._db.execute("DELETE FROM heard WHERE at < ?", (before,))

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
    kind = Kind(record.get("kind", Kind.JOB))
    state, only = State(record["state"]), tuple(record["only"])
    roles = tuple(record.get("roles", ()))
    return Errand(**known | {"kind": kind, "state": state, "only": only, "roles": roles})
