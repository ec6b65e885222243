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
from studio.errors import SealFailed


@dataclass(frozen=True)
class Format:
    """One file format that outputs can have."""

    media_type: str
    extension: str
    #: What the encoder is told.
    options: Mapping[str, Any]


#: By the name that requests use. PNG level 4 is twice as fast as 6 and as small.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "png": Format("image/png", "png", {"compress_level": 4}),
        "webp": Format("image/webp", "webp", {"quality": 92, "method": 4}),
        "jpeg": Format("image/jpeg", "jpg", {"quality": 95, "subsampling": 0}),
    }
)


def encode(draft: Draft, name: str) -> bytes:
    """`draft` as a file in the format called `name`.

    Raises:
        SealFailed: if no encoder makes this kind of content.
    """
    if draft.kind != "image":
        raise SealFailed(f"This studio cannot write {draft.kind} files yet.", hint="")
    picture = Image.fromarray(np.ascontiguousarray(draft.arrays["pixels"]))
    if name == "jpeg" and picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("RGB")
    file = io.BytesIO()
    picture.save(file, name.upper(), **FORMATS[name].options)
    return file.getvalue()


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
