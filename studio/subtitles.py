"""Subtitles of speech: what is said when, as SubRip and WebVTT write it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

#: Whoever reads the file learns what speaks, or what listened. Players do not show it.
_SPOKEN, _HEARD = "This voice is AI-generated.", "This transcript is AI-generated."


def subtitles(
    cues: Sequence[Mapping[str, Any]], format_: Literal["srt", "vtt"], *, heard: bool = False
) -> str:
    """The `cues` of a note (`start` and `end` in seconds, `text`) as a file's text.

    `heard` says that they are a transcript's: then the voice may be anybody's. SubRip has no
    comments, so that what is said about it is WebVTT's alone.
    """
    blocks = ["WEBVTT", f"NOTE {_HEARD if heard else _SPOKEN}"] if format_ == "vtt" else []
    mark = "." if format_ == "vtt" else ","
    for number, cue in enumerate(cues, start=1):
        span = f"{_time(cue['start'], mark)} --> {_time(cue['end'], mark)}"
        # An empty line would end the cue; in WebVTT an arrow or an angle bracket would be markup.
        text = re.sub(r"\s*\n\s*", "\n", cue["text"].strip())
        if format_ == "vtt":
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{number}\n{span}\n{text}")
    return "\n\n".join(blocks) + "\n"


def _time(seconds: float, mark: str) -> str:
    minutes, thousandths = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, thousandths = divmod(thousandths, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{mark}{thousandths:03d}"
