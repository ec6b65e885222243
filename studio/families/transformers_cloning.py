"""The family `transformers-cloning`: models that go on speaking as somebody in a sample does."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoProcessor, CsmForConditionalGeneration, LogitsProcessor

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.transformers_folder import beside, model_of, opening
from studio.mastering import resample

#: Seconds of a sample that the model is given, and of speech that it answers with.
_SAMPLE, _SPEECH = 20.0, 60.0
#: Seconds of speech for a character, at the slowest.
_SLOWEST = 0.15


class TransformersCloning:
    """Loads CSM, which goes on from a sample and the words that are said in it.

    Card option: `arguments`, further ones of every call, as `{temperature: 0.9}`.
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            processor = beside(AutoProcessor, spec)
            model = model_of(CsmForConditionalGeneration, spec, device, placement)
        return Imitator(spec.name, model, processor, spec.options.get("arguments", {}))


class Imitator:
    """A model in memory that speaks as a sample does."""

    def __init__(self, name: str, model: Any, processor: Any, arguments: Mapping[str, Any]) -> None:
        self._name = name
        self._model = model
        self._processor = processor
        self._arguments = arguments
        self._rate = int(processor.feature_extractor.sampling_rate)

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts float32 (samples, 1), one after the other; a step is a frame of speech.

        The facts hold `rate` in Hz.

        Raises:
            InvalidRequest: if it is not said what the sample says.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        frames = [self._frames(order) for order in batch]
        for number, order in enumerate(batch):
            told = self._told(order)
            watch = _Watch(self._name, progress, sum(frames[:number]), sum(frames))
            with memory_errors(self._name), torch.inference_mode(), torch.random.fork_rng():
                torch.manual_seed(order.seed)
                (spoken,) = self._model.generate(
                    **told,
                    output_audio=True,
                    max_new_tokens=frames[number],
                    logits_processor=[watch],
                    **self._arguments,
                )
            progress.step(sum(frames[: number + 1]), sum(frames))
            sound = spoken.float().cpu().numpy()[:, None]
            if not np.isfinite(sound).all():
                raise _damaged(self._name)
            facts = {"rate": self._rate, "language": order.request["language"]}
            yield Draft("audio", order.index, order.seed, {"samples": sound.clip(-1, 1)}, facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _frames(self, order: Order) -> int:
        """How many frames the text takes at most."""
        seconds = min(_SPEECH, 2 + _SLOWEST * len(order.request["text"]))
        return round(seconds * float(self._model.config.codec_config.frame_rate))

    def _told(self, order: Order) -> Any:
        """The sample with its words, then the words that are to be said, on the model's device."""
        if not order.request["said"].strip():
            raise InvalidRequest(
                "said: this model has to know what the sample says.",
                hint="Write down word by word what is said in it; `studio make transcribe` helps.",
            )
        draft = Draft.unspool(order.inputs["voice"])
        rate = int(draft.facts["rate"])
        sample = draft.arrays["samples"][: round(_SAMPLE * rate)].mean(axis=1)
        turns = [
            {
                "role": "0",
                "content": [
                    {"type": "text", "text": order.request["said"]},
                    {"type": "audio", "audio": resample(sample, rate, self._rate)},
                ],
            },
            {"role": "0", "content": [{"type": "text", "text": order.request["text"]}]},
        ]
        told = self._processor.apply_chat_template(turns, tokenize=True, return_dict=True)
        told["input_values"] = told["input_values"].to(self._model.dtype)
        return told.to(self._model.device)


class _Watch(LogitsProcessor):  # type: ignore[misc]
    """Tells how far a speech is, and lets `Cancelled` out; changes nothing."""

    def __init__(self, name: str, progress: Progress, done: int, total: int) -> None:
        self._name = name
        self._progress = progress
        self._done = done
        self._total = total

    def __call__(self, _written: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores, unchanged."""
        if bool(scores.isnan().any()):
            raise _damaged(self._name)
        self._done = min(self._done + 1, self._total)
        self._progress.step(self._done, self._total)
        return scores


def _damaged(name: str) -> Unavailable:
    return Unavailable(
        f"{name} computed values that are no numbers.",
        hint="Its files are damaged: remove it and get it again.",
    )
