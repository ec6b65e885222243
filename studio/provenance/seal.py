"""The one door out: a draft becomes a marked, signed, published artifact, or nothing at all.

mark → encode → fingerprint → sign → read back and check → ledger → publish by rename.

The ledger's row comes after the check, so that a seal that fails leaves nothing behind; a crash
right after it leaves a row whose output never appeared, which harms nobody.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

import studio
from studio.artifacts import Artifact, ArtifactStore, Note, artifact_id
from studio.cards import Card
from studio.draft import Draft
from studio.errors import NotFound, SealFailed, StudioError, Unavailable
from studio.job import Job
from studio.provenance.attestation import unmarked
from studio.provenance.encode import FORMATS, Format, encode_preview
from studio.provenance.keys import Keys
from studio.provenance.ledger import Entry, Ledger
from studio.provenance.manifest import Ingredient, Statement, read, sign
from studio.provenance.marks import Marked
from studio.provenance.media import Medium
from studio.settings import Settings
from studio.tasks.request import Kind

#: Bytes that stay free on the disk: databases must be able to write their last rows.
_RESERVE = 16_000_000
#: What of a draft's facts its owner is told in the note.
_ABOUT = ("plan", "loop", "language", "cues")


@dataclass(frozen=True)
class Sealer:
    """Seals the drafts of one installation; called from any thread."""

    settings: Settings
    keys: Keys
    ledger: Ledger
    store: ArtifactStore
    media: Mapping[Kind, Medium]

    def seal(
        self,
        draft: Draft,
        *,
        job: Job,
        card: Card,
        revision: str,
        ingredients: Sequence[Ingredient] = (),
        batch: int,
        versions: Mapping[str, str],
    ) -> Artifact:
        """The published artifact of `draft`; sealing the same output again returns the first one.

        Raises:
            Unavailable: if the disk is full; `retry` says that nothing else is wrong.
            SealFailed: if anything else went wrong. The output is withheld, nothing is left behind.
        """
        identity = artifact_id(job.id, draft.index)
        with _failing_closed():
            with contextlib.suppress(NotFound):
                return self.store.get(identity)
            medium = self.media.get(draft.kind)
            if medium is None:
                raise Unavailable(f"There is no mark for {draft.kind} yet.", hint="")
            target = FORMATS[str(job.request["format"])]
            # What cannot hold its own manifest is marked whatever anybody attested.
            waived = unmarked(self.keys, self.ledger).get(job.task) if target.embeds else None
            marked, number = (None, "") if waived else self._mark(draft, medium)
            content = marked.draft if marked else draft
            key = self.keys.signing()
            statement = Statement(
                studio=self.settings.label,
                version=studio.__version__,
                task=job.task,
                card=card.name,
                revision=revision,
                licence=card.licence,
                notice=card.studio.notice,
                mark_alg=medium.mark.alg if medium.mark else "",
                mark=number,
                allow_training=self.settings.allow_training,
            )
            media, manifest = sign(
                medium.encode(content, target),
                target.media_type,
                statement,
                key,
                ingredients,
                embed=target.embeds,
            )
            companion = None if target.embeds else manifest
            finished = self._check(media, target, companion, medium, content)
            marks: dict[str, dict[str, Any]] = {}
            if medium.mark and marked:
                found = medium.mark.detect(finished, thorough=False)
                read_as = f"{found.payload:012x}" if found else ""
                marks[draft.kind] = {
                    "id": number,
                    "alg": medium.mark.alg,
                    "key": marked.key,
                    "psnr": marked.psnr,
                    "margin": marked.margin,
                    "weak": marked.weak or read_as != number,
                    # The mark of something that this was made from can outshout its own.
                    "foreign": read_as if read_as != number else "",
                }
            note = Note(
                job=job.id,
                index=draft.index,
                owner=self.ledger.pseudonym(job.owner),
                task=job.task,
                card=card.name,
                revision=revision,
                request=dict(job.request),
                request_sha256=_digest_of(job.request),
                draft_sha256=draft.digest(),
                seed=draft.seed,
                parents=tuple(dict.fromkeys(one.artifact for one in ingredients if one.artifact)),
                marks=marks,
                batch=batch,
                versions={"studio": studio.__version__, **versions, "signing-key": key.id},
                created=time.time(),
                made_with=(
                    *draft.facts.get("made with", ()),
                    *([f"no hidden mark, as {waived.by} attested"] if waived else []),
                ),
                about={
                    **{name: draft.facts[name] for name in _ABOUT if name in draft.facts},
                    **medium.measure(content),
                },
            )
            artifact = Artifact(
                id=identity,
                owner=job.owner,
                kind=draft.kind,
                media_type=target.media_type,
                size=len(media),
                sha256=hashlib.sha256(media).hexdigest(),
                note=note,
            )
            self._require_space(2 * len(media))
            self.ledger.append(_entry(artifact, medium.fingerprint(content), content))
            return self.store.publish(artifact, media, companion)

    def preview(self, identity: str) -> Path:
        """The small copy of a published picture, made the first time that it is asked for.

        Raises:
            NotFound: if there is no such artifact, or it is no picture.
        """

        def make(media: Path) -> bytes:
            with Image.open(media) as picture:
                return encode_preview(picture)

        if self.store.get(identity).kind != "image":
            raise NotFound("Only pictures have previews.", hint="Open the file itself.")
        return self.store.preview(identity, make)

    def _mark(self, draft: Draft, medium: Medium) -> tuple[Marked | None, str]:
        """`draft` with a number in it that no output has yet, and the number, if it takes any."""
        if medium.mark is None:
            return None, ""
        while True:
            number = secrets.randbits(48)
            if self.ledger.by_mark(f"{number:012x}") is None:
                return medium.mark.embed(draft, number), f"{number:012x}"

    def _check(
        self, media: bytes, target: Format, companion: bytes | None, medium: Medium, content: Draft
    ) -> Draft:
        """The content of the finished file, read as a stranger would; `SealFailed` if it is off."""
        anchors = self.keys.root_pem()
        report = read(io.BytesIO(media), target.media_type, anchors, companion)
        if report.state != "trusted":
            raise SealFailed(
                f"The manifest reads back as {report.state}: {', '.join(report.problems)}."
            )
        return medium.read(media, content)

    def _require_space(self, needed: int) -> None:
        if shutil.disk_usage(self.store.folder).free < needed + _RESERVE:
            raise _disk_full()


def _entry(artifact: Artifact, print_: bytes, content: Draft) -> Entry:
    note = artifact.note
    height, width = content.arrays["pixels"].shape[:2] if artifact.kind == "image" else (0, 0)
    mark = note.marks.get(artifact.kind, {"id": "", "alg": "", "key": "", "weak": False})
    return Entry(
        artifact=artifact.id,
        kind=artifact.kind,
        media_type=artifact.media_type,
        sha256=artifact.sha256,
        draft_sha256=note.draft_sha256,
        mark=mark["id"],
        mark_alg=mark["alg"],
        mark_key=mark["key"],
        mark_weak=mark["weak"],
        fingerprint=print_.hex(),
        signing_key=note.versions["signing-key"],
        owner=note.owner,
        task=note.task,
        card=note.card,
        revision=note.revision,
        parents=note.parents,
        created=note.created,
        width=width,
        height=height,
    )


def _digest_of(request: Mapping[str, object]) -> str:
    text = json.dumps(dict(request), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def _failing_closed() -> Iterator[None]:
    """Whatever goes wrong inside becomes `SealFailed`, or `Unavailable` if the disk is full."""
    try:
        yield
    except StudioError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise _disk_full() from error
        raise SealFailed(f"The output could not be published: {error}.") from error
    except sqlite3.OperationalError as error:
        # SQLite reports a file that may not grow as a failed write.
        if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            raise _disk_full() from error
        raise SealFailed(f"The ledger could not be written: {error}.") from error
    except Exception as error:
        raise SealFailed(f"The output could not be marked and signed: {error}.") from error


def _disk_full() -> Unavailable:
    return Unavailable(
        "The disk is full, so the output cannot be kept.",
        hint="Free some space; the job goes on by itself.",
        retry=True,
    )
