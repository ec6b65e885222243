"""Stable Audio's and AudioLDM 2's own pipelines with random weights: what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    AutoencoderOobleck,
    DDIMScheduler,
    EDMDPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    GPT2Config,
    GPT2Model,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3Model,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

from studio.errors import InvalidRequest, Unavailable
from studio.families import Model, Order, Spec
from studio.families.diffusers_audio import DiffusersAudio
from studio.fields import build
from studio.tasks import TASKS
from studio.testing import FamilyContract, Recorder
from tests.families.tiny import flux, t5, t5_tokenizer

TASK = TASKS["text-to-audio"]
# The library's own codec is built with what torch will drop some day.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")


def order(number: int = 0, **more: Any) -> Order:
    prompt = ("rain on tin", "a door", "a crowd")[number]
    asked = {"prompt": prompt, "duration": 1.0, "steps": 3, **more}
    request = build(TASK.request, asked).model_dump()
    return Order("job", number, TASK.id, request, 40 + number)


def stable_audio(folder: Path) -> None:
    """Stereo at 8 kHz, four seconds at most."""
    torch.manual_seed(0)
    StableAudioPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=6, downsampling_ratios=[4, 8], decoder_channels=3,
            decoder_input_channels=3, audio_channels=2, channel_multiples=[2, 4],
            sampling_rate=8000,
        ),
        text_encoder=t5(),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=32, conditioning_dim=4, min_value=0, max_value=32
        ),
        tokenizer=t5_tokenizer(),
        transformer=StableAudioDiTModel(
            sample_size=1000, in_channels=3, num_layers=2, attention_head_dim=4,
            num_key_value_attention_heads=2, out_channels=3, cross_attention_dim=4,
            time_proj_dim=8, global_states_input_dim=8, cross_attention_input_dim=4,
        ),
        scheduler=EDMDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0,
            sigma_schedule="exponential",
        ),
    ).save_pretrained(folder)  # fmt: skip


def audio_ldm2(folder: Path) -> None:
    """Mono at 16 kHz: CLAP, T5 and GPT-2 before the denoiser, HiFi-GAN behind it."""
    torch.manual_seed(0)
    letters = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()), 5)}
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    text = ClapTextConfig(
        hidden_size=8, intermediate_size=16, num_attention_heads=1, num_hidden_layers=1,
        vocab_size=300, projection_dim=8,
    )  # fmt: skip
    audio = ClapAudioConfig(
        spec_size=8, window_size=4, num_mel_bins=8, intermediate_size=16, depths=[1, 1],
        num_attention_heads=[1, 1], num_hidden_layers=1, hidden_size=192, projection_dim=8,
        patch_size=2, patch_stride=2, patch_embed_input_channels=4,
    )  # fmt: skip
    blocks = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
    AudioLDM2Pipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 16), in_channels=1, out_channels=1, norm_num_groups=8,
            down_block_types=blocks[0], up_block_types=blocks[1], latent_channels=4,
        ),
        text_encoder=ClapModel(
            ClapConfig(
                text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=16
            )
        ),
        text_encoder_2=t5(),
        projection_model=AudioLDM2ProjectionModel(
            text_encoder_dim=16, text_encoder_1_dim=32, langauge_model_dim=16
        ),
        language_model=GPT2Model(
            GPT2Config(
                n_embd=16, n_head=2, n_layer=2, vocab_size=300, n_positions=99, max_new_tokens=8
            )
        ),
        tokenizer=RobertaTokenizer(vocab=special | letters, merges=[], model_max_length=77),
        tokenizer_2=t5_tokenizer(),
        feature_extractor=ClapFeatureExtractor(hop_length=7900),
        unet=AudioLDM2UNet2DConditionModel(
            block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=8, sample_size=32,
            in_channels=4, out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(8, 16),
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
        ),
        vocoder=SpeechT5HifiGan(
            SpeechT5HifiGanConfig(
                model_in_dim=8, sampling_rate=16_000, upsample_initial_channel=16,
                upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], resblock_kernel_sizes=[3],
                resblock_dilation_sizes=[[1, 3]],
            )
        ),
    ).save_pretrained(folder)  # fmt: skip


def ace_step(folder: Path) -> None:
    """Songs in stereo at 8 kHz, with guidance."""
    torch.manual_seed(0)
    letters = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Qwen2Tokenizer(vocab=letters | {"<|endoftext|>": len(letters)}, merges=[])
    text = Qwen3Config(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, head_dim=16,
    )  # fmt: skip
    size: dict[str, Any] = {
        "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 16,
    }  # fmt: skip
    AceStepPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=6, downsampling_ratios=[4, 8], decoder_channels=3,
            decoder_input_channels=8, audio_channels=2, channel_multiples=[2, 4],
            sampling_rate=8000,
        ),
        text_encoder=Qwen3Model(text),
        tokenizer=tokenizer,
        transformer=AceStepTransformer1DModel(
            **size, num_hidden_layers=1, in_channels=24, audio_acoustic_hidden_dim=8,
        ),
        condition_encoder=AceStepConditionEncoder(
            **size, text_hidden_dim=32, timbre_hidden_dim=8, num_lyric_encoder_hidden_layers=1,
            num_timbre_encoder_hidden_layers=1,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder)  # fmt: skip


class _Promises(FamilyContract):
    """What every maker of sounds promises beside."""

    family = DiffusersAudio()
    tolerance = 0.0
    rate: int
    channels: int
    steered_by = "negative_prompt"
    also_heard: tuple[dict[str, Any], ...] = ({"guidance": 9.0}, {"steps": 4})

    def order(self, number: int) -> Order:
        return order(number)

    def test_length_rate_and_channels_are_as_asked(self, model: Model) -> None:
        (draft,) = model.generate([order(duration=1.25)], Recorder())
        assert draft.arrays["samples"].shape == (1.25 * self.rate, self.channels)
        assert draft.facts["rate"] == self.rate
        assert np.abs(draft.arrays["samples"]).max() > 0

    def test_a_loop_ends_where_it_begins(self, model: Model) -> None:
        (draft,) = model.generate([order(duration=2.0, loopable=True)], Recorder())
        samples = draft.arrays["samples"].astype(float)
        assert len(samples) == 2 * self.rate
        assert draft.facts["loop"]
        # The step over the seam is one like any other.
        steps = np.abs(np.diff(samples, axis=0)).max()
        assert np.abs(samples[0] - samples[-1]).max() <= steps

    def test_what_it_has_no_say_in_is_refused(self, model: Model) -> None:
        (other,) = {"lyrics", "negative_prompt"} - {self.steered_by}
        with pytest.raises(InvalidRequest, match=other):
            list(model.generate([order(0), order(1, **{other: "la"})], Recorder()))

    def test_the_fields_are_heard(self, model: Model) -> None:
        plain = self._one(model, 0).digest()
        for more in ({self.steered_by: "wind"}, *self.also_heard):
            (other,) = model.generate([order(**more)], Recorder())
            assert other.digest() != plain, more


class TestStableAudio(_Promises):
    """A transformer over the latents of a whole window."""

    rate, channels = 8000, 2

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("stable-audio")
        stable_audio(folder)
        return Spec("tiny", folder, "float32", None, {})

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            model._pipe.transformer.proj_out.weight.fill_(float("nan"))  # type: ignore[attr-defined]

    @pytest.mark.parametrize("more", [{"duration": 4.5}, {"duration": 3.5, "loopable": True}])
    def test_what_passes_the_window_is_refused_before_it_begins(
        self, model: Model, more: dict[str, Any]
    ) -> None:
        progress = Recorder()
        with pytest.raises(InvalidRequest, match="at most 4 seconds"):
            list(model.generate([order(0), order(1, **more)], progress))
        assert progress.steps == []


class TestAudioLDM2(_Promises):
    """A denoiser of spectrograms."""

    rate, channels = 16_000, 1

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("audioldm2")
        audio_ldm2(folder)
        return Spec("tiny", folder, "float32", None, {})

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            model._pipe.vocoder.conv_pre.weight.fill_(float("nan"))  # type: ignore[attr-defined]


class TestAceStep(_Promises):
    """Songs, whose words are sung."""

    rate, channels = 8000, 2
    steered_by = "lyrics"
    # Its guidance changes nothing where the weights are random.
    also_heard = ({"steps": 4},)

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("ace-step")
        ace_step(folder)
        return Spec("tiny", folder, "float32", None, {})

    def spoil(self, model: Model) -> None:
        with torch.no_grad():
            for one in model._pipe.vae.decoder.parameters():  # type: ignore[attr-defined]
                one.fill_(float("nan"))


def test_pictures_are_no_sounds(tmp_path: Path) -> None:
    flux(tmp_path)
    with pytest.raises(Unavailable, match="makes no sound"):
        DiffusersAudio().load(Spec("x", tmp_path, "float32", None, {}), "cpu", "full")
