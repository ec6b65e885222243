"""The family `diffusers-audio`: sounds, and songs, from the diffusers library."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import GPT2LMHeadModel

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_folder import (
    Shared,
    calling,
    check_folder,
    give_back,
    no_numbers,
    open_folder,
)
from studio.families.diffusers_memory import device_and_dtype, place
from studio.families.transformers_folder import opening
from studio.mastering import Samples, loop

#: What each pipeline calls the length of a sound, in seconds.
_LENGTHS = {
    "AudioLDM2Pipeline": "audio_length_in_s",
    "StableAudioPipeline": "audio_end_in_s",
    "AceStepPipeline": "audio_duration",
}
#: Seconds over which a loop's end goes over into its beginning, at most.
_SEAM = 1.0
#: Seconds that are made and cut off again, because some pipelines make whole frames, rounded down.
_REST = 0.05


class DiffusersAudio:
    """Loads AudioLDM 2, Stable Audio and ACE-Step.

    Card options: `scheduler`, `arguments` and `without`, as the family `diffusers` has them.
    """

    def __init__(self) -> None:
        self._shared = Shared()

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The pipeline in `spec.folder`, in any placement.

        Raises:
            Unavailable: if a file is missing or is in a format that is refused, or if it is a
                pipeline of another kind.
            OutOfMemory: if the device could not hold it.
        """
        parts = _parts(spec, device, placement)
        pipe = open_folder(spec, device, placement, shared=self._shared, **parts)
        kind = type(pipe).__name__
        if kind not in _LENGTHS:
            raise Unavailable(
                f"{spec.name} is a {kind}, which makes no sound here.",
                hint=f"This family runs {', '.join(_LENGTHS)}.",
            )
        with calling(pipe, spec):
            place(pipe, device, placement)
        pipe.set_progress_bar_config(disable=True)
        return Sounds(spec, pipe)


class Sounds:
    """A pipeline in memory that makes sounds."""

    def __init__(self, spec: Spec, pipe: Any) -> None:
        self._spec = spec
        self._pipe = pipe

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts of the asked length, float32 (samples, 1 or 2), each made alone.

        A loop is made longer than asked, and its end fades into its beginning.

        Raises:
            InvalidRequest: if a sound is longer than the model's window, or the model cannot do
                what is asked.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        for order in batch:
            self._check(order)
        done, total = 0, sum(order.request["steps"] for order in batch)
        for order in batch:
            sound, rate = self._made(order, progress, done, total)
            done += order.request["steps"]
            progress.step(done, total)
            facts: dict[str, Any] = {"rate": rate}
            if order.request["loopable"]:
                facts["loop"] = True
            yield Draft("audio", order.index, order.seed, {"samples": sound}, facts)

    def unload(self) -> None:
        """Free the weights."""
        self._pipe = None
        give_back()

    def _made(self, order: Order, progress: Progress, done: int, total: int) -> tuple[Samples, int]:
        """The sound of one order, and its rate in Hz."""
        asked, last = order.request, done + order.request["steps"]
        length = asked["duration"] + _seam(order)

        def follow(step: int, _time: object, _latents: object) -> None:
            # The last step is told when the sound can be heard.
            progress.step(min(done + step + 1, last - 1), total)

        arguments = {
            "prompt": asked["prompt"],
            "num_inference_steps": asked["steps"],
            "guidance_scale": asked["guidance"],
            "generator": torch.Generator().manual_seed(order.seed),
            "callback": follow,
            _LENGTHS[type(self._pipe).__name__]: min(length + _REST, self._longest),
        }
        for name in ("negative_prompt", "lyrics"):
            if asked[name]:
                arguments[name] = asked[name]
        arguments |= self._spec.options.get("arguments", {})
        with calling(self._pipe, self._spec), torch.random.fork_rng():
            # Some schedulers draw noise from nowhere else.
            torch.manual_seed(order.seed)
            heard = self._pipe(**arguments).audios[0]
        sound = np.atleast_2d(np.asarray(torch.as_tensor(heard).float().cpu())).T
        if not np.isfinite(sound).all():
            raise no_numbers(self._spec.name)
        rate = self._rate
        sound = np.clip(sound[: round(length * rate)], -1, 1)
        if asked["loopable"]:
            sound = loop(sound, rate, _seam(order))
        return np.ascontiguousarray(sound, np.float32), rate

    @property
    def _rate(self) -> int:
        """Samples per second."""
        maker = getattr(self._pipe, "vocoder", None) or self._pipe.vae
        return int(maker.config.sampling_rate)

    @property
    def _sings(self) -> bool:
        return type(self._pipe).__name__ == "AceStepPipeline"

    @property
    def _longest(self) -> float:
        """Seconds that it can make at a time."""
        if type(self._pipe).__name__ != "StableAudioPipeline":
            return math.inf
        window: int = self._pipe.transformer.config.sample_size
        return window * int(self._pipe.vae.hop_length) / self._rate

    def _check(self, order: Order) -> None:
        """Refuse what this pipeline cannot do, before anything is made."""
        unable = "negative_prompt" if self._sings else "lyrics"
        if order.request[unable]:
            raise InvalidRequest(f"{unable}: this model has no say in it.", hint="Leave it empty.")
        if order.request["duration"] + _seam(order) > self._longest:
            raise InvalidRequest(
                f"duration: this model makes at most {self._longest:g} seconds at a time.",
                hint=f"Ask for a shorter sound; a loop needs up to {_SEAM:g} s for its seam.",
            )


def _parts(spec: Spec, device: str, placement: str) -> dict[str, Any]:
    """What the folder's index names no longer suits: the pipeline of AudioLDM 2 has its GPT-2 go on
    writing, and the class that the index names for that has lost the means to.
    """
    check_folder(spec.folder, tuple(spec.options.get("without", ())))
    index = json.loads((spec.folder / "model_index.json").read_text(encoding="utf-8"))
    if index.get("language_model") != ["transformers", "GPT2Model"]:
        return {}
    part = replace(spec, folder=spec.folder / "language_model")
    with opening(part):
        model = GPT2LMHeadModel.from_pretrained(
            part.folder,
            dtype=device_and_dtype(spec, device, placement)[1],
            variant=spec.variant,
            use_safetensors=True,
            local_files_only=True,
        )
    return {"language_model": model}


def _seam(order: Order) -> float:
    """Seconds that are made beyond what was asked for."""
    return min(_SEAM, float(order.request["duration"]) / 4) if order.request["loopable"] else 0.0
