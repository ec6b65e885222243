"""The film tool: scenes, what is said in them and what plays under them, as one film.

The film is drawn frame by frame into a mapped file, so that its length costs disk and no memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from studio import mastering
from studio.draft import Array, Draft, blank_frames
from studio.errors import InvalidRequest
from studio.families.workshop.inputs import several
from studio.families.workshop.picture import band

Pixels = NDArray[np.uint8]

#: Seconds of a crossfade, of the music's end, and around what is said in a scene.
_CROSSFADE, _ENDING, _BREATH = 0.6, 1.5, 0.4
#: How much nearer a moving picture is at its end.
_ZOOM = 0.1
#: Hz of a film's sound, unless a soundtrack has its own.
_RATE = 44_100


@dataclass(frozen=True)
class _Scene:
    """One scene on its way into the film."""

    draft: Draft
    #: Frames that it takes, the crossfade into the next one included.
    length: int
    #: What is said in it, mono or stereo, and at how many Hz.
    voice: tuple[mastering.Samples, int] | None
    #: What stands over it, RGBA of the film's size.
    caption: Pixels | None


def assemble(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """One film of the scenes; see `studio.tasks.assembly.FilmAssembly`.

    A film keeps its own length and sound where it is given no other; whatever is shorter than what
    is said in it stands still on its last frame.

    Raises:
        InvalidRequest: if there are more narrations or captions than scenes.
    """
    fps, size = int(request["fps"]), (int(request["width"]), int(request["height"]))
    scenes = _scenes(request, inputs, fps, size)
    overlap = round(_CROSSFADE * fps) if request["transition"] == "crossfade" else 0
    starts, total = _starts(scenes, overlap)
    frames = blank_frames(total, size[1], size[0])
    for number, (scene, start) in enumerate(zip(scenes, starts, strict=True)):
        before = starts[number - 1] + scenes[number - 1].length - start if number else 0
        for place, frame in enumerate(_shown(scene, size, fps, request["motion"], number)):
            if place < before:
                share = (place + 1) / (before + 1)
                frame = cv2.addWeighted(frames[start + place], 1 - share, frame, share, 0)
            frames[start + place] = frame
            if place % fps == 0:
                tell((start + place) / total)
    arrays: dict[str, Array] = {"frames": frames}
    facts: dict[str, Any] = {"fps": fps, "cues": _cues(request, scenes, starts, fps)}
    sound, rate = _sound(request, inputs, scenes, starts, total / fps, fps)
    if sound is not None:
        arrays["samples"], facts["rate"] = sound, rate
    return arrays, facts


def _scenes(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], fps: int, size: tuple[int, int]
) -> list[_Scene]:
    drafts, voices = several(inputs, "scenes").values(), several(inputs, "narration")
    captions, lengths = request["captions"], request["lengths"]
    for field in ("narration", "captions", "lengths"):
        if len(request[field]) > len(drafts):
            raise InvalidRequest(
                f"{field}: there are {len(request[field])}, and only {len(drafts)} scenes.",
                hint="Give one for each scene, in their order, or fewer.",
            )
    scenes = []
    for number, draft in enumerate(drafts):
        voice, seconds = None, 0.0
        if number in voices:
            samples, rate = voices[number].arrays["samples"], int(voices[number].facts["rate"])
            voice = np.asarray(samples, np.float32), rate
            seconds = len(samples) / rate + 2 * _BREATH
        if number < len(lengths) and lengths[number]:
            seconds = max(seconds, float(lengths[number]))
        elif draft.kind == "video":
            seconds = max(seconds, len(draft.arrays["frames"]) / float(draft.facts["fps"]))
        else:
            seconds = max(seconds, request["seconds"])
        caption = None
        if request["burnt"] and number < len(captions) and captions[number].strip():
            caption = band(captions[number], size, place="bottom", letters="small")
        scenes.append(_Scene(draft, max(1, round(seconds * fps)), voice, caption))
    return scenes


def _starts(scenes: Sequence[_Scene], overlap: int) -> tuple[list[int], int]:
    """The first frame of every scene, and how many frames there are in all."""
    starts, end = [], 0
    for number, scene in enumerate(scenes):
        # Never so long that a scene is nothing but its beginning and its end.
        before = min(overlap, scene.length // 3, scenes[number - 1].length // 3) if number else 0
        starts.append(end - before)
        end += scene.length - before
    return starts, end


def _shown(
    scene: _Scene, size: tuple[int, int], fps: int, motion: bool, number: int
) -> Iterator[Pixels]:
    """Every frame of a scene, uint8 (height, width, 3)."""
    still = scene.draft.kind == "image"
    picture = _opaque(np.asarray(scene.draft.arrays["pixels"])) if still else None
    for place in range(scene.length):
        if picture is not None:
            near = _ZOOM * place / scene.length if motion else 0.0
            # In on one scene, out on the next.
            frame = _cover(
                picture, size, 1 + (near if number % 2 == 0 or not motion else _ZOOM - near)
            )
        else:
            frames = scene.draft.arrays["frames"]
            source = int(place / fps * float(scene.draft.facts["fps"]) + 1e-6)
            frame = _cover(np.asarray(frames[min(source, len(frames) - 1)]), size, 1.0)
        if scene.caption is not None:
            over = scene.caption[..., 3:].astype(np.uint16)
            frame = ((scene.caption[..., :3] * over + frame * (255 - over) + 127) // 255).astype(
                np.uint8
            )
        yield frame


def _opaque(pixels: Pixels) -> Pixels:
    """RGB; what is transparent shows black."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    return (pixels[..., :3] * alpha // 255).astype(np.uint8)


def _cover(pixels: Pixels, size: tuple[int, int], zoom: float) -> Pixels:
    """The picture about its middle, filling `size` (width, height) and `zoom` times nearer."""
    height, width = pixels.shape[:2]
    scale = max(size[0] / width, size[1] / height) * zoom
    # By a matrix, so that a slow zoom moves by less than a pixel from frame to frame.
    matrix = np.array(
        [
            [scale, 0, size[0] / 2 - scale * width / 2],
            [0, scale, size[1] / 2 - scale * height / 2],
        ]
    )
    if scale < 0.5:
        # What is much smaller would flicker, if only its nearest pixels were taken.
        smaller = cv2.resize(
            pixels,
            (math.ceil(width * scale), math.ceil(height * scale)),
            interpolation=cv2.INTER_AREA,
        )
        return _cover(smaller, size, 1.0)
    warped = cv2.warpAffine(
        pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def _cues(
    request: Mapping[str, Any], scenes: Sequence[_Scene], starts: Sequence[int], fps: int
) -> list[dict[str, Any]]:
    """When each caption is to be read: as long as its scene lasts."""
    return [
        {
            "start": round(start / fps, 3),
            "end": round((start + scene.length) / fps, 3),
            "text": caption,
        }
        for caption, scene, start in zip(request["captions"], scenes, starts, strict=False)
        if caption.strip()
    ]


def _sound(
    request: Mapping[str, Any],
    inputs: Mapping[str, Draft],
    scenes: Sequence[_Scene],
    starts: Sequence[int],
    seconds: float,
    fps: int,
) -> tuple[mastering.Samples | None, int]:
    """All that is heard, float32 (samples, 2), and its rate; None for a silent film."""
    soundtrack = inputs.get("soundtrack")
    rate = int(soundtrack.facts["rate"]) if soundtrack else _RATE
    length = round(seconds * rate)
    said = np.zeros((length, 2), np.float32)
    heard = soundtrack is not None
    for scene, start in zip(scenes, starts, strict=True):
        own = scene.draft.arrays.get("samples")
        parts = [(own, int(scene.draft.facts["rate"]), 0.0)] if own is not None else []
        if scene.voice is not None:
            parts.append((*scene.voice, _BREATH))
        for samples, of, after in parts:
            heard = True
            begin = round((start / fps + after) * rate)
            sound = mastering.stereo(mastering.resample(np.asarray(samples, np.float32), of, rate))
            said[begin : begin + len(sound)] += sound[: length - begin]
    if not heard:
        return None, 0
    if soundtrack is None:
        return np.clip(said, -mastering.CEILING, mastering.CEILING), rate
    music = np.asarray(soundtrack.arrays["samples"], np.float32)
    mixed = mastering.lay(said, music, rate, duck=float(request["duck"]))
    ending = min(_ENDING, seconds / 4)
    return mastering.fade(mixed, rate, fade_in=0.1, fade_out=ending), rate
