"""Turning marked drafts into files' bytes: the one place where the studio writes a media format."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from studio.draft import Draft
from studio.tasks.request import Kind


@dataclass(frozen=True)
class Format:
    """One file format that outputs can have."""

    kind: Kind
    media_type: str
    extension: str
    #: What the encoder is told.
    options: Mapping[str, Any]
    #: Whether the file itself holds its manifest; otherwise that lies beside it, in a `.c2pa` file.
    embeds: bool = True
    #: The sample rates that it can have, in Hz, from the lowest; any where there are none.
    rates: tuple[int, ...] = ()


_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)

#: By the name that requests use. PNG level 4 is twice as fast as 6 and as small. Sound formats are
#: libsndfile's; lossy ones are near 190 kbit/s for stereo, Opus near 130.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "png": Format("image", "image/png", "png", {"compress_level": 4}),
        "webp": Format("image", "image/webp", "webp", {"quality": 92, "method": 4}),
        "jpeg": Format("image", "image/jpeg", "jpg", {"quality": 95, "subsampling": 0}),
        "wav": Format("audio", "audio/wav", "wav", {"format": "WAV", "subtype": "PCM_16"}),
        "flac": Format("audio", "audio/flac", "flac", {"format": "FLAC", "subtype": "PCM_24"}),
        "mp3": Format(
            "audio",
            "audio/mpeg",
            "mp3",
            {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.2},
            rates=_MP3_RATES,
        ),
        "ogg": Format(
            "audio", "audio/ogg", "ogg", {"format": "OGG", "subtype": "VORBIS"}, embeds=False
        ),
        "opus": Format(
            "audio",
            "audio/opus",
            "opus",
            {"format": "OGG", "subtype": "OPUS"},
            embeds=False,
            rates=_OPUS_RATES,
        ),
        "txt": Format("text", "text/plain", "txt", {}, embeds=False),
        "md": Format("text", "text/markdown", "md", {}, embeds=False),
        "json": Format("text", "application/json", "json", {}, embeds=False),
    }
)


def encode_picture(draft: Draft, target: Format) -> bytes:
    """A picture's file; where the format has no transparency, it lies on white."""
    picture = Image.fromarray(np.ascontiguousarray(draft.arrays["pixels"]))
    if target.media_type == "image/jpeg" and picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("RGB")
    file = io.BytesIO()
    picture.save(file, target.media_type.partition("/")[2].upper(), **target.options)
    return file.getvalue()


def encode_sound(draft: Draft, target: Format) -> bytes:
    """A sound's file, resampled to the next rate that the format can have."""
    # Late: the host does without them until it hears something.
    import soundfile

    from studio.provenance.marks.audio_reading import resample

    samples, rate = draft.arrays["samples"], int(draft.facts["rate"])
    if target.rates and rate not in target.rates:
        wanted = next((known for known in target.rates if known > rate), target.rates[-1])
        samples, rate = resample(samples, rate, wanted), wanted
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", samplerate=rate, channels=samples.shape[1], **target.options
    ) as sound:
        # Second by second: libsndfile overflows its stack on long pieces of Vorbis.
        for begin in range(0, len(samples), rate):
            sound.write(samples[begin : begin + rate])
    return file.getvalue()


def encode_text(draft: Draft, _: Format) -> bytes:
    """A text's file, in UTF-8."""
    return str(draft.facts["text"]).encode()


def encode_preview(picture: Image.Image) -> bytes:
    """A WebP copy of a finished picture, at most 256 px, that says itself that it is no output.

    It carries neither mark nor manifest, so it says in its metadata what it is: a preview of
    AI-generated content. Only the gallery shows it, to the picture's owner.
    """
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=80, method=4, xmp=_PREVIEW_XMP)
    return file.getvalue()


#: The longer side of a preview, in pixels.
PREVIEW_SIDE = 256

_PREVIEW_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
xmlns:dc="http://purl.org/dc/elements/1.1/"
xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Preview of an AI-generated picture. The signed
picture itself is in the studio's gallery.</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
