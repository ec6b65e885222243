"""An artifact: one finished, signed output, its note, and what its owner did with it since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

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
    #: What was done that changes the output a little: `decoded in tiles`, `weights in 8 bits` …
    made_with: tuple[str, ...] = ()
    #: What the content turned out to be: the levels of a sound, the plan of a piece, who says what
    #: when (`cues`).
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Keeping:
    """What an artifact's owner did with it since it was made. Nothing of this is ever signed."""

    starred: bool = False
    tags: tuple[str, ...] = ()
    #: Ids of the collections it is in.
    collections: tuple[str, ...] = ()
    #: When it was thrown into the bin, in seconds since the epoch.
    deleted: float | None = None
    #: What a model that sees says it shows, once one has looked at it.
    caption: str = ""


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
    keeping: Keeping = Keeping()

    def record(self) -> dict[str, Any]:
        """The artifact as plain JSON."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Artifact:
        """The artifact that `record` describes; what a later version added to it is left out.

        Raises:
            KeyError: if something is missing.
        """
        earlier = {"made_with": (), "about": {}, **record["note"]}
        note = {name: earlier[name] for name in Note.__dataclass_fields__}
        note |= {name: tuple(note[name]) for name in ("parents", "made_with")}
        keeping = dict(record.get("keeping", {}))
        for name in keeping.keys() & {"tags", "collections"}:
            keeping[name] = tuple(keeping[name])
        known = {
            name: record[name] for name in ("id", "owner", "kind", "media_type", "size", "sha256")
        }
        return Artifact(**known, note=Note(**note), keeping=Keeping(**keeping))


def artifact_id(job_id: str, index: int) -> str:
    """The id of output `index` of a job: 128 bits in hex, as unguessable as the job's own id."""
    return hashlib.sha256(f"artifact:{job_id}:{index}".encode()).hexdigest()[:32]
