"""Tiny models of Shap-E's real classes, with random weights, built here: nothing is downloaded.

The library's marching cubes get their table from the released weights; ours joins the edges that
the surface crosses to a fan, which is a surface, though not a smooth one.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from diffusers import HeunDiscreteScheduler, PriorTransformer, ShapEImg2ImgPipeline, ShapEPipeline
from diffusers.pipelines.shap_e import ShapERenderer
from transformers import (
    CLIPImageProcessor,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
)

from tests.families import tiny

#: Layers of the field: its inputs are 93 encoded coordinates, its outputs 12.
_NAMES = tuple(f"nerstf.mlp.{number}.weight" for number in range(3))
_SHAPES = ((8, 93), (8, 8), (8, 8))
_WIDTH = 16
#: A cube's edges as pairs of its corners; corner n lies at x = n & 1, y = n & 2, z = n & 4.
_EDGES = (
    *((0, 1), (2, 3), (4, 5), (6, 7)),
    *((0, 2), (1, 3), (4, 6), (5, 7)),
    *((0, 4), (1, 5), (2, 6), (3, 7)),
)


def shap_e(folder: Path) -> None:
    """Shap-E from words."""
    torch.manual_seed(0)
    ShapEPipeline(
        **_parts(),
        text_encoder=tiny.clip(CLIPTextModelWithProjection),
        tokenizer=tiny.clip_tokenizer(),
    ).save_pretrained(folder)


def shap_e_of_pictures(folder: Path) -> None:
    """Shap-E from a picture."""
    torch.manual_seed(0)
    eye = CLIPVisionConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=32,
        intermediate_size=37,
        patch_size=16,
    )
    ShapEImg2ImgPipeline(
        **_parts(embedding_proj_norm_type="layer"),
        image_encoder=CLIPVisionModel(eye),
        image_processor=CLIPImageProcessor(size=32, crop_size={"height": 32, "width": 32}),
    ).save_pretrained(folder)


def _parts(**more: Any) -> dict[str, Any]:
    """The prior, with `more` to its configuration, and the field that its latents stand for."""
    rows = sum(shape[0] for shape in _SHAPES)
    renderer = ShapERenderer(
        param_names=_NAMES,
        param_shapes=_SHAPES,
        d_latent=_WIDTH,
        d_hidden=8,
        n_hidden_layers=3,
        insert_direction_at=3,
    )
    decoder = renderer.mesh_decoder
    for case in range(256):
        ends = [(bool(case >> a & 1), bool(case >> b & 1)) for a, b in _EDGES]
        crossed = [edge for edge, (one, other) in enumerate(ends) if one != other]
        for place, pair in enumerate(list(pairwise(crossed[1:]))[:5]):
            decoder.cases[case, place] = torch.tensor((crossed[0], *pair))
            decoder.masks[case, place] = True
    return {
        "prior": PriorTransformer(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=1,
            embedding_dim=_WIDTH,
            num_embeddings=rows,
            embedding_proj_dim=32,
            additional_embeddings=0,
            time_embed_dim=64,
            time_embed_act_fn="gelu",
            clip_embed_dim=2 * _WIDTH,
            encoder_hid_proj_type=None,
            added_emb_type=None,
            norm_in_type="layer",
            **more,
        ),
        "shap_e_renderer": renderer,
        "scheduler": HeunDiscreteScheduler(
            beta_schedule="exp",
            num_train_timesteps=1024,
            prediction_type="sample",
            use_karras_sigmas=True,
            clip_sample=True,
            clip_sample_range=1.0,
        ),
    }
