"""What runs there are, and how far each is: one SQLite file.

Only the frame of a run is kept here. Its steps are jobs, each under a key that follows from the
run, the row and the step, so whatever a crash keeps from being written here is found again by
ordering the same thing under the same key.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from studio.errors import NotFound
from studio.recipes.document import Recipe
from studio.recipes.run import Line, Made, Run, RunState, StepState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL,
    state TEXT NOT NULL, total INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0, recipe TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS runs_owner ON runs (owner, created, id);
CREATE TABLE IF NOT EXISTS rows (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, place INTEGER NOT NULL,
    line INTEGER NOT NULL, task TEXT, cells TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rows_state ON rows (run, state, place);
CREATE TABLE IF NOT EXISTS steps (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, place INTEGER NOT NULL,
    step TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL, job TEXT, seed INTEGER,
    artifacts TEXT NOT NULL, error TEXT, PRIMARY KEY (run, place, step)
) STRICT, WITHOUT ROWID;
"""
_RUN = "id, owner, name, created, state, total, done, failed"
_KEEP_STEP = "INSERT OR REPLACE INTO steps VALUES (?,?,?,?,?,?,?,?,?)"


class RunStore:
    """All runs of one home; safe for several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._base = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        path.chmod(0o600)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA foreign_keys = ON")
        self._base.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; the store is not used again."""
        # Under the lock: a thread whose task was cancelled may still be reading.
        with self._lock:
            self._base.close()

    def add(self, run: Run, recipe: Recipe | None, lines: Iterable[Line]) -> Run | None:
        """Keep a new run with its lines and their steps, all or nothing; returns it with its total.

        None if there is one under this id already, which stays as it is. `lines` may raise: then
        nothing is kept.
        """
        document = None if recipe is None else json.dumps(recipe.record())
        total = 0
        # Aside first: checking a long table takes a while, and others write here meanwhile.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as aside:
            for line in lines:
                total += 1
                cells = json.dumps(dict(line.values), ensure_ascii=False)
                row = (run.id, line.place, line.line, line.task, cells, line.state)
                steps = [_row_of(run.id, line.place, made) for made in line.steps]
                aside.write(json.dumps((row, steps)) + "\n")
            aside.seek(0)
            with self._lock, _transaction(self._base):
                if self._select("SELECT 1 FROM runs WHERE id = ?", run.id):
                    return None
                self._base.execute(
                    f"INSERT INTO runs ({_RUN}, recipe) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608
                    (run.id, run.owner, run.name, run.created, run.state, total, 0, 0, document),
                )
                for row, steps in map(json.loads, aside):
                    self._base.execute("INSERT INTO rows VALUES (?,?,?,?,?,?)", row)
                    self._base.executemany(_KEEP_STEP, steps)
        return self.get(run.id)

    def get(self, run: str) -> Run:
        """The run with this id; `NotFound` if there is none."""
        found = self._select(f"SELECT {_RUN} FROM runs WHERE id = ?", run)  # noqa: S608
        if not found:
            raise NotFound("You have no such run.", hint="`studio recipe runs` lists yours.")
        return _run(found[0])

    def recipe(self, run: str) -> Recipe | None:
        """The recipe that a run carries out; None for a plain batch."""
        (document,) = self._select("SELECT recipe FROM runs WHERE id = ?", run)[0]
        return None if document is None else Recipe.of(json.loads(document))

    def runs(self, owner: str, *, limit: int, before: Run | None = None) -> list[Run]:
        """The owner's runs, newest first."""
        place = (before.created, before.id) if before else (float("inf"), "")
        return [
            _run(row)
            for row in self._select(
                f"SELECT {_RUN} FROM runs WHERE owner = ? AND (created, id) < (?, ?) "  # noqa: S608
                "ORDER BY created DESC, id DESC LIMIT ?",
                owner,
                *place,
                limit,
            )
        ]

    def running(self) -> list[Run]:
        """Every run that is to go on."""
        rows = self._select(f"SELECT {_RUN} FROM runs WHERE state = ?", RunState.RUNNING)  # noqa: S608
        return [_run(row) for row in rows]

    def lines(
        self, run: str, *, limit: int, after: int = -1, state: StepState | None = None
    ) -> list[Line]:
        """At most `limit` lines behind the place `after`, of one state or of all."""
        query = "SELECT place, line, task, cells, state FROM rows WHERE run = ? AND place > ?"
        values: tuple[Any, ...] = (run, after)
        if state is not None:
            query, values = f"{query} AND state = ?", (*values, state)
        rows = self._select(f"{query} ORDER BY place LIMIT ?", *values, limit)
        if not rows:
            return []
        made: dict[int, list[Made]] = {}
        for place, *step in self._select(
            "SELECT place, step, state, attempt, job, seed, artifacts, error FROM steps "
            "WHERE run = ? AND place BETWEEN ? AND ?",
            run,
            rows[0][0],
            rows[-1][0],
        ):
            made.setdefault(place, []).append(_made(step))
        return [
            Line(place, line, task, json.loads(cells), StepState(at), tuple(made.get(place, ())))
            for place, line, task, cells, at in rows
        ]

    def step(self, run: str, place: int, made: Made) -> None:
        """Remember how a step stands."""
        with self._lock, _transaction(self._base):
            self._base.execute(_KEEP_STEP, _row_of(run, place, made))

    def settle(self, run: str, place: int, state: StepState) -> None:
        """Remember that a row has ended, and count it."""
        column = "failed" if state is StepState.FAILED else "done"
        with self._lock, _transaction(self._base):
            self._base.execute(
                "UPDATE rows SET state = ? WHERE run = ? AND place = ?", (state, run, place)
            )
            self._base.execute(f"UPDATE runs SET {column} = {column} + 1 WHERE id = ?", (run,))  # noqa: S608

    def mark(self, run: str, state: RunState) -> None:
        """Remember where the run is."""
        with self._lock, _transaction(self._base):
            self._base.execute("UPDATE runs SET state = ? WHERE id = ?", (state, run))

    def reopen(self, run: str, steps: Mapping[int, Iterable[str]]) -> None:
        """Let these steps of these rows be ordered anew; what they made before stays made."""
        with self._lock, _transaction(self._base):
            for place, names in steps.items():
                (before,) = self._select(
                    "SELECT state FROM rows WHERE run = ? AND place = ?", run, place
                )[0]
                if before != StepState.WAITING:
                    column = "failed" if before == StepState.FAILED else "done"
                    self._base.execute(
                        f"UPDATE runs SET {column} = {column} - 1 WHERE id = ?",  # noqa: S608
                        (run,),
                    )
                self._base.execute(
                    "UPDATE rows SET state = ? WHERE run = ? AND place = ?",
                    (StepState.WAITING, run, place),
                )
                self._base.executemany(
                    "UPDATE steps SET state = ?, attempt = attempt + 1, job = NULL, seed = NULL, "
                    "artifacts = '[]', error = NULL WHERE run = ? AND place = ? AND step = ?",
                    [(StepState.WAITING, run, place, name) for name in names],
                )

    def _select(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, closing(self._base.execute(query, values)) as rows:
            return rows.fetchall()


class _transaction:  # noqa: N801 - reads as a statement
    """Everything inside is written, or nothing."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    def __enter__(self) -> None:
        self._base.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._base.execute("COMMIT" if kind is None else "ROLLBACK")


def _run(row: tuple[Any, ...]) -> Run:
    identity, owner, name, created, state, total, done, failed = row
    return Run(identity, owner, name, created, RunState(state), total, done, failed)


def _row_of(run: str, place: int, made: Made) -> tuple[Any, ...]:
    error = None if made.error is None else json.dumps(made.error)
    artifacts = json.dumps(made.artifacts)
    key = (run, place, made.step)
    return (*key, made.state, made.attempt, made.job, made.seed, artifacts, error)


def _made(row: Iterable[Any]) -> Made:
    step, state, attempt, job, seed, artifacts, error = row
    return Made(
        step,
        StepState(state),
        attempt,
        job,
        seed,
        tuple(json.loads(artifacts)),
        None if error is None else json.loads(error),
    )
