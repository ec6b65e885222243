"""The store of artifacts: finished, signed outputs, kept by id.

Media lie in `home/artifacts/<first two characters>/<id>.<extension>`, each beside its private
note, `<id>.note.json`, and, where there is something to say, what its owner did with it since,
`<id>.keeping.json`, and the manifest that the file cannot hold, `<id>.c2pa`. The files are the
truth: the index is rebuilt from them whenever it is lost.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from studio.artifact import Artifact, artifact_id
from studio.collection import Collections, short_name
from studio.errors import InvalidRequest, NotFound
from studio.files import replacing, sync_folder
from studio.formats import EXTENSIONS
from studio.gallery import Contents, Filter, Lineage
from studio.index import Index

#: How far up and down a family is told, and how many children of each.
_GENERATIONS = 4
_CHILDREN = 24
_MAX_TAGS = 32
#: Seconds after which a file that belongs to nothing was left by a crash.
_SWEPT_AFTER = 3600.0
#: What folders of files on their way are called, and seconds after which a crash left them.
_STAGING, _STAGED_AT_MOST = ".sealing-", 24 * 3600.0

_LOG = logging.getLogger(__name__)


class ArtifactStore:
    """All published outputs below one folder; safe for several threads and processes.

    An artifact is published when its media file is in place, and not before: the note goes first,
    the media second, both by renaming whole files, and the index follows them. So a crash leaves
    temporary files or a note without media, which nobody sees, and never half an output. The bin
    is no place but a word in the keeping: throwing away and restoring are one small file each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.RLock()
        for remnant in folder.glob(f"{_STAGING}*"):
            if remnant.stat().st_mtime < time.time() - _STAGED_AT_MOST:
                shutil.rmtree(remnant, ignore_errors=True)
        path = folder / "index.sqlite"
        try:
            self._index = Index(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            # The index holds nothing that the files do not say.
            for remnant in folder.glob("index.sqlite*"):
                remnant.unlink()
            self._index = Index(path)
        self.collections = Collections(folder / "collections", self._index)
        if not self._index.current:
            self.rebuild()

    def close(self) -> None:
        """Close the index; the store is not used again."""
        self._index.close()

    def get(self, identity: str, *, binned: bool = False) -> Artifact:
        """The artifact with this id; with `binned` also from the bin.

        Raises:
            NotFound: if there is none; also for texts that could not be an id.
        """
        artifact = self._look(identity)
        if artifact is None or (artifact.keeping.deleted is not None and not binned):
            raise NotFound(
                f"There is no artifact {identity[:40]!r}.",
                hint="The gallery lists what there is.",
            )
        return artifact

    def path(self, identity: str) -> Path:
        """Where the media file of an artifact is; `NotFound` if there is no such artifact."""
        return self._media(self.get(identity))

    def of_job(self, job: str, count: int = 0) -> dict[int, str]:
        """The published outputs of a job, those in the bin too: place to id.

        The first `count` are also looked for where a crash has kept them out of the index.
        """
        found = self._index.of_job(job)
        for place in range(count):
            if place not in found and self._look(identity := artifact_id(job, place)) is not None:
                found[place] = identity
        return found

    def list(
        self, owner: str, where: Filter | None = None, *, limit: int, before: str | None = None
    ) -> list[Artifact]:
        """At most `limit` of an owner's artifacts, newest first.

        `before` is the id of the last artifact of the page before; an unknown id is `NotFound`.
        """
        try:
            found = self._index.find(owner, where or Filter(), limit=limit, before=before)
        except LookupError:
            raise NotFound(
                f"There is no artifact {str(before)[:40]!r}.", hint="Begin again with the newest."
            ) from None
        return [Artifact.from_record(record) for record in found]

    def ids(self, owner: str, where: Filter) -> Sequence[str]:
        """The ids of all of an owner's artifacts that a filter lets through, newest first."""
        return self._index.ids(owner, where)

    def shown(self) -> Sequence[str]:
        """The ids of everybody's pictures, films and objects that are in no bin, newest first."""
        return self._index.shown()

    def uncaptioned(self) -> Sequence[str]:
        """The ids of those of them of which nobody has said yet what they show, newest first."""
        return self._index.uncaptioned()

    def contents(self, owner: str) -> Contents:
        """How much an owner has of what."""
        sizes = self._index.sizes(owner)
        by_facet: dict[str, dict[str, int]] = {}
        for (facet, value), size in sorted(sizes.items()):
            by_facet.setdefault(facet, {})[value] = size
        return Contents(
            total=sizes.get(("all", ""), 0),
            starred=sizes.get(("starred", ""), 0),
            binned=sizes.get(("bin", ""), 0),
            kinds=by_facet.get("kind", {}),
            tasks=by_facet.get("task", {}),
            cards=by_facet.get("card", {}),
            tags=by_facet.get("tag", {}),
            collections=self.collections.of(owner),
        )

    def lineage(self, identity: str) -> Lineage:
        """The family of an artifact, as far as it belongs to the artifact's owner."""
        artifact = self.get(identity)
        up = self._ancestors(artifact, _GENERATIONS)
        down = self._descendants(artifact, _GENERATIONS)
        return Lineage(artifact, up.parents, down.children, up.more or down.more)

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """A private folder, on the same disk, for a file that is on its way to `publish`."""
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder) as folder:
            yield Path(folder)

    def publish(self, artifact: Artifact, media: Path, companion: bytes | None = None) -> Artifact:
        """Make an output visible as a whole, or not at all; one that already is, wins.

        Only `studio.provenance.seal` calls this: the file `media`, which is moved from its
        `staging`, is marked and signed. A `companion` is the signed manifest of media that cannot
        hold one.
        """
        with self._lock:
            if (there := self._look(artifact.id)) is not None:
                return there
            target = self._media(artifact)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            record = artifact.record()
            del record["keeping"]
            note = json.dumps(record, indent=1).encode()
            media.chmod(0o600)
            with media.open("rb") as file:
                os.fsync(file.fileno())
            with contextlib.ExitStack() as placing:
                parts = [(self._beside(artifact.id, _NOTE), note)]
                if companion is not None:
                    parts.append((self._beside(artifact.id, _COMPANION), companion))
                for place in [placing.enter_context(replacing(*part)) for part in parts]:
                    place()
                os.replace(media, target)
            sync_folder(target.parent)
            self._index.put(artifact.record())
        return artifact

    def companion(self, identity: str) -> Path | None:
        """The manifest beside a published file, if the file itself cannot hold one."""
        self.get(identity)
        path = self._beside(identity, _COMPANION)
        return path if path.exists() else None

    def preview(self, identity: str, make: Callable[[Path], bytes]) -> Path:
        """The small copy of an artifact, which `make` makes of its media the first time."""
        artifact = self.get(identity)
        preview = self._beside(identity, _PREVIEW)
        if not preview.exists():
            with replacing(preview, make(self._media(artifact))) as place, self._lock:
                # It may have been deleted for ever while the preview was made.
                self.get(identity, binned=True)
                place()
        return preview

    def keep(self, identity: str, **changes: Any) -> Artifact:
        """Change what is said of an artifact, in the bin or out of it; see `Keeping`."""
        with self._lock:
            artifact = self.get(identity, binned=True)
            artifact = replace(artifact, keeping=replace(artifact.keeping, **changes))
            keeping = json.dumps(asdict(artifact.keeping)).encode()
            with replacing(self._beside(identity, _KEEPING), keeping) as place:
                place()
            self._index.put(artifact.record())
        return artifact

    def collect(self, identity: str, collection: str, *, held: bool) -> Artifact:
        """Put an artifact into a collection (its id), or take it out."""
        with self._lock:
            others = self.get(identity, binned=True).keeping.collections
            others = tuple(one for one in others if one != collection)
            return self.keep(identity, collections=(*others, collection) if held else others)

    def tag(self, identity: str, tags: Sequence[str]) -> Artifact:
        """Give an artifact these tags; `InvalidRequest` for too many, or one that cannot be."""
        names = tuple(dict.fromkeys(short_name(tag) for tag in tags))
        if len(names) > _MAX_TAGS:
            raise InvalidRequest(
                f"{len(names)} tags are too many; {_MAX_TAGS} are allowed.",
                hint="A collection holds as many as you like.",
            )
        return self.keep(identity, tags=names)

    def empty(self, before: float) -> int:
        """Remove for ever what went into the bin before then, everybody's; returns how many."""
        gone = 0
        with self._lock:
            for record in self._index.binned():
                artifact = Artifact.from_record(record)
                if artifact.keeping.deleted is None or artifact.keeping.deleted > before:
                    continue
                self._media(artifact).unlink(missing_ok=True)
                for name in (_NOTE, _KEEPING, _PREVIEW, _COMPANION):
                    self._beside(artifact.id, name).unlink(missing_ok=True)
                self._index.remove(artifact.id)
                gone += 1
        return gone

    def rebuild(self) -> int:
        """Make the index anew from the files, and sweep what crashes have left behind.

        Returns how many artifacts there are, in the bin and out of it.
        """
        with self._lock:
            found: dict[str, dict[str, Any] | None] = {}
            for note in self.folder.glob(f"??/*{_NOTE}"):
                identity = note.name.removesuffix(_NOTE)
                try:
                    artifact = self._read(identity)
                except _UNREADABLE:
                    # Not shown, and not touched: its files may still be mended by hand.
                    _LOG.warning("the note %s cannot be read", note)
                    found[identity] = None
                else:
                    if artifact is not None:
                        found[identity] = artifact.record()
            self._sweep(found.keys())
            records = [record for record in found.values() if record is not None]
            self._index.fill(records, self.collections.read())
        return len(records)

    def _sweep(self, known: Collection[str]) -> None:
        """Remove what crashes have left behind; what is young may be somebody's at work."""
        old = time.time() - _SWEPT_AFTER
        for path in self.folder.glob("??/*"):
            identity, _, ending = path.name.partition(".")
            # Never media: a note goes first, so a lone file is no remnant of ours.
            ours = f".{ending}" in (_NOTE, _KEEPING, _PREVIEW, _COMPANION)
            left = not identity or (ours and identity not in known)
            with contextlib.suppress(FileNotFoundError):
                if left and path.stat().st_mtime < old:
                    path.unlink()

    def _look(self, identity: str) -> Artifact | None:
        """The artifact wherever it is, in the bin too."""
        record = self._index.get(identity)
        if record is not None:
            return Artifact.from_record(record)
        # A crash can come between the rename and the index.
        try:
            artifact = self._read(identity)
        except _UNREADABLE:
            return None
        if artifact is not None:
            self._index.put(artifact.record())
        return artifact

    def _read(self, identity: str) -> Artifact | None:
        """The artifact as its files tell it, if both are there; `_UNREADABLE` if damaged."""
        if len(identity) != 32 or not identity.isalnum():
            return None
        try:
            record = json.loads(self._beside(identity, _NOTE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        with contextlib.suppress(FileNotFoundError):
            keeping = self._beside(identity, _KEEPING).read_text(encoding="utf-8")
            record["keeping"] = json.loads(keeping)
        artifact = Artifact.from_record(record)
        return artifact if self._media(artifact).is_file() else None

    def _ancestors(self, artifact: Artifact, generations: int) -> Lineage:
        if generations == 0:
            return Lineage(artifact, more=bool(artifact.note.parents))
        found = map(self._look, artifact.note.parents)
        return Lineage(
            artifact,
            parents=tuple(
                self._ancestors(parent, generations - 1)
                if parent and parent.owner == artifact.owner and parent.keeping.deleted is None
                else Lineage(None)
                for parent in found
            ),
        )

    def _descendants(self, artifact: Artifact, generations: int) -> Lineage:
        most = _CHILDREN if generations else 0
        found = self._index.children(artifact.owner, artifact.id, limit=most + 1)
        return Lineage(
            artifact,
            children=tuple(
                self._descendants(Artifact.from_record(record), generations - 1)
                for record in found[:most]
            ),
            more=len(found) > most,
        )

    def _media(self, artifact: Artifact) -> Path:
        return self._beside(artifact.id, f".{EXTENSIONS[artifact.media_type]}")

    def _beside(self, identity: str, ending: str) -> Path:
        return self.folder / identity[:2] / f"{identity}{ending}"


_UNREADABLE = (ValueError, KeyError, TypeError)
_NOTE = ".note.json"
_KEEPING = ".keeping.json"
_PREVIEW = ".preview.webp"
_COMPANION = ".c2pa"
