"""Artifacts: finished, signed outputs, kept by id.

Media lie in `home/artifacts/<first two characters>/<id>.<extension>`, each beside its private
note, `<id>.note.json`. The files are the truth: the index can be rebuilt from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
