"""The family `transformers-speech`: trained voices of the transformers library.

Each kind of model says one sentence at a time; what is said when, and the silence between, is the
same for all of them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoTokenizer,
    BarkModel,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    VitsModel,
)

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.diffusers_memory import memory_errors
from studio.families.espeak.sentences import Sentence, parts, sentences
from studio.families.transformers_folder import beside, model_of, opening
from studio.families.weights import check_weights

#: Tokens of a text that Bark reads at a time.
_BARK_READS = 256


class TransformersSpeech:
    """Loads VITS (MMS-TTS is one), SpeechT5 and Bark.

    Card options: `languages`, the tags of those that it speaks (`[en]` without it); `vocoder`, for
    SpeechT5, the model beside this one that makes sound of its spectrograms (its own folder
    `vocoder` without it). SpeechT5 takes voices from `speakers.safetensors` in its folder, an
    x-vector float32 (512,) for each name; without the file, the seed makes one up.
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused, or if it is a
                model of another kind.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            kind = beside(AutoConfig, spec).model_type
            if kind not in _VOICES:
                raise Unavailable(
                    f"{spec.name} is a {kind}, which this family does not speak with.",
                    hint=f"It speaks with {', '.join(_VOICES)}.",
                )
            voice = _VOICES[kind](spec, device, placement)
        return Speaker(spec.name, voice, tuple(spec.options.get("languages", ("en",))))


class _Voice(Protocol):
    """One kind of model in memory."""

    #: Samples per second.
    rate: int
    #: By what name it can be asked for a manner of speaking.
    voices: tuple[str, ...]
    #: Whether it can be asked to speak faster or slower.
    hurries: bool
    #: The parts of the model that run again and again while it speaks; none for a single pass.
    steps: tuple[torch.nn.Module, ...]

    def say(self, text: str, request: Mapping[str, Any]) -> torch.Tensor:
        """A sentence, (samples,)."""


class Speaker:
    """A voice in memory."""

    def __init__(self, name: str, voice: _Voice, languages: tuple[str, ...]) -> None:
        self._name = name
        self._voice: _Voice | None = voice
        self._languages = languages

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts float32 (samples, 1); output n of a job is part n of its text.

        The facts hold `rate` in Hz, the `language`, and `cues`: what is said from when to when, in
        seconds. One step is one sentence.

        Raises:
            InvalidRequest: if it does not speak that language, has no such voice, cannot read a
                sentence, or is asked for a speed or pitch that it has no say in.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        voice = self._voice
        assert voice is not None  # noqa: S101 - for mypy
        texts = [self._part(order, voice) for order in batch]
        done, total = 0, sum(map(len, texts))
        for order, part in zip(batch, texts, strict=True):
            spoken: list[np.ndarray[Any, np.dtype[np.float32]]] = []
            cues: list[dict[str, Any]] = []
            heard = 0
            for one in part:
                if one.text:
                    samples = self._said(one.text, order, voice, progress, done, total)
                    start, heard = heard, heard + len(samples)
                    span = {"start": round(start / voice.rate, 3)}
                    cues.append(span | {"end": round(heard / voice.rate, 3), "text": one.text})
                    spoken.append(samples)
                spoken.append(np.zeros(round(one.pause * voice.rate), np.float32))
                heard += len(spoken[-1])
                done += 1
                progress.step(done, total)
            facts = {"rate": voice.rate, "cues": cues, "language": order.request["language"]}
            sound = np.concatenate(spoken)[:, None]
            yield Draft("audio", order.index, order.seed, {"samples": sound}, facts)

    def unload(self) -> None:
        """Free the weights."""
        self._voice = None
        # The library's models refer to themselves.
        gc.collect()

    def _part(self, order: Order, voice: _Voice) -> list[Sentence]:
        """The sentences that this output says."""
        request = order.request
        known = {one.partition("-")[0] for one in self._languages}
        if request["language"].lower().partition("-")[0] not in known:
            raise InvalidRequest(
                f"language: this voice knows no {request['language']!r}.",
                hint=f"It knows {', '.join(self._languages)}.",
            )
        if request["voice"] is not None and request["voice"] not in voice.voices:
            raise InvalidRequest(
                f"voice: this model has no {request['voice']!r}.",
                hint=f"It has {', '.join(voice.voices)}."
                if voice.voices
                else "It has but one: leave the voice out.",
            )
        unable = ["pitch"] if voice.hurries else ["pitch", "speed"]
        for name in unable:
            if request[name] != 1:
                raise InvalidRequest(f"{name}: this model has no say in it.", hint="Leave it at 1.")
        whole = sentences(request["text"], request["speed"])
        return parts(whole, request["count"])[order.index]

    def _said(
        self, text: str, order: Order, voice: _Voice, progress: Progress, done: int, total: int
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """A sentence, float32 (samples,)."""

        def interrupt(*_: object) -> None:
            progress.step(done, total)

        hooks = [step.register_forward_hook(interrupt) for step in voice.steps]
        try:
            with memory_errors(self._name), torch.random.fork_rng(), torch.inference_mode():
                torch.manual_seed(order.seed)
                sound = voice.say(text, order.request).float().cpu()
        finally:
            for hook in hooks:
                hook.remove()
        if not bool(torch.isfinite(sound).all()):
            raise Unavailable(
                f"{self._name} computed values that are no numbers.",
                hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
            )
        return sound.clamp(-1, 1).contiguous().numpy()


def _unreadable(text: str) -> InvalidRequest:
    return InvalidRequest(
        f"text: this voice cannot read {text[:40]!r}.",
        hint="Write it in the letters of its language, numbers as words.",
    )


class _Vits:
    """VITS: the whole sentence in one pass, with a rhythm drawn from the seed."""

    hurries = True
    steps = ()

    def __init__(self, spec: Spec, device: str, placement: str) -> None:
        self._tokenizer = beside(AutoTokenizer, spec)
        self._model = model_of(VitsModel, spec, device, placement)
        self.rate = int(self._model.config.sampling_rate)
        speakers = self._model.config.num_speakers
        self.voices = tuple(map(str, range(speakers))) if speakers > 1 else ()
        self._usual = float(self._model.speaking_rate)

    def say(self, text: str, request: Mapping[str, Any]) -> torch.Tensor:
        """See `_Voice`."""
        words = self._tokenizer(text, return_tensors="pt")
        if words["input_ids"].shape[1] < 2:
            raise _unreadable(text)
        self._model.speaking_rate = self._usual * request["speed"]
        speaker = int(request["voice"] or 0) if self.voices else None
        said = self._model(**words.to(self._model.device), speaker_id=speaker)
        return said.waveform[0]  # type: ignore[no-any-return]


class _SpeechT5:
    """SpeechT5: a spectrogram column by column in somebody's voice, then its vocoder."""

    hurries = False

    def __init__(self, spec: Spec, device: str, placement: str) -> None:
        named = spec.options.get("vocoder")
        vocoder = spec.folder.parent / str(named) if named else spec.folder / "vocoder"
        if not vocoder.is_dir():
            raise Unavailable(
                f"{spec.name} needs the vocoder in {vocoder}, and that is not here.",
                hint=f"Get it with `studio models get {named}`."
                if named
                else f"`studio models show {spec.name}` says where it comes from; put it there.",
            )
        check_weights(vocoder)
        self._tokenizer = beside(AutoTokenizer, spec)
        self._model = model_of(SpeechT5ForTextToSpeech, spec, device, placement)
        self._vocoder = model_of(SpeechT5HifiGan, replace(spec, folder=vocoder), device, placement)
        self.rate = int(self._vocoder.config.sampling_rate)
        self.steps = (self._model.speecht5.decoder.wrapped_decoder,)
        known = spec.folder / "speakers.safetensors"
        self._speakers = load_file(known) if known.exists() else {}
        self.voices = tuple(sorted(self._speakers))

    def say(self, text: str, request: Mapping[str, Any]) -> torch.Tensor:
        """See `_Voice`."""
        words = self._tokenizer(text, return_tensors="pt")["input_ids"]
        if words.shape[1] > self._model.config.max_text_positions:
            raise _unreadable(text)
        if self._speakers:
            speaker = self._speakers[request["voice"] or self.voices[0]]
        else:
            speaker = torch.nn.functional.normalize(
                torch.randn(self._model.config.speaker_embedding_dim), dim=0
            )
        return self._model.generate_speech(  # type: ignore[no-any-return]
            words.to(self._model.device),
            speaker[None].to(self._model.device, self._model.dtype),
            vocoder=self._vocoder,
        )


class _Bark:
    """Bark: what is meant, then how it sounds, coarsely and finely, each token by token."""

    hurries = False
    voices = ()

    def __init__(self, spec: Spec, device: str, placement: str) -> None:
        self._tokenizer = beside(AutoTokenizer, spec)
        self._model = model_of(BarkModel, spec, device, placement)
        self.rate = int(self._model.generation_config.sample_rate)
        self.steps = (
            self._model.semantic,
            self._model.coarse_acoustics,
            self._model.fine_acoustics,
        )

    def say(self, text: str, request: Mapping[str, Any]) -> torch.Tensor:
        """See `_Voice`."""
        words = self._tokenizer(
            text,
            return_tensors="pt",
            padding="max_length",
            max_length=_BARK_READS,
            truncation=True,
            add_special_tokens=False,
        )
        asked = {
            name: words[name].to(self._model.device) for name in ("input_ids", "attention_mask")
        }
        return self._model.generate(**asked, do_sample=True)[0]  # type: ignore[no-any-return]


_VOICES: Mapping[str, Any] = MappingProxyType({"vits": _Vits, "speecht5": _SpeechT5, "bark": _Bark})
