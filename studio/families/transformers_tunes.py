"""What MusicGen is given to hear: a melody to follow, and a piece to go on from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.audio_utils import chroma_filter_bank

from studio import mastering
from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.mastering import SILENCE, Samples

#: Seconds below which a sound is no melody.
_SHORTEST = 0.5
#: Seconds over which a piece becomes what follows it.
_SEAM = 0.05


def heard(field: str, place: Path, rate: int, longest: float = math.inf) -> Samples:
    """The sound in the spool at `place`, float32 (samples, channels), brought to `rate` Hz.

    Raises:
        InvalidRequest: if it is silent, or longer than `longest` seconds.
    """
    draft = Draft.unspool(place)
    samples, given = draft.arrays["samples"], int(draft.facts["rate"])
    if len(samples) > longest * given:
        raise InvalidRequest(
            f"{field}: it is {len(samples) / given:.1f} seconds long, and this model takes at most "
            f"{longest:.1f}.",
            hint="Cut it with audio-mastering.",
        )
    if np.abs(samples).max() < SILENCE:
        raise InvalidRequest(f"{field}: it is silent.", hint="Choose another sound.")
    return mastering.resample(samples, given, rate)


@dataclass(frozen=True)
class Ear:
    """How MusicGen Melody hears: which of the twelve pitch classes is loudest, at each moment.

    The library's own extractor computes the same; it cannot be had without torchaudio.
    """

    rate: int = 32_000
    #: Samples that are looked at together, and from one look to the next.
    window: int = 16_384
    hop: int = 4096
    pitches: int = 12

    @staticmethod
    def of(folder: Path) -> Ear:
        """As the model's `preprocessor_config.json` has it, where it has one."""
        path = folder / "preprocessor_config.json"
        given = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        usual = Ear()
        return Ear(
            given.get("sampling_rate", usual.rate),
            given.get("n_fft", usual.window),
            given.get("hop_length", usual.hop),
            given.get("num_chroma", usual.pitches),
        )

    def pitch_classes(self, place: Path, most: int) -> torch.Tensor:
        """The melody in the spool at `place`, float32 (1, moments, pitch classes), one of them 1.

        Raises:
            InvalidRequest: if it is silent, too short, or longer than `most` moments.
        """
        sound = heard("melody", place, self.rate, most * self.hop / self.rate)
        tune = torch.from_numpy(sound.mean(axis=1))
        if len(tune) < _SHORTEST * self.rate:
            raise InvalidRequest(
                f"melody: it is {len(tune) / self.rate:.2g} seconds long, too short for a tune.",
                hint=f"Give at least {_SHORTEST:g} seconds.",
            )
        missing = max(0, self.window - len(tune))
        tune = torch.nn.functional.pad(tune, (missing // 2, missing - missing // 2))
        waves = torch.stft(
            tune, self.window, self.hop, window=torch.hann_window(self.window), return_complex=True
        )
        filters = chroma_filter_bank(
            num_frequency_bins=self.window, num_chroma=self.pitches, sampling_rate=self.rate,
            tuning=0,
        )  # fmt: skip
        power = torch.from_numpy(filters).float() @ waves.abs().square()
        return torch.nn.functional.one_hot(power.argmax(0), self.pitches)[None].float()


@dataclass(frozen=True)
class Beginning:
    """A piece to go on from."""

    #: The whole of it, float32 (samples, channels), at the model's rate.
    samples: Samples
    #: Its last frames as the codec writes them, int64 (codebooks, frames).
    codes: torch.Tensor
    #: How many of the samples these stand for.
    coded: int

    @staticmethod
    def of(samples: Samples, model: Any, most: int) -> Beginning:
        """Of the last `most` frames, or of as many as there are.

        Raises:
            InvalidRequest: if the piece is shorter than one frame.
        """
        hop = model.config.audio_encoder.hop_length
        frames = min(most, len(samples) // hop)
        if frames == 0:
            raise InvalidRequest(
                f"continue_from: {len(samples)} samples are too short to go on from.",
                hint="Choose a longer piece.",
            )
        stereo = model.config.decoder.audio_channels == 2
        last = samples[-frames * hop :]
        voices = mastering.stereo(last).T if stereo else last.mean(axis=1)[None]
        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(voices))[:, None]
            codes = model.audio_encoder.encode(given.to(model.device, model.dtype)).audio_codes[0]
        # A stereo model's codebooks take turns between left and right.
        return Beginning(samples, codes.transpose(0, 1).reshape(-1, frames), frames * hop)

    def joined(self, made: Samples, rate: int, length: int) -> Samples:
        """The piece, and `length` samples of what was `made` on from its coded frames."""
        seam = min(round(_SEAM * rate), self.coded)
        before, after = self.samples, made[self.coded - seam : self.coded + length]
        if before.shape[1] != after.shape[1]:
            before, after = mastering.stereo(before), mastering.stereo(after)
        # Both are the same music here, once as it was and once as the codec has it.
        rising = np.linspace(0, 1, seam, dtype=np.float32)[:, None]
        middle = before[-seam:] * (1 - rising) + after[:seam] * rising
        return np.concatenate([before[:-seam], middle, after[seam:]])
