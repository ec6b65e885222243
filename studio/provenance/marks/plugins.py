"""Marks that other packages bring, each named by an entry point in the group `studio.marks`.

A package that is installed here is used: its mark goes in beside the studio's own, never instead.
It carries the same number, so both lead to one entry of the ledger. What it reads counts only if
the ledger knows the number, because a method that has no key reads everybody's marks. It is made in
the host, where nothing imports torch: a mark that needs weights has them as ONNX or as arrays, in
a folder of the home that bears the entry point's name, and is left out where they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from studio.errors import Unavailable
from studio.provenance.marks import Mark, MarkKey
from studio.provenance.marks.code import PAYLOAD_BITS
from studio.tasks.request import Kind

GROUP = "studio.marks"


def installed_marks(kind: Kind, keys: Sequence[MarkKey], folder: Path) -> tuple[Mark, ...]:
    """The other packages' marks for `kind`, by name; each is made with all `keys`, newest first,
    and the place in `folder` for its weights, and is None where these are missing.

    Raises:
        Unavailable: if one cannot be used. Its package was installed so that outputs carry its
            mark, so none leaves without.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    marks = [_made(entry, keys, folder / entry.name) for entry in found]
    return tuple(mark for mark in marks if mark is not None and mark.kind == kind)


def _made(entry: EntryPoint, keys: Sequence[MarkKey], weights: Path) -> Mark | None:
    package = entry.dist.name if entry.dist else entry.module
    hint = f"Mend or remove the package {package}; nothing is sealed meanwhile."
    try:
        mark: Mark | None = entry.load()(keys, weights)
    except Unavailable:
        raise
    except Exception as error:
        raise Unavailable(f"The mark {entry.name!r} cannot be used: {error}", hint=hint) from error
    if mark is not None and mark.bits < PAYLOAD_BITS:
        raise Unavailable(
            f"The mark {entry.name!r} holds {mark.bits} bits; a number here has {PAYLOAD_BITS}.",
            hint=hint,
        )
    return mark
