"""The family `transformers-codec`: one sound becomes another in a neural codec's latent space."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import EncodecModel

from studio import mastering
from studio.draft import Draft
from studio.errors import Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.transformers_folder import model_of, opening
from studio.families.transformers_tunes import heard

#: Seconds of the longer sound: all of it is in memory at once.
_LONGEST = 60.0
#: Seconds over which a sound that is cut ends.
_END = 0.02


class TransformersCodec:
    """Loads EnCodec; its card has no options."""

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The codec in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused, or if the
                codec hears one second at a time, which leaves nothing continuous to go along.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            model = model_of(EncodecModel, spec, device, placement)
        if model.config.chunk_length_s is not None or model.config.audio_channels != 1:
            raise Unavailable(
                f"{spec.name} hears sounds second by second, so nothing can be turned into "
                "something else with it.",
                hint="Use EnCodec for 24 or 32 kHz.",
            )
        return Morpher(spec.name, model)


class Morpher:
    """A codec in memory."""

    def __init__(self, name: str, model: Any) -> None:
        self._name = name
        self._model = model

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts between two sounds, float32 (samples, 1 or 2), at the codec's rate.

        What the encoder says of both is mixed before anything is quantised, and decoded: at 0 and 1
        that is each sound as the codec hears it. The length goes from the one's to the other's; the
        shorter one is followed by silence meanwhile. Nothing is drawn, so every seed gives the
        same. The facts hold `position`. One step is one sound.

        Raises:
            InvalidRequest: if a sound is silent or too long.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        rate = self._model.config.sampling_rate
        ends = [
            [
                heard(field, order.inputs[field], rate, _LONGEST)[:, :2]
                for field in ("audio", "target")
            ]
            for order in batch
        ]
        for done, (order, (first, second)) in enumerate(zip(batch, ends, strict=True), 1):
            count, position = order.request["count"], order.request["position"]
            if count > 1:
                position = order.index / (count - 1)
            if first.shape[1] != second.shape[1]:
                first, second = mastering.stereo(first), mastering.stereo(second)
            samples = self._between(first, second, position)
            length = round(len(first) + position * (len(second) - len(first)))
            samples = samples[:length]
            if length < max(len(first), len(second)):
                samples = mastering.fade(samples, rate, fade_in=0, fade_out=_END)
            progress.step(done, len(batch))
            facts = {"rate": rate, "position": position}
            yield Draft("audio", order.index, order.seed, {"samples": samples}, facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _between(
        self, first: mastering.Samples, second: mastering.Samples, position: float
    ) -> mastering.Samples:
        """As long as the longer one, and a little more where the codec's frames end later."""
        longest = max(len(first), len(second))
        with memory_errors(self._name), torch.inference_mode():
            one, other = (self._latent(sound, longest) for sound in (first, second))
            waves = self._model.decoder(torch.lerp(one, other, position))
            sound = waves[:, 0].float().T.cpu()
        if not bool(torch.isfinite(sound).all()):
            raise Unavailable(
                f"{self._name} computed values that are no numbers.",
                hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
            )
        return np.asarray(sound.clamp(-1, 1).contiguous().numpy())

    def _latent(self, samples: mastering.Samples, length: int) -> torch.Tensor:
        """What the encoder says of the sound and silence after it, (channels, width, frames)."""
        whole = np.pad(samples, ((0, length - len(samples)), (0, 0)))
        # Channels are a batch: the codec knows one at a time.
        given = torch.from_numpy(np.ascontiguousarray(whole.T))[:, None]
        said: torch.Tensor = self._model.encoder(given.to(self._model.device, self._model.dtype))
        return said
