"""Which model a file holds, by the names and shapes of its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from studio.imports.header import Header

#: What a file can be. Only a checkpoint can be imported by itself.
Kind = Literal[
    "checkpoint", "folder", "lora", "vae", "text encoder", "controlnet", "embedding", "part",
    "unknown",
]  # fmt: skip

#: What the names of a denoiser may begin with, in the file of a transformer.
DENOISER = "model.diffusion_model."


@dataclass(frozen=True)
class Match:
    """A number that a file and a configuration must agree on."""

    #: A tensor, and which of its sides; None asks only whether there is one.
    tensor: str
    side: int | None
    #: A component's configuration, and the key; of a list the first.
    file: str
    key: str


@dataclass(frozen=True)
class Architecture:
    """A model that the diffusers library translates from one file."""

    name: str
    title: str
    #: The library's pipeline, as `model_index.json` names it.
    pipeline: str
    #: Components that such a file may hold, and what their tensors' names begin with.
    parts: Mapping[str, tuple[str, ...]]
    matches: tuple[Match, ...]
    #: The side of its pictures in pixels, where no configuration says it.
    side: int
    steps: int
    guidance: float
    #: Megabytes of activations at the default size in half precision; estimates.
    working: int
    options: Mapping[str, Any] = field(default_factory=dict)
    #: The tensor with one row per word of the tokenizer.
    words: str = ""

    def configs(self) -> dict[str, Any]:
        """The configurations that the studio ships, by file; empty if it has none."""
        place = files("studio.imports") / "configs" / f"{self.name}.json"
        return json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}


def recognise(header: Header) -> tuple[Kind, Architecture | None, str]:
    """What the file is, its architecture if it is a checkpoint, and a name for it."""
    names = header.shapes
    if any(mark in name for name in names for mark in _ADAPTERS):
        return "lora", None, "LoRA"
    if header.has("control_model.") or header.has("controlnet_cond_embedding."):
        return "controlnet", None, "ControlNet"
    if len(names) <= 2 and any(name in names for name in ("emb_params", "clip_l", "clip_g")):
        return "embedding", None, "textual inversion"
    for architecture, marks in _MARKS:
        if all(any(header.has(form + mark) for form in ("", DENOISER)) for mark in marks):
            return "checkpoint", architecture, architecture.title
    if header.has(DENOISER):
        return "unknown", None, "checkpoint of an architecture that is not known here"
    if header.has("decoder.") and header.has("encoder.") and "decoder.conv_in.weight" in names:
        return "vae", None, "VAE"
    if any("embeddings.token_embedding" in name or "SelfAttention" in name for name in names):
        return "text encoder", None, "text encoder"
    if header.has("down_blocks.") or header.has("transformer_blocks."):
        return "part", None, "one component of a diffusers folder"
    return "unknown", None, "weights of a kind that is not known here"


_ADAPTERS = (
    ".lora_down.",
    ".lora_up.",
    ".lora_A.",
    ".lora_B.",
    ".hada_w1",
    ".lokr_w",
    "lora_unet_",
)
_UNET = Match(DENOISER + "input_blocks.0.0.weight", 0, "unet/config.json", "block_out_channels")
_LATENTS = Match(DENOISER + "input_blocks.0.0.weight", 1, "unet/config.json", "in_channels")
_TOWER = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
_XL_TOWER = _TOWER.replace("cond_stage_model", "conditioner.embedders.0")
_OPEN_TOWER = "cond_stage_model.model.token_embedding.weight"


def _matches_of(tower: str) -> tuple[Match, ...]:
    return (
        _UNET,
        _LATENTS,
        Match(tower, 0, "text_encoder/config.json", "vocab_size"),
        Match(tower, 1, "text_encoder/config.json", "hidden_size"),
    )


STABLE_DIFFUSION = Architecture(
    "stable-diffusion-1",
    "Stable Diffusion 1.x",
    "StableDiffusionPipeline",
    {
        "unet": (DENOISER,),
        "vae": ("first_stage_model.",),
        "text_encoder": ("cond_stage_model.transformer.",),
    },
    _matches_of(_TOWER),
    side=512,
    steps=30,
    guidance=7.5,
    working=1200,
    options={"scheduler": "DPMSolverMultistepScheduler"},
    words=_TOWER,
)
STABLE_DIFFUSION_2 = Architecture(
    "stable-diffusion-2",
    "Stable Diffusion 2.x",
    "StableDiffusionPipeline",
    {
        "unet": (DENOISER,),
        "vae": ("first_stage_model.",),
        "text_encoder": ("cond_stage_model.model.",),
    },
    _matches_of(_OPEN_TOWER),
    side=768,
    steps=30,
    guidance=7.5,
    working=2200,
    words=_OPEN_TOWER,
)
STABLE_DIFFUSION_XL = Architecture(
    "stable-diffusion-xl",
    "Stable Diffusion XL",
    "StableDiffusionXLPipeline",
    {
        "unet": (DENOISER,),
        "vae": ("first_stage_model.",),
        "text_encoder": ("conditioner.embedders.0.transformer.",),
        "text_encoder_2": ("conditioner.embedders.1.model.",),
    },
    _matches_of(_XL_TOWER),
    side=1024,
    steps=30,
    guidance=5.0,
    working=3500,
    words=_XL_TOWER,
)
STABLE_DIFFUSION_3 = Architecture(
    "stable-diffusion-3",
    "Stable Diffusion 3",
    "StableDiffusion3Pipeline",
    {
        "transformer": (DENOISER, "joint_blocks."),
        "vae": ("first_stage_model.",),
        "text_encoder": ("text_encoders.clip_l.",),
        "text_encoder_2": ("text_encoders.clip_g.",),
        "text_encoder_3": ("text_encoders.t5xxl.",),
    },
    (Match("x_embedder.proj.weight", 1, "transformer/config.json", "in_channels"),),
    side=1024,
    steps=28,
    guidance=4.5,
    working=4000,
    options={"grid": 16},
)
FLUX = Architecture(
    "flux",
    "FLUX.1",
    "FluxPipeline",
    {"transformer": (DENOISER, "double_blocks."), "vae": ("vae.",)},
    (
        Match("img_in.weight", 1, "transformer/config.json", "in_channels"),
        Match("guidance_in.in_layer.weight", None, "transformer/config.json", "guidance_embeds"),
    ),
    side=1024,
    steps=28,
    guidance=3.5,
    working=3000,
    options={"grid": 16},
)

#: What only this architecture's files have, all of it; the first that fits.
_MARKS: tuple[tuple[Architecture, tuple[str, ...]], ...] = (
    (STABLE_DIFFUSION_XL, ("input_blocks.0.0.", "conditioner.embedders.1.model.")),
    (STABLE_DIFFUSION_2, ("input_blocks.0.0.", "cond_stage_model.model.")),
    (STABLE_DIFFUSION, ("input_blocks.0.0.", "cond_stage_model.transformer.")),
    (STABLE_DIFFUSION_3, ("joint_blocks.0.context_block.",)),
    (FLUX, ("double_blocks.0.img_attn.", "single_blocks.0.")),
)

#: Architectures by pipeline, for folders that are whole already.
BY_PIPELINE: Mapping[str, Architecture] = MappingProxyType(
    {one.pipeline: one for one in (STABLE_DIFFUSION, STABLE_DIFFUSION_XL, STABLE_DIFFUSION_3, FLUX)}
)
