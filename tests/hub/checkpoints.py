"""Tiny checkpoints in one file, as people have them: the names of the models' first authors.

They are made from `tests.families.tiny`'s folders, so that what an import makes of them can be
compared with what they were made of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.families import tiny

Tensors = Mapping[str, torch.Tensor]

#: Names in the library's UNet and in the authors', one for one.
_UNET = {
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.",
    "conv_in.": "input_blocks.0.0.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
    # One resnet a block, so the blocks are numbered by twos.
    "down_blocks.0.resnets.0.": "input_blocks.1.0.",
    "down_blocks.0.downsamplers.0.conv.": "input_blocks.2.0.op.",
    "down_blocks.1.resnets.0.": "input_blocks.3.0.",
    "down_blocks.1.attentions.0.": "input_blocks.3.1.",
    "up_blocks.0.resnets.0.": "output_blocks.0.0.",
    "up_blocks.0.attentions.0.": "output_blocks.0.1.",
    "up_blocks.0.resnets.1.": "output_blocks.1.0.",
    "up_blocks.0.attentions.1.": "output_blocks.1.1.",
    "up_blocks.0.upsamplers.0.conv.": "output_blocks.1.2.conv.",
    "up_blocks.1.resnets.0.": "output_blocks.2.0.",
    "up_blocks.1.resnets.1.": "output_blocks.3.0.",
}
_RESNET = {
    "norm1.": "in_layers.0.",
    "conv1.": "in_layers.2.",
    "norm2.": "out_layers.0.",
    "conv2.": "out_layers.3.",
    "time_emb_proj.": "emb_layers.1.",
    "conv_shortcut.": "skip_connection.",
}
_VAE_ATTENTION = {
    "group_norm.": "norm.",
    "to_q.": "q.",
    "to_k.": "k.",
    "to_v.": "v.",
    "to_out.0.": "proj_out.",
}
_OPEN_CLIP = {
    "encoder.layers.": "transformer.resblocks.",
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "self_attn.out_proj.": "attn.out_proj.",
    "final_layer_norm.": "ln_final.",
    "embeddings.token_embedding.": "token_embedding.",
    "embeddings.position_embedding.weight": "positional_embedding",
}


def stable_diffusion(folder: Path, file: Path) -> None:
    """A Stable Diffusion 1.x checkpoint `file`, of the folder that is made beside it."""
    tiny.stable_diffusion(folder)
    write(file, unet(folder) | vae(folder) | _clip(folder, "cond_stage_model.transformer."))


def stable_diffusion_xl(folder: Path, file: Path) -> None:
    """An SDXL checkpoint `file`, of the folder that is made beside it."""
    # Of another width than the first: that is how the library tells them apart.
    tiny.stable_diffusion_xl(folder, second=40)
    towers = _clip(folder, "conditioner.embedders.0.transformer.") | _open_clip(folder)
    write(file, unet(folder) | vae(folder) | towers)


def write(file: Path, tensors: Tensors) -> None:
    """`tensors` as a safetensors file."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)


def unet(folder: Path) -> dict[str, torch.Tensor]:
    """The folder's UNet under its authors' names."""
    renamed = {}
    for name, tensor in load_file(folder / "unet/diffusion_pytorch_model.safetensors").items():
        new = _replaced(name, _UNET if "attentions" in name else _UNET | _RESNET)
        renamed["model.diffusion_model." + new] = tensor
    return renamed


def vae(folder: Path) -> dict[str, torch.Tensor]:
    """The folder's autoencoder under its authors' names."""
    renamed = {}
    for name, tensor in load_file(folder / "vae/diffusion_pytorch_model.safetensors").items():
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if "mid_block.attentions" in new:
            new = _replaced(new.replace("mid_block.attentions.0", "mid.attn_1"), _VAE_ATTENTION)
            if new.endswith("weight") and tensor.ndim == 2:
                tensor = tensor[:, :, None, None]
        # Down blocks count from the outside in; so do the authors' up blocks, the library's do not.
        new = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", new)
        new = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda m: f"up.{3 - int(m[1])}.block.", new)
        new = re.sub(
            r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", new
        )
        new = new.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        renamed["first_stage_model." + new] = tensor
    return renamed


def _clip(folder: Path, prefix: str) -> dict[str, torch.Tensor]:
    weights = load_file(folder / "text_encoder/model.safetensors")
    return {f"{prefix}text_model.{_bare(name)}": tensor for name, tensor in weights.items()}


def _open_clip(folder: Path) -> dict[str, torch.Tensor]:
    """SDXL's second tower: queries, keys and values in one, the projection turned over."""
    renamed, attention = {}, {}
    for name, tensor in load_file(folder / "text_encoder_2/model.safetensors").items():
        if name == "text_projection.weight":
            renamed["text_projection"] = tensor.T
        elif found := re.fullmatch(
            r"encoder\.layers\.(\d+)\.self_attn\.(\w)_proj\.(\w+)", _bare(name)
        ):
            attention[found[1], found[3], found[2]] = tensor
        else:
            renamed[_replaced(_bare(name), _OPEN_CLIP)] = tensor
    for layer, kind in sorted({(layer, kind) for layer, kind, _ in attention}):
        renamed[f"transformer.resblocks.{layer}.attn.in_proj_{kind}"] = torch.cat(
            [attention[layer, kind, which] for which in "qkv"]
        )
    return {f"conditioner.embedders.1.model.{name}": tensor for name, tensor in renamed.items()}


def _bare(name: str) -> str:
    return name.removeprefix("text_model.")


def _replaced(name: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        name = name.replace(old, new)
    return name
