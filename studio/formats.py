"""The file formats that outputs can have, by kind and by the name that requests use."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from studio.tasks.request import Kind


@dataclass(frozen=True)
class Format:
    """One file format that outputs can have."""

    kind: Kind
    media_type: str
    extension: str
    #: What the encoder is told.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the file itself holds its manifest; otherwise that lies beside it, in a `.c2pa` file.
    embeds: bool = True
    #: The sample rates that it can have, in Hz, from the lowest; any where there are none.
    rates: tuple[int, ...] = ()


_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES = (*_MP3_RATES, 64_000, 88_200, 96_000)


def _picture(name: str, extension: str, **options: Any) -> Format:
    return Format("image", f"image/{name}", extension, options)


def _sound(name: str, extension: str, subtype: str, rates: tuple[int, ...] = ()) -> Format:
    """One that libsndfile writes."""
    container = {"mpeg": "MP3", "opus": "OGG"}.get(name, name.upper())
    options: dict[str, Any] = {"format": container, "subtype": subtype}
    if name == "mpeg":
        options["compression_level"] = 0.2
    return Format("audio", f"audio/{name}", extension, options, container != "OGG", rates)


def _film(container: str, codec: str, **quality: str) -> Format:
    """One that FFmpeg writes; of its containers, MP4 alone has a place for a manifest."""
    options = {"container": container, "codec": codec, "quality": quality}
    if container == "mp4":
        return Format("video", "video/mp4", "mp4", options, rates=_AAC_RATES)
    return Format("video", "video/webm", "webm", options, embeds=False, rates=_OPUS_RATES)


def _text(media_type: str, extension: str) -> Format:
    return Format("text", media_type, extension, embeds=False)


def _mesh(name: str, extension: str) -> Format:
    return Format("mesh", f"model/{name}", extension, embeds=False)


#: A marked picture repeats nothing, so PNG looks for runs alone: that takes half the time, makes
#: photographs smaller than level 6 does, and plain drawings up to twice as large. Lossy sounds are
#: near 190 kbit/s for stereo, Opus near 130. Films look as good as x264's at crf 20 in each codec.
FORMATS: Mapping[tuple[Kind, str], Format] = MappingProxyType(
    {
        ("image", "png"): _picture("png", "png", compress_type=zlib.Z_RLE),
        ("image", "webp"): _picture("webp", "webp", quality=92, method=4),
        ("image", "jpeg"): _picture("jpeg", "jpg", quality=95, subsampling=0),
        ("image", "tiff"): _picture("tiff", "tiff", compression="tiff_adobe_deflate"),
        ("image", "avif"): _picture("avif", "avif", quality=90, speed=7, subsampling="4:4:4"),
        ("image", "gif"): _picture("gif", "gif"),
        ("audio", "wav"): _sound("wav", "wav", "PCM_16"),
        ("audio", "flac"): _sound("flac", "flac", "PCM_24"),
        ("audio", "mp3"): _sound("mpeg", "mp3", "MPEG_LAYER_III", _MP3_RATES),
        ("audio", "m4a"): Format(
            "audio", "audio/mp4", "m4a", {"container": "ipod"}, rates=_AAC_RATES
        ),
        ("audio", "ogg"): _sound("ogg", "ogg", "VORBIS"),
        ("audio", "opus"): _sound("opus", "opus", "OPUS", _OPUS_RATES),
        ("video", "mp4"): _film("mp4", "libx264", crf="20", preset="medium"),
        ("video", "h265"): _film(
            "mp4", "libx265", crf="24", preset="fast", **{"x265-params": "log-level=none"}
        ),
        ("video", "av1"): _film("mp4", "libsvtav1", crf="30", preset="8"),
        ("video", "webm"): _film(
            "webm", "libvpx-vp9", crf="28", b="0", **{"cpu-used": "4", "row-mt": "1"}
        ),
        ("video", "gif"): Format("video", "image/gif", "gif", {"container": "gif"}),
        ("text", "txt"): _text("text/plain", "txt"),
        ("text", "md"): _text("text/markdown", "md"),
        ("text", "json"): _text("application/json", "json"),
        ("mesh", "glb"): _mesh("gltf-binary", "glb"),
        ("mesh", "obj"): _mesh("obj", "obj"),
        ("mesh", "ply"): _mesh("ply", "ply"),
    }
)

#: The extension that files of each media type are published under.
EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {target.media_type: target.extension for target in FORMATS.values()}
)
