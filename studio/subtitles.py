"""Subtitles of speech: what is said when, as SubRip and WebVTT write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

#: Whoever reads the file learns what speaks. Players do not show it.
_DISCLOSURE = "This voice is AI-generated."


def subtitles(cues: Sequence[Mapping[str, Any]], format_: Literal["srt", "vtt"]) -> str:
    """The `cues` of a sound's note (`start` and `end` in seconds, `text`) as a file's text.

    SubRip has no comments, so what it says about the voice is WebVTT's alone.
    """
    blocks = ["WEBVTT", f"NOTE {_DISCLOSURE}"] if format_ == "vtt" else []
    mark = "." if format_ == "vtt" else ","
    for number, cue in enumerate(cues, start=1):
        span = f"{_time(cue['start'], mark)} --> {_time(cue['end'], mark)}"
        # In WebVTT an arrow or an angle bracket would be read as markup.
        text = cue["text"]
        if format_ == "vtt":
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{number}\n{span}\n{text}")
    return "\n\n".join(blocks) + "\n"


def _time(seconds: float, mark: str) -> str:
    minutes, thousandths = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, thousandths = divmod(thousandths, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{mark}{thousandths:03d}"
