"""What was said in conversations: one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.errors import NotFound
from studio.job import JobState
from studio.search import match, words
from studio.talk import Conversation, Reply, Turn

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, model TEXT,
    system TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS conversations_owner ON conversations (owner, changed, id);
CREATE TABLE IF NOT EXISTS turns (
    conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
    place INTEGER NOT NULL, text TEXT NOT NULL, image TEXT, created REAL NOT NULL,
    PRIMARY KEY (conversation, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replies (
    job TEXT PRIMARY KEY, conversation TEXT NOT NULL, place INTEGER NOT NULL,
    card TEXT NOT NULL, created REAL NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL,
    artifact TEXT, error TEXT, remarks TEXT NOT NULL,
    FOREIGN KEY (conversation, place) REFERENCES turns ON DELETE CASCADE
) STRICT;
CREATE INDEX IF NOT EXISTS replies_turn ON replies (conversation, place, created);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    conversation UNINDEXED, part UNINDEXED, text,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co So'"
);
"""
_CONVERSATION = "id, title, model, system, created, changed"
_REPLY = "job, card, created, state, text, artifact, error, remarks"


class Conversations:
    """All conversations of one home; safe for several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._base = sqlite3.connect(path, timeout=10, check_same_thread=False)
        path.chmod(0o600)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA foreign_keys = ON")
        # What is erased is overwritten, not only forgotten.
        self._base.execute("PRAGMA secure_delete = ON")
        self._base.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; the store is not used again."""
        # Under the lock: a thread whose task was cancelled may still be reading.
        with self._lock:
            self._base.close()

    def add(self, owner: str, conversation: Conversation) -> None:
        """Keep a new conversation."""
        one = conversation
        with self._lock, self._base:
            self._base.execute(
                "INSERT INTO conversations VALUES (?,?,?,?,?,?,?)",
                (one.id, owner, one.title, one.model, one.system, one.created, one.changed),
            )
            self._name(one)

    def change(self, conversation: Conversation) -> None:
        """Keep a conversation's new title, model and system prompt."""
        one = conversation
        with self._lock, self._base:
            self._base.execute(
                "UPDATE conversations SET title = ?, model = ?, system = ? WHERE id = ?",
                (one.title, one.model, one.system, one.id),
            )
            self._name(one)

    def delete(self, conversation: str) -> None:
        """Erase a conversation with all its words."""
        with self._lock:
            with self._base:
                self._base.execute("DELETE FROM words WHERE conversation = ?", (conversation,))
                self._base.execute("DELETE FROM conversations WHERE id = ?", (conversation,))
                # Until its parts are merged, the index still holds the words.
                self._base.execute("INSERT INTO words (words) VALUES ('optimize')")
            # The log beside the file still holds what was written last.
            self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def get(self, owner: str, conversation: str) -> Conversation:
        """The owner's conversation with this id.

        Raises:
            NotFound: if there is none.
        """
        with self._lock:
            found = self._select(
                f"SELECT {_CONVERSATION} FROM conversations WHERE id = ? AND owner = ?",  # noqa: S608
                conversation,
                owner,
            )
            if not found:
                raise NotFound(
                    "You have no such conversation.", hint="Look through yours for its id."
                )
            turns = self._select(
                "SELECT place, text, image, created FROM turns WHERE conversation = ? "
                "ORDER BY place",
                conversation,
            )
            replies = self._select(
                f"SELECT place, {_REPLY} FROM replies WHERE conversation = ? "  # noqa: S608
                "ORDER BY created, rowid",
                conversation,
            )
        answered: dict[int, list[Reply]] = {}
        for place, *row in replies:
            answered.setdefault(place, []).append(_reply(row))
        said = tuple(
            Turn(place, text, image, created, tuple(answered[place]))
            for place, text, image, created in turns
        )
        return replace(Conversation(*found[0]), turns=said)

    def list(
        self, owner: str, search: str, *, limit: int, before: Conversation | None = None
    ) -> list[Conversation]:
        """The owner's conversations that hold the words searched for, last used first."""
        place = (before.changed, before.id) if before else (float("inf"), "")
        where, wanted = "", []
        if search.strip():
            # A search without a word finds nothing.
            where = "AND id IN (SELECT conversation FROM words WHERE words MATCH ?)"
            wanted = [match(search) or '""']
        rows = self._select(
            f"SELECT {_CONVERSATION} FROM conversations WHERE owner = ? "  # noqa: S608
            f"AND (changed, id) < (?, ?) {where} ORDER BY changed DESC, id DESC LIMIT ?",
            owner,
            *place,
            *wanted,
            limit,
        )
        return [Conversation(*row) for row in rows]

    def say(self, conversation: Conversation, turn: Turn) -> None:
        """Keep what was said, with the one reply that was ordered for it, and the title."""
        (reply,) = turn.replies
        with self._lock, self._base:
            self._base.execute(
                "INSERT INTO turns VALUES (?,?,?,?,?)",
                (conversation.id, turn.place, turn.text, turn.image, turn.created),
            )
            self._base.execute(
                "UPDATE conversations SET title = ?, changed = ? WHERE id = ?",
                (conversation.title, turn.created, conversation.id),
            )
            self._answer(conversation.id, turn.place, reply)
            self._name(conversation)
            self._learn(conversation.id, turn.text)

    def answer(self, conversation: str, place: int, reply: Reply) -> None:
        """Keep another reply to what was said at `place`; one that is kept already stays."""
        with self._lock, self._base:
            self._answer(conversation, place, reply)

    def keep_written(self, job: str, text: str) -> None:
        """Keep what a job has written so far, if it answers anybody."""
        with self._lock, self._base:
            self._base.execute(
                "UPDATE replies SET text = ? "
                "WHERE job = ? AND state NOT IN ('done', 'failed', 'cancelled')",
                (text, job),
            )

    def settle(self, conversation: str, reply: Reply) -> None:
        """Keep how a reply ended."""
        error = None if reply.error is None else json.dumps(reply.error)
        with self._lock, self._base:
            changed = self._base.execute(
                "UPDATE replies SET state = ?, text = ?, artifact = ?, error = ?, remarks = ? "
                "WHERE job = ? AND state NOT IN ('done', 'failed', 'cancelled')",
                (
                    reply.state,
                    reply.text,
                    reply.artifact,
                    error,
                    json.dumps(reply.remarks),
                    reply.job,
                ),
            )
            # Two may look at once; its words are learned once.
            if changed.rowcount and reply.text:
                self._learn(conversation, reply.text)

    def unsettled(self, owner: str) -> Sequence[str]:
        """The ids of the owner's conversations with a reply that is not known to have ended."""
        rows = self._select(
            "SELECT DISTINCT conversation FROM replies JOIN conversations "
            "ON id = conversation WHERE owner = ? AND state NOT IN ('done', 'failed', 'cancelled')",
            owner,
        )
        return [row[0] for row in rows]

    def _answer(self, conversation: str, place: int, reply: Reply) -> None:
        self._base.execute(
            "INSERT OR IGNORE INTO replies VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                reply.job,
                conversation,
                place,
                reply.card,
                reply.created,
                reply.state,
                reply.text,
                reply.artifact,
                None,
                json.dumps(reply.remarks),
            ),
        )

    def _name(self, conversation: Conversation) -> None:
        self._base.execute(
            "DELETE FROM words WHERE conversation = ? AND part = 'title'", (conversation.id,)
        )
        self._learn(conversation.id, conversation.title, "title")

    def _learn(self, conversation: str, text: str, part: str = "said") -> None:
        self._base.execute(
            "INSERT INTO words (conversation, part, text) VALUES (?, ?, ?)",
            (conversation, part, " ".join(words(text))),
        )

    def _select(self, query: str, *values: Any) -> Sequence[Any]:
        with self._lock:
            return self._base.execute(query, values).fetchall()


def _reply(row: Any) -> Reply:
    job, card, created, state, text, artifact, error, remarks = row
    return Reply(
        job,
        card,
        created,
        JobState(state),
        text,
        artifact,
        None if error is None else json.loads(error),
        tuple(json.loads(remarks)),
    )
