"""The decode child: opens one stranger's file, where it can do no harm.

`python -m studio.worker.decode` reads one JSON order from stdin, writes one JSON answer to stdout
and ends. It has little memory and a few seconds, no network, and where the kernel knows Landlock no
file but the one it was given and no program to start; it imports neither torch nor the host. What
it finds is told in JSON; pixels and samples go, raw, into the file that the order names.
`studio.worker.decode_client` is the side that asks.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

# Before numpy: its thread pools would each claim address space that the limit below counts.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from PIL import AvifImagePlugin, Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.GifImagePlugin import GifImageFile

from studio.errors import InvalidRequest, NotFound, StudioError
from studio.provenance.manifest import Report, read
from studio.tasks.request import Kind
from studio.worker.decode_kind import demuxer
from studio.worker.decode_mesh import MEDIA_TYPES as MESHES
from studio.worker.decode_mesh import mesh_format, spool_mesh
from studio.worker.decode_sound import MEDIA_TYPES as SOUNDS
from studio.worker.decode_sound import facts_of, is_sound, media_type, open_sound, spool_sound
from studio.worker.landlock import EVERYTHING, READ, restrict
from studio.worker.seccomp import stay_alone

#: What may be opened as a picture, and what each is to the manifest reader.
_MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
_NOUNS: Mapping[Kind, str] = {
    "image": "picture",
    "audio": "sound",
    "video": "film",
    "text": "text",
    "mesh": "3D object",
}
_OBJECTS = ("GLB", "OBJ", "PLY")
_FILMS = ("MP4", "MOV", "M4A", "WebM", "Matroska", "AVI")
#: Bytes of a text, and of a companion, that are read at most.
_TEXT, _COMPANION = 1_000_000, 10_000_000
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
#: Bytes of address space beyond the interpreter and its libraries: for all, and for each pixel that
#: a picture may have, which is in memory twice while it is turned upright.
_MEMORY, _MEMORY_PER_PIXEL = 200_000_000, 8
#: Seconds of processor time: for a check, and for all of a sound or a film.
_CPU_SECONDS, _CPU_SECONDS_FOR_ALL = 4, 60
#: Bytes that may be written: a film's frames are the most there is.
_FILE_SIZE = 2_000_000_000
_STRIPE = 256  # rows that are converted and written at a time
#: Where libraries and their settings lie; read only, and nothing there can be started.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/dev")
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # of Linux's unshare(2)
_PR_SET_PDEATHSIG = 1  # of its prctl(2)


def main() -> None:
    """Carry out the order on stdin."""
    order = json.load(sys.stdin)
    confine(order)
    try:
        answer: dict[str, Any] = {"ok": decode(order)}
    except StudioError as error:
        answer = {"error": error.record()}
    except MemoryError:
        answer = {"error": _too_much("needs more memory than a check may use").record()}
    json.dump(answer, sys.stdout)


@dataclass(frozen=True)
class _Opened:
    """A file of which only the head has been read."""

    kind: Kind
    #: What it is to the manifest reader; its size, rate or words.
    media_type: str
    facts: Mapping[str, Any]
    #: Decodes the content into the file that the order names; what became known by that.
    spool: Callable[[], Mapping[str, Any] | None]


def decode(order: Mapping[str, Any]) -> dict[str, Any]:
    """What is in the file `order["path"]`.

    The order also has `content` (the file for pixels or samples), `kinds` (what may be opened),
    `companion` (a `.c2pa` file, or nothing), `anchors` (PEM roots), `max_pixels`; `short_side`:
    pictures more than twice as large are reduced by a whole factor; `seconds`: how much of a sound
    is wanted. In both 0 keeps all. Where no film may be opened, a film is its sound alone.

    Raises:
        NotFound: if there is no such file.
        InvalidRequest: if it is of no known format and an allowed size, or is damaged and has no
            manifest that could say more.
    """
    path = Path(order["path"])
    try:
        with path.open("rb") as file:
            opened = _open(file, order)
            if opened.kind not in order["kinds"]:
                wanted = " or ".join(_NOUNS[kind] for kind in order["kinds"])
                raise InvalidRequest(
                    f"This is a {_NOUNS[opened.kind]}; a {wanted} is needed here.",
                    hint="Choose another file.",
                )
            manifest = _manifest(path, opened.media_type, order).record()
            damage, learned = "", None
            try:
                learned = opened.spool()
            except InvalidRequest as error:
                if not manifest.get("manifests"):
                    raise
                # That its manifest no longer fits is evidence, whatever became of the content.
                damage = error.message
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound("There is no such file.", hint="Check the name.") from None
    except IsADirectoryError:
        raise InvalidRequest(
            "This is a folder, not a file.", hint="Name the files in it."
        ) from None
    except PermissionError:
        raise NotFound("This file may not be read.", hint="Check its permissions.") from None
    return {
        "kind": opened.kind,
        "media_type": opened.media_type,
        "facts": {**opened.facts, **(learned or {})},
        "damage": damage,
        "manifest": manifest,
    }


def _open(file: BinaryIO, order: Mapping[str, Any]) -> _Opened:
    """What the bytes themselves say they are, whatever the file is called."""
    head = file.read(12)
    if not head:
        raise InvalidRequest("This file is empty.", hint="Fetch it again from where it came.")
    file.seek(0)
    content = Path(order["content"])
    if is_sound(head):
        sound = open_sound(file)
        spool = partial(spool_sound, sound, content, order["seconds"])
        return _Opened("audio", media_type(sound), facts_of(sound), spool)
    if reader := demuxer(head):
        return _open_film(file, reader, order)
    if form := mesh_format(file):
        spool = partial(spool_mesh, file, form, content)
        return _Opened("mesh", MESHES[form], {}, spool)
    if (text := _text(file)) is not None:
        return _Opened("text", "text/plain", {"text": text}, lambda: None)
    picture = _open_picture(file)
    if "video" in order["kinds"] and isinstance(picture, GifImageFile) and picture.is_animated:
        file.seek(0)
        return _open_film(file, "gif", order)
    width, height = picture.size
    if width * height > order["max_pixels"]:
        raise _too_much(f"has {width} × {height} pixels")

    def spool_picture() -> None:
        _spool(_upright(picture, order["short_side"]), content)

    facts = {"width": width, "height": height}
    return _Opened("image", _MEDIA_TYPES[str(picture.format)], facts, spool_picture)


def _open_film(file: BinaryIO, reader: str, order: Mapping[str, Any]) -> _Opened:
    # Late: a check of anything else does without it.
    from studio.worker.decode_film import Film

    film = Film(file, reader, order["max_pixels"], heard="video" not in order["kinds"])
    spool = partial(film.spool, Path(order["content"]), order["seconds"], order["short_side"] // 2)
    return _Opened(film.kind, film.media_type, film.facts, spool)


def _text(file: BinaryIO) -> str | None:
    """The words in `file`, if it holds nothing else; it is then at its beginning again."""
    content = file.read(_TEXT + 1)
    file.seek(0)
    with contextlib.suppress(UnicodeDecodeError):
        text = content.decode()
        # No text has control characters, other than those that set lines and tabs.
        if len(content) <= _TEXT and not _CONTROL.search(text):
            return text
    return None


def _manifest(path: Path, media_type: str, order: Mapping[str, Any]) -> Report:
    """What the manifest in the file says; if it has none, the one in the companion."""
    with path.open("rb") as file:
        report = read(file, media_type, order["anchors"])
        if report.state != "absent" or not order["companion"]:
            return report
        with Path(order["companion"]).open("rb") as beside:
            companion = beside.read(_COMPANION)
        file.seek(0)
        return read(file, media_type, order["anchors"], companion)


def _open_picture(file: Any) -> ImageFile.ImageFile:
    """The picture that the bytes themselves say they are; only its head has been read."""
    # The cap on pixels is the order's own, and holds before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    # There are no threads to be had here.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    try:
        return Image.open(file, formats=tuple(_MEDIA_TYPES))
    except UnidentifiedImageError:
        raise InvalidRequest(
            "This file is no picture, sound, film, 3D object or text that the studio can read.",
            hint=f"It reads {', '.join([*_MEDIA_TYPES, *SOUNDS, *_FILMS, *_OBJECTS])} and UTF-8 "
            "text, whatever the file is called.",
        ) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise _damaged(error) from None


def _upright(picture: Image.Image, short_side: int) -> Image.Image:
    """The first frame, decoded, reduced if it is much too large, and turned as its EXIF says."""
    try:
        picture.load()
        if picture.mode.startswith("I"):
            # Sixteen bits to a sample; converted by the library, all but the darkest were white.
            picture = ImageOps.exif_transpose(picture)
            picture = Image.fromarray((np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8))
        factor = min(picture.size) // short_side if short_side else 1
        if factor > 1:
            if picture.mode not in ("L", "RGB", "RGBA"):
                picture = _plain(picture)
            picture = picture.reduce(factor)
        return ImageOps.exif_transpose(picture)
    # AVIF's decoder raises RuntimeError; the bomb is what an icon or a frame may still be.
    except (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError) as error:
        raise _damaged(error) from None


def _plain(picture: Image.Image) -> Image.Image:
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _spool(picture: Image.Image, place: Path) -> None:
    """Write uint8 pixels (height, width, 3 or 4) stripe by stripe, to keep one copy in memory."""
    width, height = picture.size
    depth = 4 if picture.has_transparency_data else 3
    with place.open("wb") as file:
        shape = {"descr": "|u1", "fortran_order": False, "shape": (height, width, depth)}
        np.lib.format.write_array_header_1_0(file, shape)
        for top in range(0, height, _STRIPE):
            stripe = picture.crop((0, top, width, min(top + _STRIPE, height)))
            file.write(np.asarray(stripe.convert("RGBA" if depth == 4 else "RGB")).tobytes())


def _damaged(error: Exception) -> InvalidRequest:
    return InvalidRequest(
        f"This picture is damaged: {error}.", hint="Fetch it again from where it came."
    )


def _too_much(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"This picture {what}; it was not decoded.",
        hint="Reduce it, or raise `max_pixels` in the settings.",
    )


def confine(order: Mapping[str, Any]) -> None:
    """Give up the network, time, memory, and all files but the ordered one and what comes of it.

    None of it can be taken back.
    """
    file, folder = Path(order["path"]), Path(order["content"]).parent
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        # Where the system forbids a name space of one's own, the libraries' settings still hold.
        libc.unshare(_NEW_USER | _NEW_NETWORK)
        # After that: entering a name space clears the wish to end with whoever asked.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        code = (sys.prefix, sys.base_prefix, Path(__file__).parents[2], *_SYSTEM)
        with contextlib.suppress(OSError):
            restrict(
                [
                    *((Path(place), READ) for place in code),
                    (file.resolve(), READ),
                    (folder.resolve(), EVERYTHING),
                ]
            )
        # The limit on processes below is not for root.
        stay_alone()
        # Other systems take no limit on address space; the time limit and the caps hold there too.
        in_use = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        picture = _MEMORY_PER_PIXEL * order["max_pixels"]
        limit = in_use * resource.getpagesize() + _MEMORY + picture
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    seconds = _CPU_SECONDS if order["seconds"] else _CPU_SECONDS_FOR_ALL
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_SIZE, _FILE_SIZE))
    # No further process, and no thread.
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
