"""Tools for finished sounds, on `studio.mastering`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from studio import mastering
from studio.draft import Array, Draft
from studio.errors import InvalidRequest


def master(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Cut, trim, normalise and fade one sound, in that order; its rate stays unless asked for."""
    samples, rate = _sound(inputs["audio"])
    begin, end, length = request["begin"], request["end"], len(samples)
    last = length if end is None else round(end * rate)
    samples = samples[round(begin * rate) : last]
    if not len(samples):
        raise InvalidRequest(
            f"begin: nothing is left of a sound of {length / rate:.1f} seconds.",
            hint="Let it end after it begins, and begin before its end.",
        )
    if request["trim"]:
        samples = mastering.trim(samples, rate)
    if request["loudness"] is not None:
        samples = mastering.normalise(samples, rate, request["loudness"])
    if request["rate"] is not None:
        wanted = int(request["rate"])
        samples, rate = mastering.resample(samples, rate, wanted), wanted
    samples = mastering.fade(
        samples, rate, fade_in=request["fade_in"], fade_out=request["fade_out"]
    )
    return {"samples": samples}, {"rate": rate}


def mix(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """A voice over music that steps back while it speaks, in stereo, at the music's rate.

    The voice's cues, where the studio knows them, move with it.
    """
    music, rate = _sound(inputs["music"])
    voice, spoken = _sound(inputs["voice"])
    if not np.abs(music).max(initial=0):
        raise InvalidRequest("music: it is silent.", hint="Choose another sound.")
    level = np.float32(10 ** (request["music_level"] / 20))
    mixed = mastering.mix(
        mastering.resample(voice, spoken, rate), music * level, rate, duck=request["duck"]
    )
    mixed = mastering.fade(mixed, rate, fade_in=0.2, fade_out=min(1.0, len(mixed) / rate / 4))
    return {"samples": mixed}, {"rate": rate}


def _sound(draft: Draft) -> tuple[mastering.Samples, int]:
    return np.asarray(draft.arrays["samples"], np.float32), int(draft.facts["rate"])
