"""A checkpoint in one file becomes a folder of the diffusers library, one component at a time.

Runs in a process of its own, started by `studio.worker.convert`: it needs torch, and it reads a
stranger's weights. The library's own loaders of single files do the translation of names; they are
given every configuration, so that they ask no hub.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import pipelines
from diffusers.loaders.single_file import load_single_file_sub_model
from diffusers.loaders.single_file_utils import (
    SingleFileComponentError,
    load_single_file_checkpoint,
)

from studio.errors import InvalidRequest
from studio.families.weights import first_line


def convert(
    checkpoint: Path,
    configs: Path,
    folder: Path,
    parts: Iterable[str],
    *,
    dtype: str,
    variant: str | None,
) -> Iterator[str]:
    """Write the `parts` of the safetensors file `checkpoint` below `folder`; yields what is done.

    `configs` is a folder as the library saves it, without the weights.

    Raises:
        InvalidRequest: if the file's tensors are not what the configurations describe.
    """
    classes = json.loads((configs / "model_index.json").read_text(encoding="utf-8"))
    tensors = load_single_file_checkpoint(str(checkpoint), local_files_only=True)
    for part in parts:
        library, name = classes[part]
        try:
            model = load_single_file_sub_model(
                library_name=library,
                class_name=name,
                name=part,
                checkpoint=tensors,
                pipelines=pipelines,
                is_pipeline_module=False,
                cached_model_config_path=str(configs),
                local_files_only=True,
                torch_dtype=getattr(torch, dtype),
            )
        except (SingleFileComponentError, ValueError, RuntimeError, KeyError) as error:
            raise _unlike(checkpoint, part, first_line(error)) from None
        missing = [key for key, tensor in _tensors(model) if tensor.is_meta]
        if missing:
            raise _unlike(checkpoint, part, f"it lacks {missing[0]} and {len(missing) - 1} more")
        model.save_pretrained(folder / part, safe_serialization=True, variant=variant)
        del model
        gc.collect()
        yield part


def _tensors(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _unlike(checkpoint: Path, part: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The {part} in {checkpoint.name} is not what its configuration describes: {why}",
        hint="Name a model of the same kind with --base; its configuration is then used.",
    )
