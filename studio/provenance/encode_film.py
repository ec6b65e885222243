"""Writing films, and sounds in AAC, through PyAV: a few frames at a time, straight into a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from studio.draft import Array, Draft, pieces
from studio.formats import Format
from studio.provenance.encode import at_known_rate

#: The names of FFmpeg's layouts, from one channel on.
_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "6.1", "7.1")
#: Seconds between frames that can be jumped to.
_KEY_SECONDS = 2
#: Bits per second of each channel of a film's or m4a's sound.
_SOUND_BITS = 96_000


def encode_film(draft: Draft, target: Format, place: Path) -> None:
    """Write a film at a constant rate, with its sound, if it has one and the format can.

    In YUV, colours are BT.709 at half resolution, so an odd side repeats its last line.

    Raises:
        OSError: if the disk is full, or FFmpeg fails in any other way.
    """
    try:
        with _container(target, place) as container:
            if target.media_type == "image/gif":
                _write_gif(container, draft)
            else:
                _write_film(container, draft, target)
    except av.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


def encode_aac(draft: Draft, target: Format, place: Path) -> None:
    """Write a sound as AAC in MP4; raises `OSError` as `encode_film` does."""
    try:
        with _container(target, place) as container:
            sound = _Sound(container, draft, target)
            sound.write(sound.length)
            sound.end()
    except av.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


def _container(target: Format, place: Path) -> Any:
    name = target.options["container"]
    # The head of a film goes before its content, so that it can be watched while it comes.
    early = {} if name in ("webm", "gif") else {"movflags": "+faststart"}
    return av.open(str(place), "w", format=name, options=early)


class _Sound:
    """The sound of a draft on its way into a container."""

    def __init__(self, container: Any, draft: Draft, target: Format) -> None:
        self._samples, self._rate = at_known_rate(draft, target)
        self._container = container
        self._layout = _LAYOUTS[self._samples.shape[1] - 1]
        codec = "aac" if target.media_type.endswith("mp4") else "libopus"
        self._stream = container.add_stream(codec, rate=self._rate)
        self._stream.layout = self._layout
        self._stream.bit_rate = _SOUND_BITS * self._samples.shape[1]
        self._at = 0
        #: In seconds.
        self.length = len(self._samples) / self._rate

    def write(self, until: float) -> None:
        """Everything up to this second that is not written yet."""
        end = min(round(until * self._rate), len(self._samples))
        while self._at < end:
            block = self._samples[self._at : min(self._at + self._rate, end)]
            interleaved = np.ascontiguousarray(block, np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, "flt", self._layout)
            frame.sample_rate, frame.pts = self._rate, self._at
            frame.time_base = Fraction(1, self._rate)
            self._container.mux(self._stream.encode(frame))
            self._at += len(block)

    def end(self) -> None:
        """Whatever the encoder still holds."""
        self._container.mux(self._stream.encode(None))


def _write_film(container: Any, draft: Draft, target: Format) -> None:
    # This one encoder writes to the standard error, past everything that could catch it.
    os.environ.setdefault("SVT_LOG", "1")
    frames, rate = draft.arrays["frames"], _rate(draft)
    _, height, width, _ = frames.shape
    stream = container.add_stream(target.options["codec"], rate=rate)
    stream.width, stream.height = width + width % 2, height + height % 2
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.gop_size = max(1, round(_KEY_SECONDS * rate))
    context.options = dict(target.options["quality"])
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
    sound = _Sound(container, draft, target) if "samples" in draft.arrays else None
    for number, pixels in enumerate(_one_by_one(frames)):
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(even, "rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = number, 1 / rate
        container.mux(stream.encode(frame))
        if sound:
            # Side by side, or the container would hold one of them until the other comes.
            sound.write(float((number + 1) / rate))
    container.mux(stream.encode(None))
    if sound:
        sound.end()


def _write_gif(container: Any, draft: Draft) -> None:
    frames, rate = draft.arrays["frames"], _rate(draft)
    _, height, width, _ = frames.shape
    stream = container.add_stream("gif", rate=rate)
    stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
    painter = _painter(width, height, rate)
    for number, pixels in enumerate(_one_by_one(frames)):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
        frame.pts, frame.time_base = number, 1 / rate
        painter.push(frame)
        _mux_painted(container, stream, painter)
    painter.push(None)
    _mux_painted(container, stream, painter)
    container.mux(stream.encode(None))


def _mux_painted(container: Any, stream: Any, painter: Graph) -> None:
    # The graph says that it waits for more, or has come to its end, in two ways.
    with contextlib.suppress(av.BlockingIOError, av.EOFError):
        while True:
            container.mux(stream.encode(painter.vpull()))


def _painter(width: int, height: int, rate: Fraction) -> Graph:
    """Gives each frame a palette of its own, so that nothing of a film is known in advance."""
    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / rate
    )
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=single")
    paint = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=3")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(paint, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(paint, 0, 1)
    paint.link_to(sink)
    graph.configure()
    return graph


def _one_by_one(frames: Array) -> Iterator[Array]:
    for piece in pieces(frames):
        yield from piece


def _rate(draft: Draft) -> Fraction:
    """Frames per second, as a ratio that containers can hold."""
    return Fraction(draft.facts["fps"]).limit_denominator(1001)
