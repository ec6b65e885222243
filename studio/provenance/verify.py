"""Checking a file: each layer by itself, then one verdict that never exceeds its evidence.

The manifest is read in the decode child, together with the content. Then the layers that live here:
the mark (at the file's own scale first; turned and cropped unless a trusted manifest says more),
the fingerprint, and what the ledger knows of either.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from studio.draft import Draft
from studio.provenance.fingerprint import HEARD, distance
from studio.provenance.keys import Keys
from studio.provenance.ledger import Entry, Ledger
from studio.provenance.manifest import Report
from studio.provenance.marks import Found, Mark
from studio.provenance.marks.text import SURE, Leaning, TextMark
from studio.provenance.media import Medium
from studio.provenance.verdict import Layer, Outcome, Verdict
from studio.settings import Settings
from studio.tasks.request import Kind
from studio.tournament import SHORTEST
from studio.worker.decode_client import Decoded, decoding

#: Fingerprints of one picture stay within `Medium.near` bits; beyond this many it is another one.
#: In between, nothing is claimed.
_ANOTHER = 90
#: Pictures are read at about this short side; the marks need no more. Films at half of it.
_SHORT_SIDE = 1024
#: Chances by which a text is said to be perhaps marked, and the smallest that is worth telling.
_PERHAPS, _LEAST = 1e-3, 1e-12


@dataclass(frozen=True)
class Verifier:
    """Checks files against one installation's keys and ledger; called from any thread."""

    settings: Settings
    keys: Keys
    ledger: Ledger
    media: Mapping[Kind, Medium]
    texts: TextMark

    def verify(self, path: Path, name: str | None = None) -> Verdict:
        """What can be said about the file at `path`, which the verdict calls `name`.

        Raises:
            NotFound: if there is no such file.
            InvalidRequest: if it cannot be opened, and has no manifest either.
        """
        with decoding(
            path,
            self.settings,
            kinds=tuple(self.media),
            anchors=self.keys.anchors(),
            short_side=_SHORT_SIDE,
            seconds=HEARD,
        ) as decoded:
            manifest, found, print_ = decoded.manifest, None, b""
            leaning: Leaning | None = None
            medium = self.media[decoded.kind]
            mark = medium.mark
            if decoded.content is not None:
                # Anybody can make a certificate: a stranger's must not end the search.
                thorough = manifest.state != "trusted"
                found, mark = self._read_mark(decoded.content, thorough=thorough)
                print_ = medium.fingerprint(decoded.content)
                if decoded.kind == "text":
                    leaning = self.texts.detect(decoded.content.facts["text"])
            sha256 = _sha256(path)
            marked = self.ledger.by_mark(f"{found.payload:012x}") if found else None
            exact = self.ledger.by_sha256(sha256)
            nearest = self.ledger.nearest(print_) if print_ else None
            if nearest and nearest[0].kind != decoded.kind:
                nearest = None
            source = self.media[cast(Kind, marked.kind)].noun if marked else ""
            evidence = _Evidence(
                decoded, medium, mark, found, marked, source, exact, nearest, print_, leaning
            )
        outcome, sentence = evidence.judge()
        layers = (
            evidence.manifest_layer(),
            evidence.mark_layer(),
            evidence.fingerprint_layer(),
            evidence.ledger_layer(sha256),
        )
        return Verdict(name or str(path), outcome, sentence, layers)

    def _read_mark(self, content: Draft, *, thorough: bool) -> tuple[Found | None, Mark | None]:
        """The number in what is seen or, if a film shows none, heard; and whose mark was read."""
        heard = content.kind == "video" and "samples" in content.arrays
        layers = [self.media[content.kind], *([self.media["audio"]] if heard else [])]
        for mark in filter(None, (layer.mark for layer in layers)):
            if found := mark.detect(content, thorough=thorough):
                return found, mark
        for mark in (other for layer in layers for other in layer.other_marks):
            found = mark.detect(content, thorough=thorough)
            # Without a key, anybody's mark is read.
            if found and self.ledger.by_mark(f"{found.payload:012x}"):
                return found, mark
        return None, layers[0].mark


@dataclass(frozen=True)
class _Evidence:
    """Everything that was found, before anything is concluded."""

    decoded: Decoded
    medium: Medium
    #: Whose number was looked for, or found.
    mark: Mark | None
    found: Found | None
    #: The ledger's entry of the found mark, of exactly this file, and of the most similar content.
    marked: Entry | None
    #: What people call that which the found mark belongs to.
    source: str
    exact: Entry | None
    nearest: tuple[Entry, int] | None
    #: The content's own fingerprint; empty if it is damaged, or says nothing.
    print_: bytes
    #: What the words of a text that is long enough say.
    leaning: Leaning | None

    @property
    def manifest(self) -> Report:
        return self.decoded.manifest

    @property
    def near(self) -> tuple[Entry, int] | None:
        """The most similar content, if it is similar enough to mean anything."""
        return self.nearest if self.nearest and self.nearest[1] <= self.medium.near else None

    def mark_distance(self) -> int | None:
        """How far the content is from that which its mark belongs to; None if that says nothing.

        A crop, a turn or a mirror image changes a fingerprint as much as another picture does. A
        cut does the same to a sound, and a sound does not show that it was cut.
        """
        if self.found is None or self.marked is None:
            return None
        original = bytes.fromhex(self.marked.fingerprint)
        # A still of a film carries the film's mark, and is no more like it than another picture.
        comparable = self.decoded.kind == self.marked.kind == "image"
        if not comparable or not self.print_ or not original:
            return None
        # Who cuts off one side only leaves scale and turn as they were.
        sides = self.decoded.width * self.marked.height, self.decoded.height * self.marked.width
        if not 0.99 < sides[0] / max(sides[1], 1) < 1.01:
            return None
        pose = self.found.geometry
        upright = (
            not pose["mirrored"]
            and abs(pose["scale"] - 1) < 0.01
            and min(pose["turn"], 360 - pose["turn"]) < 1
        )
        return distance(self.print_, original) if upright else None

    @property
    def copied(self) -> bool:
        """Whether the mark was most likely taken from another picture."""
        far = self.mark_distance()
        return far is not None and far > _ANOTHER

    def judge(self) -> tuple[Outcome, str]:
        """The one word, and the sentence that says it to people."""
        signer = self.manifest.signer
        if self.manifest.state == "invalid":
            return Outcome.CONTRADICTED, (
                "The file carries a signed statement that no longer fits: the file, the statement "
                "or something it was made from was changed after signing."
            )
        if self.manifest.state == "expired":
            return Outcome.UNKNOWN_SIGNER, (
                f"Its statement is intact, but its signer's certificate, {signer}, has run out."
            )
        if self.manifest.state == "trusted":
            return Outcome.SIGNED, (
                f"Signed by {signer}, whose root you trust, and unchanged since"
                f"{_made(self.manifest.generation)}."
            )
        if self.copied:
            return Outcome.CONTRADICTED, (
                "It carries this studio's mark, but the mark belongs to another "
                f"{self.medium.noun}: it may have been copied onto this one."
            )
        if self.manifest.state == "valid":
            also = " It also carries this studio's mark." if self.found else ""
            return Outcome.UNKNOWN_SIGNER, (
                f"Its statement is intact, but its signer, {signer}, is nobody you trust yet.{also}"
            )
        if self.found is not None:
            return Outcome.MARKED, self._marked_sentence()
        if self.leaning is not None and self.leaning.chance < SURE:
            return Outcome.MARKED, (
                "Its words lean towards this studio's key: a model most likely wrote it here. Such "
                "a mark has no number, so it does not tell which text this is, or when it was made."
            )
        if self.exact is not None:
            return Outcome.FINGERPRINT, (
                f"A file of exactly these bytes was made here with {self.exact.card} on "
                f"{_day(self.exact)}; its signed statement was not beside it."
            )
        if self.near is not None:
            entry, bits = self.near
            likeness = "looks like" if self.decoded.kind == "image" else "resembles"
            return Outcome.FINGERPRINT, (
                f"It {likeness} a {self.medium.noun} made here on {_day(entry)} ({bits} of 256 "
                "bits differ); that is a likeness, not proof."
            )
        return Outcome.NONE, "Nothing was found. That says nothing about how the file was made."

    def _marked_sentence(self) -> str:
        if self.marked is None:
            return "It carries a mark made with this studio's key, but the ledger does not know it."
        doubt, far = "", self.mark_distance()
        # Of a still, or of a film's sound, there is nothing to compare.
        if far is None and self.marked.kind == self.decoded.kind:
            changed = "cropped or turned" if self.decoded.kind == "image" else "perhaps cut"
            doubt = (
                f" The {self.medium.noun} was {changed}, so it was not compared with the original."
            )
        elif far is not None and far > self.medium.near:
            doubt = f" It differs from the original more than expected ({far} of 256 bits)."
        return (
            f"It carries this studio's mark: it comes from a {self.source} made here with "
            f"{self.marked.card} on {_day(self.marked)}. Its signed statement is gone.{doubt}"
        )

    def manifest_layer(self) -> Layer:
        manifest = self.manifest
        summary = {
            "trusted": f"Signed by {manifest.signer}, whose root you trust.",
            "valid": f"Intact, signed by {manifest.signer}, whose root you do not trust.",
            "expired": f"Intact, signed by {manifest.signer}, whose certificate has run out.",
            "invalid": f"Does not hold: {', '.join(manifest.problems) or 'unreadable'}.",
            "absent": "The file carries no manifest."
            if not manifest.problems
            else "The file is damaged, so no manifest could be looked for.",
        }[manifest.state]
        if manifest.remote:
            summary = "The file only says where a manifest may be; it was not fetched."
        return Layer("manifest", manifest.state, summary, manifest.record())

    def mark_layer(self) -> Layer:
        found = self.found
        if self.decoded.kind == "text":
            return self._text_layer()
        if self.mark is None:
            summary = f"A {self.medium.noun} carries no mark with a number."
            return Layer("mark", "absent", summary, {"searched": False})
        alg = self.mark.alg
        if self.decoded.damage:
            return Layer("mark", "absent", self.decoded.damage, {"alg": alg, "searched": False})
        if found is None:
            searched = self.manifest.state != "trusted"
            summary = (
                "No mark of this studio was read."
                if searched
                else "No mark was read at the file's own scale; no further search was needed."
            )
            if self.exact and not self.exact.mark:
                summary = "It was made without a hidden mark, as somebody here attested."
            return Layer("mark", "absent", summary, {"alg": alg, "searched": searched})
        number = f"{found.payload:012x}"
        details: dict[str, Any] = {
            "alg": alg,
            "id": number,
            "key": found.key,
            "strength": found.strength,
            "tries": found.tries,
            "chance": found.chance,
            "geometry": found.geometry,
        }
        far = self.mark_distance()
        if far is not None:
            details["distance"] = far
        state = "weak" if self.marked and self.marked.mark_weak else "found"
        if self.copied:
            state = "copied"
        summary = (
            f"Mark {number} was read; an unmarked {self.medium.noun} reads like this at most once "
            f"in {1 / found.chance:,.0f} times."
        )
        bound = self.manifest.soft_bindings.get(alg)
        if bound not in (None, number):
            summary += f" The manifest names another one, {bound}."
        return Layer("mark", state, summary, details)

    def _text_layer(self) -> Layer:
        leaning, alg = self.leaning, TextMark.alg
        if leaning is None:
            summary = f"Words say enough from {SHORTEST} tokens on, written by a model known here."
            return Layer("mark", "absent", summary, {"alg": alg, "searched": False})
        details = {"alg": alg, "searched": True, **asdict(leaning)}
        if leaning.chance >= _PERHAPS:
            summary = "The choice of words does not lean towards this studio's key."
            return Layer("mark", "absent", summary, details)
        summary = (
            f"The choice of words leans towards this studio's key, as by chance at most once in "
            f"{1 / max(leaning.chance, _LEAST):,.0f} times. The mark has no number."
        )
        return Layer("mark", "found" if leaning.chance < SURE else "weak", summary, details)

    def fingerprint_layer(self) -> Layer:
        if self.decoded.damage:
            return Layer("fingerprint", "absent", self.decoded.damage, {})
        noun, limit = self.medium.noun, self.medium.near
        if not self.print_:
            summary = f"There is too little in this {noun} to compare."
            return Layer("fingerprint", "absent", summary, {})
        if self.nearest is None:
            return Layer("fingerprint", "absent", f"No {noun} made here is similar.", {})
        entry, bits = self.nearest
        if self.near is None:
            return Layer(
                "fingerprint",
                "absent",
                f"No {noun} made here is similar: the nearest differs in {bits} of 256 bits.",
                {"distance": bits, "limit": limit},
            )
        return Layer(
            "fingerprint",
            "found",
            f"Similar to a {noun} made here on {_day(entry)}: {bits} of 256 bits differ.",
            {"distance": bits, "limit": limit, "artifact": entry.artifact},
        )

    def ledger_layer(self, sha256: str) -> Layer:
        entry = self.exact or self.marked
        if entry is None:
            return Layer(
                "ledger", "absent", "The ledger knows neither file nor mark.", {"sha256": sha256}
            )
        how = "this very file" if self.exact else "the mark"
        details = {
            "sha256": sha256,
            "by": "sha256" if self.exact else "mark",
            "artifact": entry.artifact,
            "draft_sha256": entry.draft_sha256,
            "task": entry.task,
            "card": entry.card,
            "revision": entry.revision,
            "created": entry.created,
            "parents": list(entry.parents),
        }
        summary = f"The ledger knows {how}: made with {entry.card} on {_day(entry)}."
        return Layer("ledger", "found", summary, details)


def _made(generation: Mapping[str, Any]) -> str:
    model = generation.get("model")
    return f": AI-generated with {model}" if model else ""


def _day(entry: Entry) -> str:
    return datetime.datetime.fromtimestamp(entry.created, datetime.UTC).strftime("%Y-%m-%d")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
