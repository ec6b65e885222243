"""Turning marked drafts into files: pictures, sounds and texts; `encode_film` writes the others."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.draft import Draft
from studio.formats import Format
from studio.mastering import resample


def encode_picture(draft: Draft, target: Format, place: Path) -> None:
    """Write a picture; where the format has no transparency, it lies on white."""
    picture = Image.fromarray(np.ascontiguousarray(draft.arrays["pixels"]))
    if target.media_type == "image/jpeg" and picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("RGB")
    picture.save(place, target.media_type.partition("/")[2].upper(), **target.options)


def encode_sound(draft: Draft, target: Format, place: Path) -> None:
    """Write a sound at its own rate, or at the next that the format can have."""
    if "container" in target.options:
        from studio.provenance.encode_film import encode_aac

        encode_aac(draft, target, place)
        return
    # Late: the host does without it until it hears something.
    import soundfile

    samples, rate = at_known_rate(draft, target)
    channels = samples.shape[1]
    with soundfile.SoundFile(place, "w", rate, channels, **target.options) as sound:
        # Second by second: libsndfile overflows its stack on long pieces of Vorbis.
        for begin in range(0, len(samples), rate):
            sound.write(samples[begin : begin + rate])


def at_known_rate(draft: Draft, target: Format) -> tuple[NDArray[Any], int]:
    """The draft's samples (n, channels), resampled if the format does not have their rate."""
    samples, rate = draft.arrays["samples"], int(draft.facts["rate"])
    if target.rates and rate not in target.rates:
        wanted = next((known for known in target.rates if known > rate), target.rates[-1])
        return resample(samples, rate, wanted), wanted
    return samples, rate


def encode_text(draft: Draft, _: Format, place: Path) -> None:
    """Write a text in UTF-8."""
    place.write_bytes(str(draft.facts["text"]).encode())


def encode_preview(picture: Image.Image) -> bytes:
    """A WebP copy, at most 256 px, of what shows an output; it says itself that it is none.

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
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Preview of an AI-generated work. The signed
work itself is in the studio's gallery.</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
