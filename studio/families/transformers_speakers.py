"""The family `transformers-speakers`: models that tell whether two people are the same one."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioXVector

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.transformers_folder import beside, model_of, opening
from studio.hearing import sayings
from studio.mastering import Samples, resample

#: Seconds of speech that are looked at, of each sound, and that each half of it has to have.
_MOST, _LEAST = 30.0, 0.5


class TransformersSpeakers:
    """Loads WavLM and its kin for speaker verification.

    Card option: `threshold`, the cosine from which on two sounds are of one speaker.
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            ear = beside(AutoFeatureExtractor, spec)
            model = model_of(AutoModelForAudioXVector, spec, device, placement, torch.float32)
        return Recogniser(spec.name, model, ear, float(spec.options.get("threshold", 0.86)))


class Recogniser:
    """A model in memory that compares speakers."""

    def __init__(self, name: str, model: Any, ear: Any, threshold: float) -> None:
        self._name = name
        self._model = model
        self._ear = ear
        self._threshold = threshold

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Text drafts: JSON with the `likeness` of the two sounds' speakers, a cosine; whether it
        is the `same`; and the `steadiness` of the first sound, half against half: where that is not
        `steady`, more than one person speaks in it, or something else sounds. One step is an order.

        Raises:
            InvalidRequest: if nobody speaks in one of them.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        for done, order in enumerate(batch, 1):
            one, other = (self._speech(order, field) for field in ("audio", "other"))
            middle = len(one) // 2
            with memory_errors(self._name), torch.inference_mode():
                vectors = [self._vector(part) for part in (one, other, one[:middle], one[middle:])]
            found: dict[str, float | bool] = {}
            for name, verdict, first, second in (
                ("likeness", "same", vectors[0], vectors[1]),
                ("steadiness", "steady", vectors[2], vectors[3]),
            ):
                cosine = float(torch.nn.functional.cosine_similarity(first, second, dim=0))
                found |= {name: round(cosine, 4), verdict: cosine >= self._threshold}
            progress.step(done, len(batch))
            yield Draft("text", order.index, order.seed, facts={"text": json.dumps(found)})

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _speech(self, order: Order, field: str) -> Samples:
        """What is said in a sound, without its pauses, float32 (samples,), at the model's rate."""
        draft = Draft.unspool(order.inputs[field])
        samples, rate = draft.arrays["samples"], int(draft.facts["rate"])
        spans = sayings(samples, rate, _MOST)
        wanted = self._ear.sampling_rate
        said = [resample(span.of(samples, rate).mean(axis=1), rate, wanted) for span in spans]
        if sum(map(len, said)) < 2 * _LEAST * wanted:
            raise InvalidRequest(
                f"{field}: too little is said in it to know a voice by.",
                hint="Choose a sound in which one person speaks for some seconds.",
            )
        together = torch.cat([torch.from_numpy(part) for part in said]).numpy()
        return together[: round(_MOST * wanted)]

    def _vector(self, samples: Samples) -> torch.Tensor:
        """What the model knows the speaker by, float32 (features,), on the processor."""
        read = self._ear(samples, sampling_rate=self._ear.sampling_rate, return_tensors="pt")
        vector: torch.Tensor = self._model(**read.to(self._model.device)).embeddings[0]
        if not bool(vector.isfinite().all()):
            raise Unavailable(
                f"{self._name} computed values that are no numbers.",
                hint="Its files are damaged: remove it and get it again.",
            )
        return vector.float().cpu()
