"""Checking a file: each layer by itself, then one verdict that never exceeds its evidence.

The manifest is read in the decode child, together with the pixels. Then the layers that live here:
the mark (at the file's own scale first; turned and cropped only if no valid manifest was found),
the fingerprint, and what the ledger knows of either.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.draft import Draft
from studio.provenance.fingerprint import NEAR, distance, fingerprint
from studio.provenance.keys import Keys
from studio.provenance.ledger import Entry, Ledger
from studio.provenance.manifest import Report
from studio.provenance.marks import Found, Mark
from studio.provenance.verdict import Layer, Outcome, Verdict
from studio.settings import Settings
from studio.tasks.request import Kind
from studio.worker.decode_client import Decoded, decoding

#: Fingerprints of one picture stay within `NEAR` bits; beyond this many it is another picture.
#: In between, nothing is claimed.
_ANOTHER = 90
#: Pictures are read at about this short side; the marks need no more.
_SHORT_SIDE = 1024


@dataclass(frozen=True)
class Verifier:
    """Checks files against one installation's keys and ledger; called from any thread."""

    settings: Settings
    keys: Keys
    ledger: Ledger
    marks: Mapping[Kind, Mark]

    def verify(self, path: Path, name: str | None = None) -> Verdict:
        """What can be said about the file at `path`, which the verdict calls `name`.

        Raises:
            NotFound: if there is no such file.
            InvalidRequest: if it cannot be opened as a picture, and has no manifest either.
        """
        with decoding(
            path, self.settings, anchors=self.keys.anchors(), short_side=_SHORT_SIDE
        ) as decoded:
            manifest, found, print_ = decoded.manifest, None, b""
            if (pixels := decoded.pixels) is not None:
                valid = manifest.state in ("trusted", "valid")
                draft = Draft("image", 0, 0, {"pixels": pixels})
                found = self.marks["image"].detect(draft, thorough=not valid)
                print_ = fingerprint(pixels)
            sha256 = _sha256(path)
            marked = self.ledger.by_mark(f"{found.payload:012x}") if found else None
            exact = self.ledger.by_sha256(sha256)
            nearest = self.ledger.nearest(print_) if print_ else None
            evidence = _Evidence(decoded, found, marked, exact, nearest, print_)
        outcome, sentence = evidence.judge()
        layers = (
            evidence.manifest_layer(),
            evidence.mark_layer(self.marks["image"].alg),
            evidence.fingerprint_layer(),
            evidence.ledger_layer(sha256),
        )
        return Verdict(name or str(path), outcome, sentence, layers)


@dataclass(frozen=True)
class _Evidence:
    """Everything that was found, before anything is concluded."""

    decoded: Decoded
    found: Found | None
    #: The ledger's entry of the found mark, of exactly this file, and of the most similar picture.
    marked: Entry | None
    exact: Entry | None
    nearest: tuple[Entry, int] | None
    #: The picture's own fingerprint; empty if its pixels are damaged.
    print_: bytes

    @property
    def manifest(self) -> Report:
        return self.decoded.manifest

    @property
    def near(self) -> tuple[Entry, int] | None:
        """The most similar picture, if it is similar enough to mean anything."""
        return self.nearest if self.nearest and self.nearest[1] <= NEAR else None

    def mark_distance(self) -> int | None:
        """How far the picture is from the one its mark belongs to; None if that says nothing.

        A crop, a turn or a mirror image changes a fingerprint as much as another picture does.
        """
        if self.found is None or self.marked is None:
            return None
        pose = self.found.geometry
        upright = (
            not pose["mirrored"]
            and abs(pose["scale"] - 1) < 0.01
            and min(pose["turn"], 360 - pose["turn"]) < 1
        )
        return distance(self.print_, bytes.fromhex(self.marked.fingerprint)) if upright else None

    def judge(self) -> tuple[Outcome, str]:
        """The one word, and the sentence that says it to people."""
        signer = self.manifest.signer
        if self.manifest.state == "invalid":
            return Outcome.CONTRADICTED, (
                "The file carries a signed statement that no longer fits: the file, the statement "
                "or something it was made from was changed after signing."
            )
        if self.manifest.state == "trusted":
            return Outcome.SIGNED, (
                f"Signed by {signer}, whose root you trust, and unchanged since"
                f"{_made(self.manifest.generation)}."
            )
        far = self.mark_distance()
        if far is not None and far > _ANOTHER:
            return Outcome.CONTRADICTED, (
                "It carries this studio's mark, but the mark belongs to another picture: it may "
                "have been copied onto this one."
            )
        if self.manifest.state == "valid":
            also = " It also carries this studio's mark." if self.found else ""
            return Outcome.UNKNOWN_SIGNER, (
                f"Its statement is intact, but its signer, {signer}, is nobody you trust yet.{also}"
            )
        if self.found is not None:
            return Outcome.MARKED, self._marked_sentence(far)
        if self.near is not None:
            entry, bits = self.near
            return Outcome.FINGERPRINT, (
                f"It looks like a picture made here on {_day(entry)} ({bits} of 256 bits differ); "
                "that is a likeness, not proof."
            )
        return Outcome.NONE, "Nothing was found. That says nothing about how the file was made."

    def _marked_sentence(self, far: int | None) -> str:
        if self.marked is None:
            return "It carries a mark made with this studio's key, but the ledger does not know it."
        doubt = ""
        if far is None:
            doubt = " The picture was cropped or turned, so it was not compared with the original."
        elif far > NEAR:
            doubt = f" It differs from the original more than expected ({far} of 256 bits)."
        return (
            f"It carries this studio's mark: it comes from a picture made here with "
            f"{self.marked.card} on {_day(self.marked)}. Its signed statement is gone.{doubt}"
        )

    def manifest_layer(self) -> Layer:
        manifest = self.manifest
        summary = {
            "trusted": f"Signed by {manifest.signer}, whose root you trust.",
            "valid": f"Intact, signed by {manifest.signer}, whose root you do not trust.",
            "invalid": f"Does not hold: {', '.join(manifest.problems) or 'unreadable'}.",
            "absent": "The file carries no manifest.",
        }[manifest.state]
        if manifest.remote:
            summary = "The file only says where a manifest may be; it was not fetched."
        return Layer("manifest", manifest.state, summary, manifest.record())

    def mark_layer(self, alg: str) -> Layer:
        found = self.found
        if self.decoded.damage:
            return Layer("mark", "absent", self.decoded.damage, {"alg": alg, "searched": False})
        if found is None:
            searched = self.manifest.state in ("invalid", "absent")
            summary = (
                "No mark of this studio was read."
                if searched
                else "No mark was read at the file's own scale; no further search was needed."
            )
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
        summary = (
            f"Mark {number} was read; an unmarked picture reads like this at most once in "
            f"{1 / found.chance:,.0f} times."
        )
        bound = self.manifest.soft_bindings.get(alg)
        if bound not in (None, number):
            summary += f" The manifest names another one, {bound}."
        return Layer("mark", state, summary, details)

    def fingerprint_layer(self) -> Layer:
        if self.decoded.damage:
            return Layer("fingerprint", "absent", self.decoded.damage, {})
        if self.nearest is None:
            return Layer("fingerprint", "absent", "There is nothing to compare with yet.", {})
        entry, bits = self.nearest
        details = {"distance": bits, "limit": NEAR, "artifact": entry.artifact}
        if self.near is None:
            return Layer(
                "fingerprint",
                "absent",
                f"No picture made here is similar: the nearest differs in {bits} of 256 bits.",
                {"distance": bits, "limit": NEAR},
            )
        return Layer(
            "fingerprint",
            "found",
            f"Similar to a picture made here on {_day(entry)}: {bits} of 256 bits differ.",
            details,
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
