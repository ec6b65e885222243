"""What a file's first bytes say that it is; nothing else is read for it."""

from __future__ import annotations

#: Brands of MP4's relatives that are pictures.
_PICTURES = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")


def demuxer(head: bytes) -> str:
    """FFmpeg's reader for a file that begins with these twelve bytes; empty if it is no film's."""
    if head[4:8] == b"ftyp":
        return "" if head[8:12] in _PICTURES else "mov"
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return "mov"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    return "avi" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else ""
