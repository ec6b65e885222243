"""Artifacts: finished, signed outputs, kept by id.

Media lie in `home/artifacts/<first two characters>/<id>.<extension>`, each beside its private
note, `<id>.note.json`. The files are the truth: the index can be rebuilt from them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from studio.errors import NotFound
from studio.tasks.request import Kind


@dataclass(frozen=True)
class Note:
    """The colophon of one artifact: how, where and by what it was made. Private to its owner."""

    job: str
    #: Place in the job.
    index: int
    #: Keyed pseudonym of the owner; the ledger's separate table can forget whose it is.
    owner: str
    task: str
    card: str
    #: Which weights: a locked commit, or `embedded`.
    revision: str
    #: The narrowed request, the prompt included.
    request: Mapping[str, Any]
    #: SHA-256 of the request's canonical JSON.
    request_sha256: str
    #: SHA-256 of the draft: equal for equal content, although every mark is unique.
    draft_sha256: str
    seed: int
    #: Ids of the artifacts this one was made from.
    parents: tuple[str, ...]
    #: The marks that were embedded, by layer: `{"image": {"id": …, "alg": …, "psnr": …}}`.
    marks: Mapping[str, Any]
    #: How many orders ran in one batch with this one.
    batch: int
    #: The versions that made it: studio, torch, diffusers, device …
    versions: Mapping[str, str]
    #: Seconds since the epoch.
    created: float


@dataclass(frozen=True)
class Artifact:
    """One published output."""

    #: 128 bits in hex, derived from the job's id and the index: a retry finds what it made before.
    id: str
    owner: str
    kind: Kind
    #: `image/png` …
    media_type: str
    #: Bytes of the file.
    size: int
    #: SHA-256 of the file.
    sha256: str
    note: Note

    def record(self) -> dict[str, Any]:
        """The artifact as plain JSON, as its private note file holds it."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Artifact:
        """The artifact that `record` describes."""
        note = dict(record["note"])
        note["parents"] = tuple(note["parents"])
        return Artifact(**{**record, "note": Note(**note)})


#: The extension that files of each media type are published under.
EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}
)


def artifact_id(job_id: str, index: int) -> str:
    """The id of output `index` of a job: 128 bits in hex, as unguessable as the job's own id."""
    return hashlib.sha256(f"artifact:{job_id}:{index}".encode()).hexdigest()[:32]


_SCHEMA = """
CREATE TABLE IF NOT EXISTS artifacts (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, place INTEGER NOT NULL, owner TEXT NOT NULL,
    created REAL NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS artifacts_job ON artifacts (job, place);
CREATE INDEX IF NOT EXISTS artifacts_newest ON artifacts (created, id);
CREATE INDEX IF NOT EXISTS artifacts_owner ON artifacts (owner, created, id);
"""


class ArtifactStore:
    """All published outputs below one folder; safe for several threads and processes.

    An artifact is published when its media file is in place, and not before: the note goes first,
    the media second, both by renaming whole files, and the index follows them. So a crash leaves
    temporary files or a note without media, which nobody sees, and never half an output.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.RLock()
        path = folder / "index.sqlite"
        fresh = not path.exists()
        try:
            self._index = _open_index(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            # The index holds nothing that the files do not say.
            for remnant in folder.glob("index.sqlite*"):
                remnant.unlink()
            self._index, fresh = _open_index(path), True
        if fresh:
            self.rebuild()

    def close(self) -> None:
        """Close the index; the store is not used again."""
        self._index.close()

    def get(self, identity: str) -> Artifact:
        """The artifact with this id.

        Raises:
            NotFound: if there is none; also for texts that could not be an id.
        """
        with self._lock:
            row = self._index.execute(
                "SELECT record FROM artifacts WHERE id = ?", (identity,)
            ).fetchone()
        if row is not None:
            return Artifact.from_record(json.loads(row[0]))
        # A crash can come between the rename and the index.
        artifact = self._read(identity)
        if artifact is None:
            raise NotFound(
                f"There is no artifact {identity[:40]!r}.",
                hint="The gallery lists what there is.",
            )
        self._enter([artifact])
        return artifact

    def path(self, identity: str) -> Path:
        """Where the media file of an artifact is; `NotFound` if there is no such artifact."""
        return self._media(self.get(identity))

    def of_job(self, job: str) -> dict[int, str]:
        """The published outputs of a job: index to id."""
        with self._lock:
            rows = self._index.execute(
                "SELECT place, id FROM artifacts WHERE job = ? ORDER BY place", (job,)
            ).fetchall()
        return dict(rows)

    def list(
        self, owner: str | None = None, *, limit: int, before: str | None = None
    ) -> list[Artifact]:
        """At most `limit` artifacts, newest first, of one owner or of all.

        `before` is the id of the last artifact of the page before; an unknown id is `NotFound`.
        """
        query = "SELECT record FROM artifacts WHERE TRUE"
        values: tuple[str | float, ...] = ()
        if owner is not None:
            query += " AND owner = ?"
            values += (owner,)
        if before is not None:
            query += " AND (created, id) < (?, ?)"
            values += (self.get(before).note.created, before)
        with self._lock:
            rows = self._index.execute(
                f"{query} ORDER BY created DESC, id DESC LIMIT ?", (*values, limit)
            ).fetchall()
        return [Artifact.from_record(json.loads(row[0])) for row in rows]

    def publish(self, artifact: Artifact, media: bytes) -> Artifact:
        """Make an output visible as a whole, or not at all; one that already is, wins.

        Only `studio.provenance.seal` calls this: `media` is marked and signed.
        """
        with self._lock:
            with contextlib.suppress(NotFound):
                return self.get(artifact.id)
            target = self._media(artifact)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            note = json.dumps(artifact.record(), indent=1).encode()
            with (
                _replacing(self._note(artifact.id), note) as place_note,
                _replacing(target, media) as place_media,
            ):
                place_note()
                place_media()
            _sync_folder(target.parent)
            self._enter([artifact])
        return artifact

    def delete(self, identity: str) -> None:
        """Remove an artifact and its note; `NotFound` if there is none."""
        artifact = self.get(identity)
        with self._lock:
            self._media(artifact).unlink(missing_ok=True)
            self._note(identity).unlink(missing_ok=True)
            with self._index:
                self._index.execute("DELETE FROM artifacts WHERE id = ?", (identity,))

    def rebuild(self) -> None:
        """Make the index anew from the files, and sweep what crashes have left behind."""
        with self._lock:
            found = []
            for path in self.folder.glob("??/*"):
                if path.name.startswith("."):
                    path.unlink()
                elif path.name.endswith(_NOTE):
                    artifact = self._read(path.name.removesuffix(_NOTE))
                    found += [artifact] if artifact else []
            with self._index:
                self._index.execute("DELETE FROM artifacts")
            self._enter(found)

    def _enter(self, artifacts: Sequence[Artifact]) -> None:
        rows = [
            (a.id, a.note.job, a.note.index, a.owner, a.note.created, json.dumps(a.record()))
            for a in artifacts
        ]
        with self._lock, self._index:
            self._index.executemany("INSERT OR REPLACE INTO artifacts VALUES (?,?,?,?,?,?)", rows)

    def _read(self, identity: str) -> Artifact | None:
        """The artifact as its files tell it, if both are there."""
        if len(identity) != 32 or not identity.isalnum():
            return None
        try:
            record = json.loads(self._note(identity).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        artifact = Artifact.from_record(record)
        return artifact if self._media(artifact).is_file() else None

    def _media(self, artifact: Artifact) -> Path:
        name = f"{artifact.id}.{EXTENSIONS[artifact.media_type]}"
        return self.folder / artifact.id[:2] / name

    def _note(self, identity: str) -> Path:
        return self.folder / identity[:2] / f"{identity}{_NOTE}"


_NOTE = ".note.json"


def _open_index(path: Path) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        index.execute("PRAGMA journal_mode = WAL")
        index.execute("PRAGMA synchronous = NORMAL")
        index.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        index.close()
        raise
    return index


@contextlib.contextmanager
def _replacing(target: Path, content: bytes) -> Iterator[Callable[[], None]]:
    """A function that puts `content`, already safe on the disk, in `target`'s place in one go."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield lambda: os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
