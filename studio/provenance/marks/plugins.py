"""Marks that other packages bring, each named by an entry point in the group `studio.marks`.

A package that is installed here is used: its mark goes in beside the studio's own, never instead.
It carries the same number, so both lead to one entry of the ledger. What it reads counts only if
the ledger knows the number, because a method that has no key reads everybody's marks. It is made in
the host, where nothing imports torch: a mark that needs weights brings them as ONNX or as arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from studio.errors import Unavailable
from studio.provenance.marks import Mark, MarkKey
from studio.provenance.marks.code import PAYLOAD_BITS
from studio.tasks.request import Kind

GROUP = "studio.marks"


def installed_marks(kind: Kind, keys: Sequence[MarkKey]) -> tuple[Mark, ...]:
    """The other packages' marks for `kind`, by name; each is made with all `keys`, newest first.

    Raises:
        Unavailable: if one cannot be used. Its package was installed so that outputs carry its
            mark, so none leaves without.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    marks = [_made(entry, keys) for entry in found]
    return tuple(mark for mark in marks if mark.kind == kind)


def _made(entry: EntryPoint, keys: Sequence[MarkKey]) -> Mark:
    package = entry.dist.name if entry.dist else entry.module
    hint = f"Mend or remove the package {package}; nothing is sealed meanwhile."
    try:
        mark: Mark = entry.load()(keys)
    except Exception as error:
        raise Unavailable(f"The mark {entry.name!r} cannot be used: {error}", hint=hint) from error
    if mark.bits < PAYLOAD_BITS:
        raise Unavailable(
            f"The mark {entry.name!r} holds {mark.bits} bits; a number here has {PAYLOAD_BITS}.",
            hint=hint,
        )
    return mark
