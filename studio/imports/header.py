"""What the head of a safetensors file says: names, shapes and types. No weight is read.

The format (github.com/huggingface/safetensors): eight bytes with the length of a JSON object,
the object, then the tensors without gaps. The library checks all of it when it opens a file.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from studio.errors import InvalidRequest, NotFound

#: Names of what can run anything when it is opened, whatever it is called.
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
#: Beginnings of pickles: bare, and in the archives that torch writes.
_PICKLED = (b"\x80", b"PK\x03\x04")
#: The library allows 100 MB; the largest in use, of thousands of tensors, are below 2 MB.
_MOST = 20_000_000
#: Bytes of one number.
_WIDTHS = {
    "F64": 8, "I64": 8, "U64": 8, "C64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2,
    "I16": 2, "U16": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """A safetensors file, as far as its head tells."""

    shapes: Mapping[str, tuple[int, ...]]
    #: As the format writes it: `F16`, `BF16`, `F8_E4M3` …
    types: Mapping[str, str]
    #: What whoever saved it noted down.
    metadata: Mapping[str, str]
    #: Bytes of the file.
    size: int

    def bytes_below(self, *prefixes: str, width: int | None = None) -> int:
        """Bytes of the tensors whose names begin so; with `width` bytes a number, if it is given.

        One byte is assumed of types that are not whole bytes wide.
        """
        return sum(
            math.prod(shape) * (width or _WIDTHS.get(self.types[name], 1))
            for name, shape in self.shapes.items()
            if name.startswith(prefixes)
        )

    def has(self, prefix: str) -> bool:
        """Whether any tensor's name begins so."""
        return any(name.startswith(prefix) for name in self.shapes)


def read_header(path: Path) -> Header:
    """The head of the safetensors file at `path`.

    Raises:
        NotFound: if there is no such file.
        InvalidRequest: if it is a pickle, whatever its name, or is damaged.
    """
    try:
        with path.open("rb") as file:
            first = file.read(8)
    except OSError as error:
        raise unreadable(path, error) from None
    if path.suffix.lower() in PICKLES or (first.startswith(_PICKLED) and not _plausible(first)):
        raise InvalidRequest(
            f"{path.name} is a pickle, which can run anything when it is opened, so it is refused.",
            hint="Look for the model's .safetensors file, or have it converted where nothing can "
            "be harmed.",
        )
    if path.suffix.lower() != ".safetensors":
        raise InvalidRequest(
            f"{path.name} is of no kind that can be imported.",
            hint="Import a .safetensors file, or a folder of the diffusers library.",
        )
    if not _plausible(first):
        raise _damaged(path, "its header would be larger than any model's")
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return Header(
                {name: tuple(one.get_shape()) for name, one in slices.items()},
                {name: one.get_dtype() for name, one in slices.items()},
                file.metadata() or {},
                path.stat().st_size,
            )
    except SafetensorError as error:
        raise _damaged(path, str(error).partition("\n")[0][:200]) from None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> InvalidRequest | NotFound:
    """Why the system would not open `path`."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFound(
            f"There is nothing at {path}.",
            hint="The path is one on the machine that the studio runs on.",
        )
    if error.errno == errno.ELOOP:
        return InvalidRequest(
            f"{path} is a link that leads back to itself.", hint="Name the file itself."
        )
    return InvalidRequest(
        f"{path} cannot be read: {error.strerror}.",
        hint="See that the studio's own user may read it.",
    )


def _plausible(first: bytes) -> bool:
    return len(first) == 8 and int.from_bytes(first, "little") <= _MOST


def _damaged(path: Path, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"{path.name} is damaged: {why}.", hint="Fetch it again from where it came."
    )
