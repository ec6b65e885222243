"""Uploads: files that people brought along, kept by id until nobody needs them.

They lie in `home/uploads/<owner, hashed>/<id>`, each beside what is known of it, `<id>.json`, whose
time of change says when the upload was last used. The same file of the same owner has the same id.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.files import replacing
from studio.tasks.request import Kind

_ID = re.compile("[0-9a-f]{32}")
_CHUNK = 1_000_000  # bytes that are copied at a time


@dataclass(frozen=True)
class Upload:
    """A file that its owner brought along; a request's media field can name its id."""

    #: 128 bits in hex, from the owner and the content.
    id: str
    kind: Kind
    #: From the content, whatever the file is called.
    media_type: str
    #: Bytes of the file.
    size: int
    #: SHA-256 of the file.
    sha256: str
    #: What its owner called it.
    name: str
    #: Of a picture or a film, upright, in pixels.
    width: int | None = None
    height: int | None = None
    #: Of a sound or a film.
    seconds: float | None = None
    #: What its manifest is worth: `trusted`, `valid`, `invalid` or `absent`.
    manifest: str = "absent"
    #: The artifact that it is, or is a copy of, if it was made here.
    parent: str | None = None

    @staticmethod
    def from_record(record: dict[str, Any]) -> Upload:
        """The upload that `asdict` described."""
        return Upload(**record)


class Uploads:
    """Everybody's uploads below one folder; safe for several threads."""

    def __init__(self, folder: Path, *, most: int, most_bytes: int) -> None:
        """At most `most` uploads and `most_bytes` for each owner."""
        self._folder = folder
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What a crash has left: files on their way in, and such as have no record or lost it.
        for remnant in folder.glob(".incoming-*"):
            remnant.unlink()
        for file in folder.glob("*/*"):
            if not file.suffix and not file.with_suffix(".json").exists():
                file.unlink()

    @contextlib.contextmanager
    def receiving(self, source: Path, limit: int) -> Iterator[tuple[Path, str]]:
        """A private copy of the file `source`, and its SHA-256; gone afterwards unless kept.

        A copy, so that what was looked at is what is kept, whatever becomes of the source.

        Raises:
            NotFound: if there is no such file, or it may not be read.
            InvalidRequest: if it is empty, no ordinary file, or longer than `limit` bytes.
        """
        if source.exists() and not source.is_file():
            raise InvalidRequest("This is not a file.", hint="Name a picture, a sound or a film.")
        copy = self._folder / f".incoming-{secrets.token_hex(8)}"
        digest = hashlib.sha256()
        size = 0
        try:
            with contextlib.ExitStack() as files:
                try:
                    original = files.enter_context(source.open("rb"))
                except OSError as error:
                    raise NotFound(
                        f"This file cannot be read: {error.strerror}.",
                        hint="Check its name and its permissions.",
                    ) from None
                descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                target = files.enter_context(os.fdopen(descriptor, "wb"))
                while chunk := original.read(_CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise InvalidRequest(
                            f"This file is longer than {limit} bytes, which is the most that is "
                            "accepted.",
                            hint="Reduce it, or raise `max_upload_bytes` in the settings.",
                        )
                    digest.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            if not size:
                raise InvalidRequest(
                    "This file is empty.", hint="Fetch it again from where it came."
                )
            yield copy, digest.hexdigest()
        finally:
            copy.unlink(missing_ok=True)

    def keep(self, owner: str, copy: Path, upload: Upload) -> Upload:
        """Keep what `receiving` gave as the owner's upload; one that is there already stays.

        Raises:
            Unavailable: if the owner has too many, or too much.
        """
        with self._lock, contextlib.suppress(NotFound):
            return self._touched(owner, upload.id)
        folder = self._of(owner)
        folder.mkdir(mode=0o700, exist_ok=True)
        with self._lock:
            sizes = [path.stat().st_size for path in folder.glob("*") if not path.suffix]
            if len(sizes) >= self._most or sum(sizes) + upload.size > self._most_bytes:
                raise Unavailable(
                    f"You have {len(sizes)} uploads with {sum(sizes)} bytes, and more are not "
                    "kept.",
                    hint="Those that are not used vanish by themselves after `upload_days`.",
                )
            with replacing(
                folder / f"{upload.id}.json", json.dumps(asdict(upload)).encode()
            ) as put:
                # The file first: what has no record is no upload yet.
                copy.rename(folder / upload.id)
                put()
        return upload

    def get(self, owner: str, identity: str) -> Upload:
        """The owner's upload, which counts as used now.

        Raises:
            NotFound: if there is none, or it is somebody else's.
        """
        with self._lock:
            return self._touched(owner, identity)

    def path(self, owner: str, identity: str) -> Path:
        """Where the file of an upload lies."""
        return self._of(owner) / identity

    def discard(self, owner: str, identity: str) -> None:
        """Delete an upload; nothing happens if there is none."""
        with self._lock:
            for suffix in (".json", ""):
                (self._of(owner) / f"{identity}{suffix}").unlink(missing_ok=True)

    def sweep(self, before: float, needed: Collection[str]) -> int:
        """Remove what nobody used since then, except the ids in `needed`; returns how many."""
        gone = 0
        for record in self._folder.glob("*/*.json"):
            with self._lock:
                if record.stem in needed or record.stat().st_mtime >= before:
                    continue
                record.unlink()
                record.with_suffix("").unlink(missing_ok=True)
                gone += 1
        return gone

    def _touched(self, owner: str, identity: str) -> Upload:
        nothing = NotFound("You have no such upload.", hint="Upload the file again.")
        if not _ID.fullmatch(identity):
            raise nothing
        record = self._of(owner) / f"{identity}.json"
        try:
            found = cast(dict[str, Any], json.loads(record.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise nothing from None
        record.touch()
        return Upload.from_record(found)

    def _of(self, owner: str) -> Path:
        return self._folder / hashlib.sha256(owner.encode(errors="surrogatepass")).hexdigest()[:32]


def upload_id(owner: str, sha256: str) -> str:
    """The id of an owner's upload with this content."""
    name = f"upload:{len(owner)}:{owner}{sha256}".encode(errors="surrogatepass")
    return hashlib.sha256(name).hexdigest()[:32]
