"""The family `transformers-listening`: models that write down what is said, as Whisper does."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    AutoFeatureExtractor,
    AutoTokenizer,
    LogitsProcessor,
    WhisperForConditionalGeneration,
)

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.transformers_folder import beside, model_of, opening
from studio.hearing import Span, joined, sayings
from studio.mastering import Samples, resample
from studio.tasks.request import cleaned

#: How many windows of a sound are heard side by side.
_AT_ONCE = 8
#: Languages that put no spaces between sentences.
_UNSPACED = ("zh", "yue", "ja", "th", "lo", "my", "km")
_CHOOSE = "Choose a sound in which somebody speaks."


class TransformersListening:
    """Loads Whisper and its kin.

    Card option: `arguments`, further ones of every call, as `{no_speech_threshold: 0.6}`.
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            ear, tokenizer = beside(AutoFeatureExtractor, spec), beside(AutoTokenizer, spec)
            model = model_of(WhisperForConditionalGeneration, spec, device, placement)
        return Listener(spec.name, model, tokenizer, ear, spec.options.get("arguments", {}))


@dataclass(frozen=True)
class _Sound:
    """What an order is about, and the parts of it that are heard one after the other."""

    samples: Samples
    rate: int
    windows: list[Span]


class Listener:
    """A model in memory that writes down what it hears."""

    def __init__(
        self, name: str, model: Any, tokenizer: Any, ear: Any, arguments: Mapping[str, Any]
    ) -> None:
        self._name = name
        self._model = model
        self._tokenizer = tokenizer
        self._ear = ear
        self._arguments = arguments
        known: Mapping[str, int] = getattr(model.generation_config, "lang_to_id", None) or {}
        #: The languages that it tells apart, by their tokens; a model without any knows English.
        self._languages = {token: code.strip("<|>") for code, token in known.items()}
        self._timed = getattr(model.generation_config, "no_timestamps_token_id", None) is not None

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Text drafts; one step is some windows of a sound. Silence is passed over.

        The facts hold the `language` and, where timestamps are asked for, `cues`: what is said from
        when to when, in seconds. A model without timestamps of its own gives those of the pauses.

        Raises:
            InvalidRequest: if nobody says anything, or the model knows no such language.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        sounds = [self._sound(order) for order in batch]
        done, total = 0, sum(math.ceil(len(sound.windows) / _AT_ONCE) for sound in sounds)
        for number, (order, sound) in enumerate(zip(batch, sounds, strict=True)):
            language = order.request["language"] or ("" if self._languages else "en")
            cues: list[dict[str, Any]] = []
            for start in range(0, len(sound.windows), _AT_ONCE):
                windows = sound.windows[start : start + _AT_ONCE]
                watch = _Watch(self._name, progress, done, total)
                with memory_errors(self._name), torch.inference_mode():
                    columns = self._columns(sound, windows)
                    language = language or self._recognised(columns[:1])
                    fresh = self._heard(order, windows, columns, language, watch)
                glue = "" if language in _UNSPACED else " "
                for cue in fresh:
                    progress.text(number, glue + cue["text"] if cues else cue["text"])
                    cues.append(cue)
                done += 1
                progress.step(done, total)
            if not cues:
                raise InvalidRequest("audio: nobody says anything in it.", hint=_CHOOSE)
            spoken = "en" if order.request["translate"] else language
            text = ("" if spoken in _UNSPACED else " ").join(cue["text"] for cue in cues)
            facts: dict[str, Any] = {"text": text, "language": spoken}
            if order.request["timestamps"]:
                facts["cues"] = cues
            yield Draft("text", order.index, order.seed, facts=facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _sound(self, order: Order) -> _Sound:
        language, known = order.request["language"], sorted(self._languages.values()) or ["en"]
        if language is not None and language not in known:
            raise InvalidRequest(
                f"language: this model knows no {language!r}.", hint=f"It knows {', '.join(known)}."
            )
        if order.request["translate"] and not self._languages:
            raise InvalidRequest(
                "translate: this model only writes down what it hears.",
                hint="Choose a model for many languages.",
            )
        draft = Draft.unspool(order.inputs["audio"])
        samples, rate = draft.arrays["samples"], int(draft.facts["rate"])
        longest = float(self._ear.chunk_length)
        windows = sayings(samples, rate, longest)
        if not windows:
            raise InvalidRequest("audio: nothing can be heard in it.", hint=_CHOOSE)
        # What comes before and after helps a model that says itself when each sentence begins.
        return _Sound(samples, rate, joined(windows, longest) if self._timed else windows)

    def _columns(self, sound: _Sound, windows: Sequence[Span]) -> torch.Tensor:
        """The windows' spectrograms, (windows, bands, columns), on the model's device."""
        wanted = self._ear.sampling_rate
        heard = [
            resample(window.of(sound.samples, sound.rate).mean(axis=1), sound.rate, wanted)
            for window in windows
        ]
        read: torch.Tensor = self._ear(heard, sampling_rate=wanted, return_tensors="pt")[
            "input_features"
        ]
        return read.to(self._model.device, self._model.dtype)

    def _recognised(self, columns: torch.Tensor) -> str:
        """The language of a window."""
        (token,) = self._model.detect_language(
            columns, num_segment_frames=columns.shape[-1]
        ).tolist()
        return self._languages[token]

    def _heard(
        self,
        order: Order,
        windows: Sequence[Span],
        columns: torch.Tensor,
        language: str,
        watch: LogitsProcessor,
    ) -> list[dict[str, Any]]:
        """The cues of some windows."""
        told: dict[str, Any] = {}
        if self._languages:
            told["language"] = language
            told["task"] = "translate" if order.request["translate"] else "transcribe"
        with torch.random.fork_rng():
            # A model that is unsure may be told by its card to try again, more freely.
            torch.manual_seed(order.seed)
            found = self._model.generate(
                columns,
                return_segments=True,
                return_timestamps=self._timed,
                logits_processor=[watch],
                **told,
                **self._arguments,
            )["segments"]
        cues = []
        for window, parts in zip(windows, found, strict=True):
            length = window.end - window.begin
            for part in parts:
                text = self._tokenizer.decode(part["tokens"], skip_special_tokens=True)
                begin, end = (
                    (min(float(part["start"]), length), min(float(part["end"]), length))
                    if self._timed
                    else (0.0, length)
                )
                if text := cleaned(text).strip():
                    cues.append(
                        {
                            "start": round(window.begin + begin, 3),
                            "end": round(window.begin + end, 3),
                            "text": text,
                        }
                    )
        return cues


class _Watch(LogitsProcessor):  # type: ignore[misc]
    """Looks at every token's scores, and lets `progress` interrupt; it changes nothing."""

    def __init__(self, name: str, progress: Progress, done: int, total: int) -> None:
        self._name = name
        self._progress = progress
        self._done = done
        self._total = total

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if not bool(torch.isfinite(scores).any(dim=-1).all()):
            raise Unavailable(
                f"{self._name} computed values that are no numbers.",
                hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
            )
        self._progress.step(self._done, self._total)
        return scores
