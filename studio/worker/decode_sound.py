"""What the decode child does with sounds: libsndfile reads them, piece by piece, up to a limit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from studio.errors import InvalidRequest

#: What may be opened as a sound, and what each is to the manifest reader.
MEDIA_TYPES = {"WAV": "audio/wav", "FLAC": "audio/flac", "MP3": "audio/mpeg", "OGG": "audio/ogg"}
#: Rates and channels that the studio deals with; the samples that it takes at most.
_RATES = range(8_000, 192_001)
_CHANNELS = 8
_MOST = 60_000_000
#: Frames that are decoded at a time.
_BLOCK = 65_536


def is_sound(head: bytes) -> bool:
    """Whether a file that begins with these twelve bytes calls itself a sound."""
    riff = head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"
    frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return riff or frame or head[:4] in (b"fLaC", b"OggS") or head[:3] == b"ID3"


def open_sound(file: BinaryIO) -> Any:
    """The `soundfile.SoundFile` in `file`; only its head has been read."""
    # Late: a check of a picture does without it.
    import soundfile

    try:
        sound = soundfile.SoundFile(file)
    except soundfile.LibsndfileError:
        raise _damaged("its beginning makes no sense") from None
    if sound.format not in MEDIA_TYPES:
        raise InvalidRequest(
            f"This is a sound of a kind that the studio does not read: {sound.format}.",
            hint=f"It reads {', '.join(MEDIA_TYPES)}, whatever the file is called.",
        )
    return sound


def facts_of(sound: Any) -> Mapping[str, Any]:
    """Its `rate` in Hz, its `channels`, and how many `seconds` it has."""
    seconds = round(sound.frames / sound.samplerate, 3)
    return {"rate": sound.samplerate, "channels": sound.channels, "seconds": seconds}


def media_type(sound: Any) -> str:
    """What the sound is to the manifest reader."""
    return "audio/opus" if sound.subtype == "OPUS" else MEDIA_TYPES[sound.format]


def spool_sound(sound: Any, place: Path, seconds: int) -> None:
    """Write the first `seconds`, or with 0 all, as raw float32 in [-1, 1], channels interleaved.

    Raises:
        InvalidRequest: if it is damaged, empty, too long, or of a strange rate.
    """
    import soundfile

    if sound.samplerate not in _RATES or sound.channels > _CHANNELS:
        raise InvalidRequest(
            f"This sound has {sound.channels} channels at {sound.samplerate} Hz.",
            hint=f"Convert it to at most {_CHANNELS}, and {_RATES[0]} to {_RATES[-1]} Hz.",
        )
    left = seconds * sound.samplerate if seconds else sound.frames
    if left * sound.channels > _MOST:
        raise InvalidRequest(
            f"This sound is {left / sound.samplerate:,.0f} seconds long; it was not decoded.",
            hint="Cut it, and try again.",
        )
    written = 0
    try:
        with place.open("wb") as raw:
            while left > 0:
                block = sound.read(min(left, _BLOCK), dtype="float32", always_2d=True)
                if not len(block):
                    break
                left -= len(block)
                written += len(block)
                # Floating-point files can hold anything.
                np.nan_to_num(block, copy=False)
                np.clip(block, -1, 1, out=block).tofile(raw)
    except soundfile.LibsndfileError as error:
        raise _damaged(error.error_string) from None
    if not written:
        raise InvalidRequest("There is no sound in this file.", hint="Fetch it again.")


def _damaged(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"This sound is damaged: {why.rstrip('.')}.", hint="Fetch it again from where it came."
    )
