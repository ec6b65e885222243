"""What is read of films, and of sounds that libsndfile does not know: by PyAV, within limits.

A check needs no whole film: it takes `STRETCHES` stretches of `STRETCH` frames from all over it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidRequest
from studio.tasks.request import Kind

#: How many stretches of how many frames a check takes; `film_fingerprint` looks at their middles.
STRETCHES, STRETCH = 4, 12
#: What a file of each demuxer is to the manifest reader.
_MEDIA_TYPES = {
    "mov": "video/mp4",
    "matroska": "video/webm",
    "avi": "video/avi",
    "gif": "image/gif",
}
#: Seconds of a film at most; values (pixels × 3) of all frames that are decoded at most.
_LONGEST, _MOST = 3_600, 1_500_000_000
_RATES = range(8_000, 192_001)
_CHANNELS, _MOST_SAMPLES = 8, 60_000_000
#: Whatever PyAV raises about a file's content.
_FAILURES = (av.FFmpegError, ValueError, EOFError, OverflowError)


class Film:
    """A film, or a sound in a film's container, of which only the head has been read."""

    def __init__(
        self, file: BinaryIO | str, reader: str, max_pixels: int, *, heard: bool = False
    ) -> None:
        """Open `file` with one of FFmpeg's readers and no other; to be `heard`, its sound alone.

        Raises:
            InvalidRequest: if it is damaged, too long or too large.
        """
        try:
            self._container: Any = av.open(file, format=reader)
        except _FAILURES as error:
            raise _damaged(error) from None
        streams = self._container.streams
        self._video: Any = streams.video[0] if streams.video and not heard else None
        self._sound: Any = streams.audio[0] if streams.audio else None
        if self._sound is None and heard:
            raise InvalidRequest(
                "There is no sound in this film.", hint="Choose one in which somebody speaks."
            )
        if self._video is None and self._sound is None:
            raise InvalidRequest("There is neither a film nor a sound in this file.", hint=_AGAIN)
        self.kind: Kind = "video" if self._video else "audio"
        self.media_type = _MEDIA_TYPES[reader]
        if reader == "mov" and self._video is None:
            self.media_type = "audio/mp4"
        self.seconds = self._length()
        if self.seconds > _LONGEST:
            raise InvalidRequest(
                f"This film or sound is {self.seconds:,.0f} seconds long; it was not decoded.",
                hint=f"Cut it to {_LONGEST} seconds at most.",
            )
        if self._video is None:
            self._check_sound(self._sound)
            return
        context = self._video.codec_context
        context.thread_count = 1
        #: Width and height of the frames as they are stored.
        self.size = (int(context.width), int(context.height))
        #: Frames per second, and how many frames there are, as far as the head tells.
        self.fps = float(self._video.average_rate or self._video.guessed_rate or 0) or 25.0
        self.count = self._video.frames or round(self.seconds * self.fps)
        if context.width * context.height > max_pixels:
            raise InvalidRequest(
                f"This film has {context.width} × {context.height} pixels; it was not decoded.",
                hint="Reduce it, or raise `max_pixels` in the settings.",
            )

    @property
    def facts(self) -> Mapping[str, Any]:
        """`seconds`, and of a film `fps`; `rate` and `channels` where there is sound."""
        sound = self._sound
        heard = {"rate": sound.rate, "channels": sound.channels} if sound else {}
        seen = {"fps": self.fps} if self._video else {}
        return {"seconds": round(self.seconds, 3), **seen, **heard}

    def spool(self, place: Path, seconds: int, short_side: int) -> Mapping[str, Any]:
        """Write the frames, raw, to `place`, and their sound to `place` with `.samples` behind it.

        A sound without frames goes to `place`. Frames are uint8 (height, width, 3), upright;
        samples float32, channels interleaved. With `seconds`, the frames are those that a check
        takes, at most twice `short_side` on their short side, and the sound is no longer than that.
        Returns what was learned: `width` and `height` of the film, and each frame's `shape`.

        Raises:
            InvalidRequest: if it is damaged, or too much.
        """
        learned: dict[str, Any] = {}
        try:
            if self._video is not None:
                frames = self.sampled(short_side) if seconds else self._all()
                with place.open("wb") as raw:
                    for number, frame in enumerate(frames):
                        if number == 0:
                            learned["shape"] = frame.shape
                        if frame.shape != learned["shape"]:
                            raise InvalidRequest("This film changes its size.", hint="Cut it.")
                        if (number + 1) * frame.size > _MOST:
                            raise self._too_much()
                        raw.write(np.ascontiguousarray(frame).data)
                if not learned:
                    raise InvalidRequest("There is no picture in this film.", hint=_AGAIN)
                height, width = learned["shape"][:2]
                context = self._video.codec_context
                turned = (height > width) != (context.height > context.width)
                size = (context.width, context.height)
                learned["width"], learned["height"] = size[::-1] if turned else size
            if self._sound is not None:
                beside = place.with_name(f"{place.name}.samples")
                with (beside if self._video else place).open("wb") as raw:
                    for block in self.samples(seconds):
                        raw.write(np.ascontiguousarray(block).data)
        except _FAILURES as error:
            raise _damaged(error) from None
        return learned

    def sampled(self, short_side: int = 0) -> Iterator[NDArray[np.uint8]]:
        """What a check looks at: all of a short film, else stretches around `moments`."""
        if self.count <= STRETCHES * STRETCH:
            yield from self._frames(0.0, short_side)
            return
        for place in range(STRETCHES):
            begin = (2 * place + 1) * self.count // (2 * STRETCHES) - STRETCH // 2
            frames = self._frames(begin / self.fps, short_side)
            with contextlib.closing(frames):
                for _, frame in zip(range(STRETCH), frames, strict=False):
                    yield frame

    def poster(self) -> NDArray[np.uint8]:
        """The frame at a third of it, which is seldom black."""
        return next(self._frames(self.seconds / 3, 0))

    def samples(self, seconds: int = 0) -> Iterator[NDArray[np.float32]]:
        """Its sound: float32 (n, channels) in [-1, 1], block by block; with 0 all of it."""
        sound = self._check_sound(self._sound)
        left = seconds * sound.rate if seconds else _MOST_SAMPLES // sound.channels
        self._container.seek(0)
        planar = av.AudioResampler(format="fltp", layout=sound.layout, rate=sound.rate)
        for frame in self._container.decode(sound):
            for part in planar.resample(frame):
                block = np.nan_to_num(part.to_ndarray().T[:left]).clip(-1, 1)
                yield block.astype(np.float32, copy=False)
                left -= len(block)
                if left <= 0:
                    if seconds:
                        return
                    raise self._too_much()

    def _all(self) -> Iterator[NDArray[np.uint8]]:
        context = self._video.codec_context
        if self.count * context.width * context.height * 3 > _MOST:
            raise self._too_much()
        yield from self._frames(0.0, 0)

    def _frames(self, begin: float, short_side: int) -> Generator[NDArray[np.uint8]]:
        """Frames from the second `begin` on."""
        stream = self._video
        first = stream.start_time or 0
        self._container.seek(first + int(begin / stream.time_base), stream=stream)
        early = 0.5 / self.fps
        for frame in self._container.decode(stream):
            when = float(((frame.pts or 0) - first) * stream.time_base)
            if when >= begin - early:
                yield _pixels(frame, short_side)

    def _length(self) -> float:
        """Seconds; 0 where the head does not say."""
        stream = self._video or self._sound
        if stream.duration:
            return float(stream.duration * stream.time_base)
        return float((self._container.duration or 0) / av.time_base)

    def _check_sound(self, sound: Any) -> Any:
        if sound.rate not in _RATES or not 0 < sound.channels <= _CHANNELS:
            raise InvalidRequest(
                f"This sound has {sound.channels} channels at {sound.rate} Hz.",
                hint=f"Convert it to at most {_CHANNELS}, and {_RATES[0]} to {_RATES[-1]} Hz.",
            )
        return sound

    def _too_much(self) -> InvalidRequest:
        return InvalidRequest(
            "This film or sound is too long to be worked on; it was not decoded.",
            hint="Cut it, or make it smaller.",
        )


def _pixels(frame: Any, short_side: int) -> NDArray[np.uint8]:
    """One frame in RGB, upright, uint8 (height, width, 3)."""
    factor = max(1, min(frame.width, frame.height) // short_side if short_side else 1)
    plain = frame.reformat(
        width=frame.width // factor,
        height=frame.height // factor,
        format="rgb24",
        src_colorspace=_colours(frame),
        interpolation="AREA",
        threads=1,
    )
    pixels: NDArray[np.uint8] = plain.to_ndarray()
    return np.rot90(pixels, round(frame.rotation / 90) % 4) if frame.rotation else pixels


def _colours(frame: Any) -> str | None:
    """The colour matrix; where a film does not say, the one that is usual for its size."""
    if int(frame.colorspace) != 2:  # unspecified
        return None
    return "ITU709" if frame.height >= 720 else "ITU601"


_AGAIN = "Fetch it again from where it came."


def _damaged(error: Exception) -> InvalidRequest:
    why = getattr(error, "strerror", None) or str(error)
    return InvalidRequest(f"This film or sound is damaged: {why}.", hint=_AGAIN)
