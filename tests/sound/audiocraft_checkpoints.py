"""Writes audiocraft's own checkpoints, tiny and random; run with the Python that has audiocraft.

    python audiocraft_checkpoints.py WORKER FOLDER KIND [old]

They are pickled as the makers pickle theirs: the newer kind with its configuration as YAML, the old
one with OmegaConf's own objects. `evil` writes one that would run something when it is opened.
"""

import os
import runpy
import sys
from pathlib import Path

import torch

CODEC = """
compression_model: encodec
encodec: {autoencoder: seanet, quantizer: rvq, sample_rate: 16000, channels: 1, causal: false}
seanet: {dimension: 32, channels: 1, causal: false, n_filters: 4, n_residual_layers: 1,
         ratios: [10, 8, 8], encoder: {}, decoder: {}}
rvq: {n_q: 4, bins: 64}
"""
MODEL = """
lm_model: KIND
transformer_lm: {n_q: 4, card: 64, dim: 32, num_heads: 4, num_layers: 2, causal: CAUSAL,
                 memory_efficient: true, bias_proj: false, norm_first: true MORE}
codebooks_pattern: {modeling: PATTERN, delay: {delays: [0, 1, 2, 3]}, parallel: {}}
attribute_dropout: {}
classifier_free_guidance: {training_dropout: 0.1, inference_coef: 3.0}
fuser: {cross: [description], sum: [], prepend: [], input_interpolate: []}
conditioners:
  description: {model: t5, t5: {name: t5-base, finetune: false, normalize_text: false}}
  args: {merge_text_conditions_p: 0.25, drop_desc_p: 0.5}
dataset: {segment_duration: 4}
masking: {span_len: 3}
"""


class Evil:
    """A pickle that would write a file."""

    def __reduce__(self):
        return os.mkdir, ("it-ran",)


def main(worker, folder, kind, *how):
    """Write both checkpoints into `folder`, which has a `t5` in it."""
    runpy.run_path(worker)["stand_in"]()
    from audiocraft.models import builders
    from audiocraft.modules.conditioners import T5Conditioner
    from omegaconf import OmegaConf

    masked = kind == "magnet"
    text = MODEL.replace("KIND", "transformer_lm_magnet" if masked else "transformer_lm")
    text = text.replace("CAUSAL", "false" if masked else "true")
    text = text.replace("PATTERN", "parallel" if masked else "delay")
    text = text.replace(
        "MORE",
        ", subcodes_context: 5, compression_model_framerate: 25, segment_duration: 4, span_len: 3"
        if masked
        else "",
    )
    t5 = str(folder / "t5")
    T5Conditioner.MODELS.append(t5)
    T5Conditioner.MODELS_DIMS[t5] = 32
    torch.manual_seed(0)
    model, codec = OmegaConf.create(text), OmegaConf.create(CODEC)
    for config in (model, codec):
        config.device, config.dtype = "cpu", "float32"
    building = OmegaConf.create(OmegaConf.to_yaml(model))
    building.conditioners.description.t5.name = t5
    writer = builders.get_lm_model(building)
    squeezer = builders.get_compression_model(codec)
    squeezer.quantizer(torch.randn(8, 32, 128), 25)
    for name, made, config in (
        ("state_dict", writer, model),
        ("compression_state_dict", squeezer, codec),
    ):
        package = {
            "best_state": made.state_dict(),
            "xp.cfg": config if "old" in how else OmegaConf.to_yaml(config),
            "version": "1.3.0",
            "exported": True,
        }
        if "evil" in how:
            package["version"] = Evil()
        torch.save(package, folder / f"{name}.bin")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
