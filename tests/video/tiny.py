"""Tiny film models of the real classes, with random weights, built here: nothing is downloaded.

Each function fills an empty folder as `save_pretrained` does, and takes a fraction of a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    MotionAdapter,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.families import tiny


def cogvideox(folder: Path) -> None:
    """CogVideoX: four frames to a latent, positions as sines."""
    torch.manual_seed(0)
    CogVideoXPipeline(**_cogvideox(4)).save_pretrained(folder)


def cogvideox_of_pictures(folder: Path) -> None:
    """CogVideoX from a first picture: twice the latent channels."""
    torch.manual_seed(0)
    CogVideoXImageToVideoPipeline(**_cogvideox(8)).save_pretrained(folder)


def _cogvideox(channels: int) -> dict[str, Any]:
    return {
        "transformer": CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=channels,
            out_channels=4,
            time_embed_dim=2,
            text_embed_dim=32,
            num_layers=1,
            sample_width=8,
            sample_height=8,
            sample_frames=9,
            max_text_seq_length=226,
            use_rotary_positional_embeddings=channels == 8,
        ),
        "vae": AutoencoderKLCogVideoX(
            down_block_types=("CogVideoXDownBlock3D",) * 4,
            up_block_types=("CogVideoXUpBlock3D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            sample_height=64,
            sample_width=64,
        ),
        "text_encoder": tiny.t5(),
        "tokenizer": tiny.t5_tokenizer(),
        "scheduler": DDIMScheduler(),
    }


def motion_adapter(folder: Path) -> None:
    """AnimateDiff: a motion adapter for the tiny Stable Diffusion beside it."""
    torch.manual_seed(1)
    MotionAdapter(
        block_out_channels=(8, 16),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=2,
        motion_max_seq_length=8,
    ).save_pretrained(folder)


def channel_film(folder: Path) -> None:
    """A UNet whose channels are those of five frames, for the tiny Stable Diffusion beside it."""
    torch.manual_seed(1)
    tiny.unet(frames=5, cross_attention_dim=32).save_pretrained(folder / "unet")


def ltx(folder: Path) -> None:
    """LTX: packed latents of a flow model."""
    torch.manual_seed(0)
    LTXPipeline(
        transformer=LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            num_layers=1,
            caption_channels=32,
        ),
        vae=AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
            spatio_temporal_scaling=(True, True, False, False),
            decoder_spatio_temporal_scaling=(True, True, False, False),
        ),
        text_encoder=tiny.t5(),
        tokenizer=tiny.t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder)


def wan(folder: Path) -> None:
    """Wan 2.1: one transformer, a causal autoencoder with its own means."""
    torch.manual_seed(0)
    WanPipeline(
        transformer=WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            text_dim=32,
            freq_dim=16,
            ffn_dim=32,
            num_layers=1,
            rope_max_seq_len=32,
        ),
        vae=AutoencoderKLWan(base_dim=4, num_res_blocks=1, dim_mult=[1, 1, 1, 1]),
        text_encoder=tiny.t5(),
        tokenizer=tiny.t5_tokenizer(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        transformer_2=None,
    ).save_pretrained(folder)


def stable_video_diffusion(folder: Path) -> None:
    """Stable Video Diffusion: no words, a picture and how much moves."""
    torch.manual_seed(0)
    StableVideoDiffusionPipeline(
        unet=UNetSpatioTemporalConditionModel(
            sample_size=8,
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=32,
            num_attention_heads=8,
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
            num_frames=4,
        ),
        vae=AutoencoderKLTemporalDecoder(
            block_out_channels=(32, 32),
            down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        ),
        image_encoder=CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=32,
                projection_dim=32,
                num_hidden_layers=1,
                num_attention_heads=4,
                image_size=224,
                intermediate_size=37,
                patch_size=56,
            )
        ),
        feature_extractor=CLIPImageProcessor(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            use_karras_sigmas=True,
            timestep_type="continuous",
            sigma_min=0.002,
            sigma_max=700.0,
        ),
    ).save_pretrained(folder)
