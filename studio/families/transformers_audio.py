"""The family `transformers-audio`: music from the transformers library, as MusicGen makes it."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForTextToWaveform,
    AutoTokenizer,
    StoppingCriteria,
    StoppingCriteriaList,
)

from studio import mastering
from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.transformers_folder import beside, model_of, opening
from studio.families.transformers_tunes import Beginning, Ear, heard

#: Seconds that a loop's end and beginning share, if it is long enough for that.
_OVERLAP = 1.0
#: Seconds of a piece, or all of it, without which nothing can go on from it.
_MEMORY = 1.0


class TransformersAudio:
    """Loads MusicGen and MusicGen Melody.

    Card options: `guidance`, how closely to follow the prompt (3 without it), and `window`, the
    seconds of music that it was trained on at a time (without it, as many as it has places for).
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            tokenizer = beside(AutoTokenizer, spec)
            model = model_of(AutoModelForTextToWaveform, spec, device, placement)
        return Musician(spec, model, tokenizer)


@dataclass(frozen=True)
class _Score:
    """What one order takes."""

    #: How many frames of the codec to make.
    frames: int
    #: Seconds of them that are there to close a loop.
    overlap: float = 0.0
    beginning: Beginning | None = None
    #: See `Ear`.
    melody: torch.Tensor | None = None


class Musician:
    """MusicGen in memory."""

    def __init__(self, spec: Spec, model: Any, tokenizer: Any) -> None:
        self._name = spec.name
        self._model = model
        self._tokenizer = tokenizer
        self._guidance = float(spec.options.get("guidance", 3.0))
        codec, places = model.config.audio_encoder, model.config.decoder.max_position_embeddings
        seconds = spec.options.get("window", places / codec.frame_rate)
        #: Frames that it has in mind at a time.
        self._window = min(places, round(seconds * codec.frame_rate))
        self._ear = Ear.of(spec.folder) if hasattr(model.config, "chroma_length") else None

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts of the asked length, float32 (samples, 1 or 2); one step is one frame.

        Orders are made one by one: the library draws from one generator for a whole batch, and a
        draft must not depend on its company. What the fields ask for is added to the prompt. A
        piece to go on from comes first and whole; the model has its last seconds in mind. A loop's
        end is faded into its beginning; the facts say `loop`.

        Raises:
            InvalidRequest: if a piece or a melody is longer than the model's window, or is none.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        rate = self._model.config.audio_encoder.sampling_rate
        with memory_errors(self._name):
            scores = [self._score(order) for order in batch]
        before, total = 0, sum(score.frames for score in scores)
        for order, score in zip(batch, scores, strict=True):
            teller = _Teller(progress, before, before + score.frames, total)
            before += score.frames
            given = self._given(order, score)
            with memory_errors(self._name), torch.random.fork_rng(), torch.inference_mode():
                torch.manual_seed(order.seed)
                # The delay pattern takes as many frames more as there are further codebooks.
                waves = self._model.generate(
                    **given,
                    do_sample=True,
                    guidance_scale=self._guidance,
                    max_new_tokens=score.frames + self._model.config.decoder.num_codebooks - 1,
                    stopping_criteria=StoppingCriteriaList([teller]),
                )
                sound = waves[0].float().T.cpu()
            if not bool(torch.isfinite(sound).all()):
                raise Unavailable(
                    f"{self._name} computed values that are no numbers.",
                    hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
                )
            samples = sound.clamp(-1, 1).contiguous().numpy()
            length = round((order.request["duration"] + score.overlap) * rate)
            if score.beginning is not None:
                samples = score.beginning.joined(samples, rate, length)
            else:
                samples = samples[:length]
            if score.overlap:
                samples = mastering.loop(samples, rate, score.overlap)
            progress.step(before, total)
            facts = {"rate": rate, "loop": bool(score.overlap)}
            yield Draft("audio", order.index, order.seed, {"samples": samples}, facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _score(self, order: Order) -> _Score:
        """What the order takes; everything that can be wrong with it is found here."""
        codec = self._model.config.audio_encoder
        seconds: float = order.request["duration"]
        overlap = min(_OVERLAP, seconds / 4) if order.request["loopable"] else 0.0
        place, tune = order.inputs.get("continue_from"), order.inputs.get("melody")
        if place is not None and overlap:
            raise InvalidRequest(
                "loopable: a piece that goes on from another one is no loop.",
                hint="Leave out one of them.",
            )
        frames = math.ceil((seconds + overlap) * codec.frame_rate)
        piece = None if place is None else heard("continue_from", place, codec.sampling_rate)
        memory = math.ceil(_MEMORY * codec.frame_rate)
        needed = 0 if piece is None else min(memory, len(piece) // codec.hop_length)
        if frames + needed > self._window:
            longest = (self._window - needed) / codec.frame_rate - overlap
            raise InvalidRequest(
                f"duration: this model makes at most {longest:g} seconds of this at a time.",
                hint="Ask for a shorter piece, and go on from it.",
            )
        beginning = None
        if piece is not None:
            beginning = Beginning.of(piece, self._model, self._window - frames)
        return _Score(frames, overlap, beginning, self._melody(tune))

    def _melody(self, place: Path | None) -> torch.Tensor | None:
        if place is None:
            return None
        if self._ear is None:
            raise InvalidRequest(
                "melody: this model follows none.", hint="MusicGen Melody does; choose it."
            )
        return self._ear.pitch_classes(place, self._model.config.chroma_length)

    def _given(self, order: Order, score: _Score) -> dict[str, Any]:
        """What the model is given to read and to hear."""
        words = self._tokenizer([_described(order.request)], return_tensors="pt")
        given = dict(words.to(self._model.device))
        if score.melody is not None:
            given["input_features"] = score.melody.to(self._model.device, self._model.dtype)
        if score.beginning is not None:
            given["decoder_input_ids"] = score.beginning.codes
        return given


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
