"""The kinds of content: how each is marked, written, read back and recognised, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.draft import Draft
from studio.errors import SealFailed
from studio.formats import Format
from studio.mastering import measure
from studio.provenance.encode import encode_picture, encode_sound, encode_text
from studio.provenance.encode_mesh import draw_mesh, encode_mesh, measure_mesh, read_back
from studio.provenance.fingerprint import (
    HEARD,
    NEAR,
    film_fingerprint,
    fingerprint,
    sound_fingerprint,
    text_fingerprint,
)
from studio.provenance.fingerprint_mesh import NEAR_MESH, mesh_fingerprint
from studio.provenance.marks import Mark, MarkKey
from studio.provenance.marks.image import ImageMark
from studio.provenance.marks.plugins import installed_marks
from studio.tasks.request import Kind

if TYPE_CHECKING:
    from studio.worker.decode_film import Film

#: Seconds by which a sound's file may be longer or shorter than its draft: lossy formats pad.
_PADDING = 0.2
#: Short side at which the frames of a film are checked; its mark needs no more.
SHORT_SIDE = 512
#: What libsndfile does not read.
_AAC = ".m4a"
#: Width and height of a sound's picture, in pixels; the colours of the wave and of the ground.
_WAVE = (256, 96)
_WAVE_COLOURS = ((196, 72, 48), (246, 241, 232))
#: Pixels of a frame: what was just made here is read whatever its size.
_OUR_OWN = 1 << 31


@dataclass(frozen=True)
class Medium:
    """What sealing and checking do with one kind of content."""

    #: How people call it.
    noun: str
    #: Writes a file.
    encode: Callable[[Draft, Format, Path], None]
    #: What a check looks at of a finished file, if it is as large as this draft; else `SealFailed`.
    read: Callable[[Path, Draft], Draft]
    fingerprint: Callable[[Draft], bytes]
    #: Bits by which the fingerprints of one content may differ.
    near: int
    #: What the note says of the marked content, after checks of what no file shows: a sound with
    #: values that are no numbers is `InvalidRequest`.
    measure: Callable[[Draft], Mapping[str, Any]]
    #: What shows a finished file in small; None where there is nothing to see.
    picture: Callable[[Path], Image.Image] | None
    #: Makes the mark when it is first needed; None where no mark carries a number.
    load_mark: Callable[[], Mark] | None
    #: Makes the marks that other packages bring for it.
    load_others: Callable[[], Sequence[Mark]] = tuple

    @cached_property
    def mark(self) -> Mark | None:
        """How a number is hidden in it; None if it carries its signed statement alone."""
        return self.load_mark() if self.load_mark else None

    @cached_property
    def other_marks(self) -> Sequence[Mark]:
        """Other packages' ways, which hide the same number beside it."""
        return self.load_others()


def media(keys: Sequence[MarkKey], weights: Path) -> Mapping[Kind, Medium]:
    """The kinds that leave this studio, marked with the newest of `keys` and read with any.

    `weights` is where those of other packages' marks lie.
    """

    def sound_mark() -> Mark:
        # Late: it brings a part of scipy that the host does without until it hears something.
        from studio.provenance.marks.audio import AudioMark

        return AudioMark(keys)

    def film_mark() -> Mark:
        from studio.provenance.marks.film import FilmMark

        return FilmMark(keys)

    return MappingProxyType(
        {
            "image": Medium(
                noun="picture",
                encode=encode_picture,
                read=_read_picture,
                fingerprint=lambda draft: fingerprint(draft.arrays["pixels"]),
                near=NEAR,
                measure=lambda _: {},
                picture=Image.open,
                load_mark=lambda: ImageMark(keys),
                load_others=lambda: installed_marks("image", keys, weights),
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
                picture=_waveform,
                load_mark=sound_mark,
                load_others=lambda: installed_marks("audio", keys, weights),
            ),
            "video": Medium(
                noun="film",
                encode=_encode_film,
                read=_read_film,
                fingerprint=lambda draft: film_fingerprint(draft.arrays["frames"]),
                near=NEAR,
                measure=_measure_film,
                picture=lambda media: Image.fromarray(_film(media).poster()),
                load_mark=film_mark,
                load_others=lambda: installed_marks("video", keys, weights),
            ),
            "text": Medium(
                noun="text",
                encode=encode_text,
                read=_read_text,
                fingerprint=lambda draft: text_fingerprint(draft.facts["text"]),
                near=0,
                measure=lambda _: {},
                picture=None,
                load_mark=None,
            ),
            "mesh": Medium(
                noun="3D object",
                encode=encode_mesh,
                read=read_back,
                fingerprint=lambda draft: mesh_fingerprint(
                    draft.arrays["vertices"], draft.arrays["faces"]
                ),
                near=NEAR_MESH,
                measure=measure_mesh,
                picture=draw_mesh,
                load_mark=None,
            ),
        }
    )


def _read_picture(media: Path, like: Draft) -> Draft:
    with Image.open(media) as picture:
        # A palette's numbers are no colours.
        pixels = np.asarray(picture.convert("RGBA") if picture.mode == "P" else picture)
    if pixels.shape[:2] != like.arrays["pixels"].shape[:2]:
        raise SealFailed("The finished file has other dimensions than the draft.")
    return Draft("image", 0, 0, {"pixels": pixels})


def _read_sound(media: Path, like: Draft) -> Draft:
    """Its beginning; all of it would take as much memory again as the sound."""
    import soundfile

    samples, wanted = like.arrays["samples"], like.facts["rate"]
    if media.suffix == _AAC:
        film = _film(media)
        rate, channels = film.facts["rate"], film.facts["channels"]
        beyond = abs(film.seconds - len(samples) / wanted)
        heard = np.concatenate(list(film.samples(HEARD)))
    else:
        with soundfile.SoundFile(media) as sound:
            rate, channels = sound.samplerate, sound.channels
            beyond = abs(sound.frames / rate - len(samples) / wanted)
            heard = sound.read(HEARD * rate, dtype="float32", always_2d=True)
    if channels != samples.shape[1] or beyond > _PADDING:
        raise SealFailed("The finished file has another length or other channels than the draft.")
    return Draft("audio", 0, 0, {"samples": heard}, {"rate": rate})


def _waveform(media: Path) -> Image.Image:
    """How loud a sound is from its beginning to its end: a column of light for each moment."""
    import soundfile

    width, height = _WAVE
    blocks: Iterable[NDArray[np.float32]]
    if media.suffix == _AAC:
        film = _film(media)
        length, blocks = round(film.seconds * film.facts["rate"]), film.samples()
    else:
        length = soundfile.info(media).frames
        blocks = soundfile.blocks(media, 65_536, dtype="float32", always_2d=True)
    loudest = np.zeros(width)
    begin = 0
    for block in blocks:
        columns = np.minimum((begin + np.arange(len(block))) * width // max(length, 1), width - 1)
        np.maximum.at(loudest, columns, np.abs(block).max(axis=1))
        begin += len(block)
    rows = np.abs(np.arange(height) - (height - 1) / 2)[:, None]
    lit = rows <= np.maximum(loudest * height / 2, 0.5)
    return Image.fromarray(np.where(lit[..., None], *_WAVE_COLOURS).astype(np.uint8))


def _encode_film(draft: Draft, target: Format, place: Path) -> None:
    # Late: PyAV is large, and the host does without it until it makes a film.
    from studio.provenance.encode_film import encode_film

    encode_film(draft, target, place)


def _read_film(media: Path, like: Draft) -> Draft:
    """A check's stretches of it, and the beginning of its sound."""
    film = _film(media)
    frames = np.stack(list(film.sampled(SHORT_SIDE)))
    wanted, fps = like.arrays["frames"].shape, like.facts["fps"]
    grown = [here - there for here, there in zip(film.size, wanted[2:0:-1], strict=True)]
    # Half a frame for rounding, and containers count in thousandths.
    if not set(grown) <= {0, 1} or abs(film.seconds - wanted[0] / fps) > 0.5 / fps + 0.05:
        raise SealFailed("The finished film has another size or length than the draft.")
    arrays, facts = {"frames": frames}, dict(film.facts)
    if "rate" in facts:
        arrays["samples"] = np.concatenate(list(film.samples(HEARD)))
    return Draft("video", 0, 0, arrays, facts)


def _film(media: Path) -> Film:
    from studio.worker.decode_film import Film
    from studio.worker.decode_kind import demuxer

    with media.open("rb") as file:
        reader = demuxer(file.read(12)) or "gif"
    return Film(str(media), reader, _OUR_OWN)


def _measure_film(draft: Draft) -> Mapping[str, Any]:
    frames, fps = draft.arrays["frames"], draft.facts["fps"]
    _, height, width, _ = frames.shape
    about = {"width": width, "height": height, "fps": fps, "seconds": round(len(frames) / fps, 3)}
    if "samples" in draft.arrays:
        about |= asdict(measure(draft.arrays["samples"], draft.facts["rate"]))
    return about


def _read_text(media: Path, like: Draft) -> Draft:
    if media.read_bytes().decode() != like.facts["text"]:
        raise SealFailed("The finished file has other words than the draft.")
    return like
