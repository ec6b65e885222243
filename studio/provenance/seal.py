"""The one door out: a draft becomes a marked, signed, published artifact, or nothing at all.

mark → encode → fingerprint → sign → read back and check → ledger → publish by rename.

The ledger's row comes after the check, so that a seal that fails leaves nothing behind; a crash
right after it leaves a row whose output never appeared, which harms nobody.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import studio
from studio.artifact import Artifact, Note, artifact_id
from studio.artifacts import ArtifactStore
from studio.cards import Card
from studio.disclosure import captioned, disclosed
from studio.draft import Draft
from studio.errors import NotFound, SealFailed, StudioError, Unavailable
from studio.formats import FORMATS, Format
from studio.job import Job
from studio.provenance.attestation import unmarked
from studio.provenance.encode import encode_preview
from studio.provenance.keys import Keys
from studio.provenance.ledger import Entry, Ledger
from studio.provenance.manifest import Ingredient, Statement, read, sign
from studio.provenance.marks import Mark, Marked
from studio.provenance.media import Medium
from studio.settings import Settings
from studio.tasks.request import Kind

#: Bytes that stay free on the disk: databases must be able to write their last rows.
_RESERVE = 16_000_000
#: What of a draft's facts its owner is told in the note.
_ABOUT = ("plan", "loop", "stem", "score", "language", "cues", "usage")


@dataclass(frozen=True)
class _Hidden:
    """The number in an output, 12 hex digits, and how it went into each layer; or nothing."""

    number: str = ""
    layers: Mapping[Kind, Marked] = field(default_factory=dict)
    #: Other packages' marks of the same number, in layers that have one of our own.
    others: Mapping[Kind, Sequence[Mark]] = field(default_factory=dict)

    def told(
        self, media: Mapping[Kind, Medium], unread: Mapping[Kind, str], also: Collection[str]
    ) -> dict[str, Any]:
        """What the note says of it.

        `unread` has the layers that read as nothing, or otherwise; `also` the methods of other
        packages that read back.
        """
        return {
            layer: {
                "id": self.number,
                "alg": mark.alg,
                "key": marked.key,
                "psnr": marked.psnr,
                "margin": marked.margin,
                "weak": marked.weak or layer in unread,
                # The mark of something that this was made from can outshout its own.
                "foreign": unread.get(layer, ""),
                "also": [other.alg for other in self.others[layer] if other.alg in also],
            }
            for layer, marked in self.layers.items()
            if (mark := media[layer].mark) is not None
        }

    def why(self, layer: Kind, read_as: str) -> str:
        """Why the manifest does not claim the mark of a layer that did not read back."""
        if read_as:
            reason = "the mark of what it was made from is stronger"
        elif self.layers[layer].weak:
            reason = "it is too small or too even to hide a number"
        else:
            reason = "its format leaves too little of it"
        return f"no hidden mark claimed in the {layer}: {reason}"


@dataclass(frozen=True)
class _Finished:
    """A signed file that is not published yet."""

    path: Path
    #: The manifest, if the file does not hold it.
    companion: bytes | None
    signing_key: str
    #: As the note tells them.
    marks: Mapping[str, Any]
    #: The layers whose mark does not read back, and what they read as.
    unread: Mapping[Kind, str]


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
            medium = self.media[draft.kind]
            target = FORMATS[draft.kind, str(job.request["format"])]
            # What cannot hold its own manifest is marked whatever anybody attested.
            waived = unmarked(self.keys, self.ledger).get(job.task) if target.embeds else None
            said = disclosed(job.task, job.request)
            content, hidden = (draft, _Hidden()) if waived else self._mark(draft, target)
            statement = Statement(
                studio=self.settings.label,
                version=studio.__version__,
                task=job.task,
                card=card.name,
                revision=revision,
                licence=card.licence,
                notice=card.studio.notice,
                allow_training=self.settings.allow_training,
            )
            with self.store.staging() as folder:
                finished = self._finish(content, target, statement, hidden, ingredients, folder)
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
                    parents=tuple(
                        dict.fromkeys(one.artifact for one in ingredients if one.artifact)
                    ),
                    marks=finished.marks,
                    batch=batch,
                    versions={
                        "studio": studio.__version__,
                        **versions,
                        "signing-key": finished.signing_key,
                    },
                    created=time.time(),
                    made_with=(
                        *draft.facts.get("made with", ()),
                        *([f"no hidden mark, as {waived.by} attested"] if waived else []),
                        *([f"said in it: {said}"] if said else []),
                        *(hidden.why(layer, read) for layer, read in finished.unread.items()),
                    ),
                    about={
                        "licence": card.licence,
                        **self._about(draft),
                        **medium.measure(content),
                    },
                )
                artifact = Artifact(
                    id=identity,
                    owner=job.owner,
                    kind=draft.kind,
                    media_type=target.media_type,
                    size=finished.path.stat().st_size,
                    sha256=_sha256(finished.path),
                    note=note,
                )
                self._require_space(artifact.size)
                self.ledger.append(_entry(artifact, medium.fingerprint(content), content))
                return self.store.publish(artifact, finished.path, finished.companion)

    def prepare(self, kind: Kind) -> None:
        """Load what the first seal of this kind would have to load."""
        _ = self.media[kind].mark

    def preview(self, identity: str) -> Path:
        """The small picture of a published output, made the first time that it is asked for.

        Raises:
            NotFound: if there is no such artifact, or nothing to see in its kind.
        """
        picture = self.media[self.store.get(identity).kind].picture
        if picture is None:
            raise NotFound("This has no preview.", hint="Open the file itself.")
        return self.store.preview(identity, lambda media: encode_preview(picture(media)))

    def _about(self, draft: Draft) -> dict[str, Any]:
        """What of the draft's facts its owner is told."""
        about = {name: draft.facts[name] for name in _ABOUT if name in draft.facts}
        # A transcript has cues, too, and those may be of anybody's voice.
        speaks = draft.kind == "audio" and about.get("cues")
        if speaks and self.settings.disclosure == "written":
            about["cues"] = captioned(about["cues"], about.get("language", ""))
        return about

    def _mark(self, draft: Draft, target: Format) -> tuple[Draft, _Hidden]:
        """`draft` with a number that no output has yet in every layer that takes one."""
        number = secrets.randbits(48)
        while self.ledger.by_mark(f"{number:012x}") is not None:
            number = secrets.randbits(48)
        layers: dict[Kind, Marked] = {}
        others: dict[Kind, Sequence[Mark]] = {}
        for layer in (draft.kind, *(("audio",) if _has_sound(draft, target) else ())):
            if (mark := self.media[layer].mark) is not None:
                others[layer] = self.media[layer].other_marks
                # Ours comes last: how strong it must be depends on what else is there.
                for other in others[layer]:
                    draft = other.embed(draft, number).draft
                layers[layer] = mark.embed(draft, number)
                draft = layers[layer].draft
        return draft, _Hidden(f"{number:012x}" if layers else "", layers, others)

    def _finish(
        self,
        content: Draft,
        target: Format,
        statement: Statement,
        hidden: _Hidden,
        ingredients: Sequence[Ingredient],
        folder: Path,
    ) -> _Finished:
        """The marked `content` as a signed file in `folder`, read back as a stranger would.

        A manifest claims no mark that does not read back: then it is signed once more, without.
        """
        plain, path = (folder / f"{name}.{target.extension}" for name in ("plain", "signed"))
        self.media[content.kind].encode(content, target, plain)
        self._require_space(2 * plain.stat().st_size)
        key = self.keys.signing()
        claims = [
            (layer, mark)
            for layer in hidden.layers
            for mark in (self.media[layer].mark, *hidden.others[layer])
            if mark is not None
        ]
        unread: dict[str, str] = {}
        while True:
            bindings = {mark.alg: hidden.number for _, mark in claims}
            claimed = replace(statement, marks=bindings)
            manifest = sign(
                plain, path, target.media_type, claimed, key, ingredients, embed=target.embeds
            )
            companion = None if target.embeds else manifest
            self._check(path, target, companion)
            if unread:
                break
            finished = self.media[content.kind].read(path, content)
            for _, mark in claims:
                found = mark.detect(finished, thorough=False)
                read_as = f"{found.payload:012x}" if found else ""
                if read_as != hidden.number:
                    unread[mark.alg] = read_as
            if not unread:
                break
            claims = [(layer, mark) for layer, mark in claims if mark.alg not in unread]
        ours = {
            layer: unread[own.alg]
            for layer in hidden.layers
            if (own := self.media[layer].mark) and own.alg in unread
        }
        marks = hidden.told(self.media, ours, {mark.alg for _, mark in claims})
        return _Finished(path, companion, key.id, marks, ours)

    def _check(self, path: Path, target: Format, companion: bytes | None) -> None:
        """`SealFailed` if the manifest is not what it should be."""
        with path.open("rb") as file:
            report = read(file, target.media_type, self.keys.root_pem(), companion)
        if report.state != "trusted":
            raise SealFailed(
                f"The manifest reads back as {report.state}: {', '.join(report.problems)}."
            )

    def _require_space(self, needed: int) -> None:
        if shutil.disk_usage(self.store.folder).free < needed + _RESERVE:
            raise _disk_full()


def _entry(artifact: Artifact, print_: bytes, content: Draft) -> Entry:
    note = artifact.note
    height, width = 0, 0
    if artifact.kind == "image":
        height, width = content.arrays["pixels"].shape[:2]
    elif artifact.kind == "video":
        height, width = content.arrays["frames"].shape[1:3]
    nothing = {"id": "", "alg": "", "key": "", "weak": False, "also": ()}
    mark = note.marks.get(artifact.kind, nothing)
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
        mark_also=tuple(mark["also"]),
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


def _has_sound(draft: Draft, target: Format) -> bool:
    return draft.kind == "video" and "samples" in draft.arrays and bool(target.rates)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
