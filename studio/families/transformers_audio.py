"""The family `transformers-audio`: music from the transformers library, as MusicGen makes it."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    MusicgenForConditionalGeneration,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.utils import logging as transformers_logging

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.weights import check_weights, first_line


class TransformersAudio:
    """Loads MusicGen. Card option: `guidance`, how closely to follow the prompt (3 without it)."""

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused.
            OutOfMemory: if the device could not hold it.
        """
        check_weights(spec.folder)
        transformers_logging.disable_progress_bar()
        dtype = torch.float32 if device == "cpu" else getattr(torch, spec.dtype)
        try:
            tokenizer = AutoTokenizer.from_pretrained(spec.folder, local_files_only=True)
            model = MusicgenForConditionalGeneration.from_pretrained(
                spec.folder, dtype=dtype, use_safetensors=True, local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"{spec.name} cannot be loaded: {first_line(error)}",
                hint="Fetch it again: `studio models remove`, then `studio models get`.",
            ) from None
        with memory_errors(spec.name):
            model = model.to(device).eval()
        return Musician(spec.name, model, tokenizer, float(spec.options.get("guidance", 3.0)))


class Musician:
    """MusicGen in memory."""

    def __init__(self, name: str, model: Any, tokenizer: Any, guidance: float) -> None:
        self._name = name
        self._model = model
        self._tokenizer = tokenizer
        self._guidance = guidance

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts of the asked length, float32 (samples, 1 or 2); one step is one frame.

        Orders are made one by one: the library draws from one generator for a whole batch, and a
        draft must not depend on its company. What the fields ask for is added to the prompt.

        Raises:
            InvalidRequest: if a piece is to be a loop, or longer than the model's window.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        encoder = self._model.config.audio_encoder
        frames = [self._frames(order) for order in batch]
        before, total = 0, sum(frames)
        for order, count in zip(batch, frames, strict=True):
            teller = _Teller(progress, before, before + count, total)
            before += count
            words = self._tokenizer([_described(order.request)], return_tensors="pt")
            with memory_errors(self._name), torch.random.fork_rng(), torch.inference_mode():
                torch.manual_seed(order.seed)
                # The delay pattern takes as many frames more as there are further codebooks.
                waves = self._model.generate(
                    **words.to(self._model.device),
                    do_sample=True,
                    guidance_scale=self._guidance,
                    max_new_tokens=count + self._model.config.decoder.num_codebooks - 1,
                    stopping_criteria=StoppingCriteriaList([teller]),
                )
                sound = waves[0].float().T.cpu()
            if not bool(torch.isfinite(sound).all()):
                raise Unavailable(
                    f"{self._name} computed values that are no numbers.",
                    hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
                )
            length = round(order.request["duration"] * encoder.sampling_rate)
            samples = sound[:length].clamp(-1, 1).contiguous().numpy()
            progress.step(before, total)
            facts = {"rate": encoder.sampling_rate}
            yield Draft("audio", order.index, order.seed, {"samples": samples}, facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _frames(self, order: Order) -> int:
        """How many frames of the codec the order takes."""
        if order.request["loopable"]:
            raise InvalidRequest(
                "loopable: this model makes no loops.", hint="The starter composer does."
            )
        frames = math.ceil(order.request["duration"] * self._model.config.audio_encoder.frame_rate)
        window = self._model.config.decoder.max_position_embeddings
        if frames > window:
            seconds = window / self._model.config.audio_encoder.frame_rate
            raise InvalidRequest(
                f"duration: this model makes at most {seconds:g} seconds at a time.",
                hint="Ask for a shorter piece.",
            )
        return int(frames)


class _Teller(StoppingCriteria):  # type: ignore[misc]
    """Tells how far one piece is. It never stops by its answer: MusicGen cannot be cut short.

    Returning True crashes inside the library, on the delay pattern's unfinished tail; what
    `progress` raises leaves it cleanly.
    """

    def __init__(self, progress: Progress, before: int, after: int, total: int) -> None:
        self._progress = progress
        self._done = before
        self._after = after
        self._total = total

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: Any) -> torch.Tensor:
        self._done = min(self._done + 1, self._after)
        self._progress.step(self._done, self._total)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _described(request: Mapping[str, Any]) -> str:
    """The prompt, and in words what the fields say beside it."""
    said = [request["prompt"], request["genre"], request["mood"]]
    said.append(request["key"] and f"in {request['key']}")
    said.append(request["metre"] and f"in {request['metre']}")
    said.append(request["tempo"] and f"{request['tempo']:g} bpm")
    return ", ".join(filter(None, said))
