"""The kinds of content: how each is marked, written, read back and recognised, in one table."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from studio.draft import Draft
from studio.errors import SealFailed
from studio.mastering import measure
from studio.provenance.encode import Format, encode_picture, encode_sound, encode_text
from studio.provenance.fingerprint import (
    HEARD,
    NEAR,
    fingerprint,
    sound_fingerprint,
    text_fingerprint,
)
from studio.provenance.marks import Mark, MarkKey
from studio.provenance.marks.image import ImageMark
from studio.tasks.request import Kind

#: Seconds by which a sound's file may be longer or shorter than its draft: lossy formats pad.
_PADDING = 0.2


@dataclass(frozen=True)
class Medium:
    """What sealing and checking do with one kind of content."""

    #: How people call it.
    noun: str
    encode: Callable[[Draft, Format], bytes]
    #: The content of a finished file, if it is as large as this draft; else `SealFailed`.
    read: Callable[[bytes, Draft], Draft]
    fingerprint: Callable[[Draft], bytes]
    #: Bits by which the fingerprints of one content may differ.
    near: int
    #: What the note says of the marked content, after checks of what no file shows: a sound with
    #: values that are no numbers is `InvalidRequest`.
    measure: Callable[[Draft], Mapping[str, Any]]
    #: Makes the mark when it is first needed; None where no mark carries a number.
    load_mark: Callable[[], Mark] | None

    @cached_property
    def mark(self) -> Mark | None:
        """How a number is hidden in it; None if it carries its signed statement alone."""
        return self.load_mark() if self.load_mark else None


def media(keys: Sequence[MarkKey]) -> Mapping[Kind, Medium]:
    """The kinds that leave this studio, marked with the newest of `keys` and read with any.

    A kind that is missing here cannot be sealed.
    """

    def sound_mark() -> Mark:
        # Late: it brings a part of scipy that the host does without until it hears something.
        from studio.provenance.marks.audio import AudioMark

        return AudioMark(keys)

    return MappingProxyType(
        {
            "image": Medium(
                noun="picture",
                encode=encode_picture,
                read=_read_picture,
                fingerprint=lambda draft: fingerprint(draft.arrays["pixels"]),
                near=NEAR,
                measure=lambda _: {},
                load_mark=lambda: ImageMark(keys),
            ),
            "audio": Medium(
                noun="sound",
                encode=encode_sound,
                read=_read_sound,
                fingerprint=lambda draft: sound_fingerprint(
                    draft.arrays["samples"], draft.facts["rate"]
                ),
                near=NEAR,
                measure=lambda draft: asdict(measure(draft.arrays["samples"], draft.facts["rate"])),
                load_mark=sound_mark,
            ),
            "text": Medium(
                noun="text",
                encode=encode_text,
                read=_read_text,
                fingerprint=lambda draft: text_fingerprint(draft.facts["text"]),
                near=0,
                measure=lambda _: {},
                load_mark=None,
            ),
        }
    )


def _read_picture(media: bytes, like: Draft) -> Draft:
    with Image.open(io.BytesIO(media)) as picture:
        pixels = np.asarray(picture)
    if pixels.shape[:2] != like.arrays["pixels"].shape[:2]:
        raise SealFailed("The finished file has other dimensions than the draft.")
    return Draft("image", 0, 0, {"pixels": pixels})


def _read_sound(media: bytes, like: Draft) -> Draft:
    """Its beginning; all of it would take as much memory again as the sound."""
    import soundfile

    samples, wanted = like.arrays["samples"], like.facts["rate"]
    with soundfile.SoundFile(io.BytesIO(media)) as sound:
        rate, channels = sound.samplerate, sound.channels
        beyond = abs(sound.frames / rate - len(samples) / wanted)
        heard = sound.read(HEARD * rate, dtype="float32", always_2d=True)
    if channels != samples.shape[1] or beyond > _PADDING:
        raise SealFailed("The finished file has another length or other channels than the draft.")
    return Draft("audio", 0, 0, {"samples": heard}, {"rate": rate})


def _read_text(media: bytes, like: Draft) -> Draft:
    if media.decode() != like.facts["text"]:
        raise SealFailed("The finished file has other words than the draft.")
    return like
