"""Further tiny film models of the real classes, with random weights, built here.

As in `tests.video.tiny`: each function fills an empty folder as `save_pretrained` does.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLHunyuanVideo,
    AutoencoderKLHunyuanVideo15,
    AutoencoderKLMochi,
    AutoencoderKLWan,
    ClassifierFreeGuidance,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideo15Pipeline,
    HunyuanVideo15Transformer3DModel,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
    LattePipeline,
    LatteTransformer3DModel,
    MochiPipeline,
    MochiTransformer3DModel,
    TextToVideoSDPipeline,
    UNet3DConditionModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    ByT5Tokenizer,
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlamaModel,
    Qwen2_5_VLTextConfig,
    Qwen2_5_VLTextModel,
    Qwen2Tokenizer,
)

from tests.families import tiny


def hunyuan_video(folder: Path) -> None:
    """HunyuanVideo: a language model reads the prompt, a second tower sums it up."""
    torch.manual_seed(0)
    HunyuanVideoPipeline(
        transformer=HunyuanVideoTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=10,
            num_layers=1,
            num_single_layers=1,
            num_refiner_layers=1,
            patch_size=1,
            patch_size_t=1,
            guidance_embeds=True,
            text_embed_dim=16,
            pooled_projection_dim=32,
            rope_axes_dim=(2, 4, 4),
        ),
        vae=AutoencoderKLHunyuanVideo(
            latent_channels=4,
            block_out_channels=(8, 8, 8, 8),
            layers_per_block=1,
            norm_num_groups=4,
        ),
        text_encoder=LlamaModel(
            LlamaConfig(
                vocab_size=1103,
                hidden_size=16,
                intermediate_size=37,
                num_hidden_layers=3,
                num_attention_heads=4,
                pad_token_id=0,
            )
        ),
        text_encoder_2=tiny.clip(CLIPTextModel),
        tokenizer=tiny.t5_tokenizer(),
        tokenizer_2=tiny.clip_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
    ).save_pretrained(folder)


def hunyuan_video_15(folder: Path) -> None:
    """HunyuanVideo 1.5: it takes no callback, and its guidance is a part of its own."""
    torch.manual_seed(0)
    letters = sorted(ByteLevel.alphabet())
    words = ["<|endoftext|>", *letters]
    tokenizer = Qwen2Tokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[])
    tokenizer.chat_template = "{% for one in messages %}{{ one['content'] }}{% endfor %}"
    HunyuanVideo15Pipeline(
        transformer=HunyuanVideo15Transformer3DModel(
            in_channels=9,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=1,
            num_refiner_layers=1,
            text_embed_dim=16,
            text_embed_2_dim=32,
            image_embed_dim=12,
            rope_axes_dim=(2, 2, 4),
            target_size=16,
            task_type="t2v",
        ),
        vae=AutoencoderKLHunyuanVideo15(
            latent_channels=4,
            block_out_channels=(16, 16, 16, 16),
            layers_per_block=1,
            spatial_compression_ratio=4,
            temporal_compression_ratio=2,
            downsample_match_channel=False,
            upsample_match_channel=False,
        ),
        text_encoder=Qwen2_5_VLTextModel(
            Qwen2_5_VLTextConfig(
                vocab_size=300,
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=3,
                num_attention_heads=2,
                num_key_value_heads=2,
                rope_parameters={
                    "rope_type": "default",
                    "mrope_section": [1, 1, 2],
                    "rope_theta": 10000.0,
                },
            )
        ),
        text_encoder_2=tiny.t5(),
        tokenizer=tokenizer,
        tokenizer_2=ByT5Tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        guider=ClassifierFreeGuidance(guidance_scale=1.0),
    ).save_pretrained(folder)


def mochi(folder: Path) -> None:
    """Mochi: six frames to a latent, twelve channels."""
    torch.manual_seed(0)
    MochiPipeline(
        transformer=MochiTransformer3DModel(
            patch_size=2,
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=2,
            pooled_projection_dim=16,
            in_channels=12,
            text_embed_dim=32,
            time_embed_dim=4,
            max_sequence_length=16,
        ),
        vae=AutoencoderKLMochi(
            encoder_block_out_channels=(32, 32, 32, 32),
            decoder_block_out_channels=(32, 32, 32, 32),
            layers_per_block=(1, 1, 1, 1, 1),
        ),
        text_encoder=tiny.t5(),
        tokenizer=tiny.t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder)


def latte(folder: Path) -> None:
    """Latte: five frames and no other number, each decoded like a picture."""
    torch.manual_seed(0)
    LattePipeline(
        transformer=LatteTransformer3DModel(
            sample_size=8,
            num_layers=1,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=3,
            caption_channels=32,
            in_channels=4,
            cross_attention_dim=24,
            out_channels=8,
            attention_bias=True,
            activation_fn="gelu-approximate",
            num_embeds_ada_norm=1000,
            norm_type="ada_norm_single",
            norm_elementwise_affine=False,
            norm_eps=1e-6,
            video_length=5,
        ),
        vae=_vae(),
        text_encoder=tiny.t5(),
        tokenizer=tiny.t5_tokenizer(),
        scheduler=DDIMScheduler(),
    ).save_pretrained(folder)


def modelscope(folder: Path) -> None:
    """ModelScope: a UNet of three dimensions and the library's old `callback`; deprecated there."""
    torch.manual_seed(0)
    TextToVideoSDPipeline(
        unet=UNet3DConditionModel(
            block_out_channels=(8, 8),
            layers_per_block=1,
            sample_size=8,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            cross_attention_dim=32,
            attention_head_dim=4,
            norm_num_groups=2,
        ),
        vae=_vae(),
        text_encoder=tiny.clip(CLIPTextModel),
        tokenizer=tiny.clip_tokenizer(),
        scheduler=DDIMScheduler(clip_sample=False),
    ).save_pretrained(folder)


def wan_of_pictures(folder: Path, both: bool = False) -> None:
    """Wan 2.1 from a first picture, which CLIP sees, too; and to a last one, if it is for both."""
    torch.manual_seed(0)
    eye = CLIPVisionConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        intermediate_size=37,
        patch_size=16,
    )
    WanImageToVideoPipeline(
        transformer=WanTransformer3DModel(
            in_channels=36,
            out_channels=16,
            num_attention_heads=2,
            attention_head_dim=12,
            text_dim=32,
            freq_dim=16,
            ffn_dim=32,
            num_layers=1,
            rope_max_seq_len=32,
            image_dim=32,
            added_kv_proj_dim=24,
            pos_embed_seq_len=2 * 5 if both else None,
        ),
        vae=AutoencoderKLWan(base_dim=4, num_res_blocks=1, dim_mult=[1, 1, 1, 1]),
        text_encoder=tiny.t5(),
        tokenizer=tiny.t5_tokenizer(),
        image_encoder=CLIPVisionModel(eye),
        image_processor=CLIPImageProcessor(
            size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}
        ),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        transformer_2=None,
    ).save_pretrained(folder)


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        latent_channels=4,
        block_out_channels=(4, 4, 8, 8),
        layers_per_block=1,
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
