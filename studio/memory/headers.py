"""What a model's components are, by the headers of their files; no weights are read."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

#: Bytes of one number, as it is computed with.
_WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}
_FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class Component:
    """One component of a model's folder, once it is loaded."""

    #: Bytes of its weights.
    size: int
    #: Equal for equal weights in equal precision, whatever model they belong to.
    identity: str


def components_of(folder: Path, dtype: str, variant: str | None = None) -> dict[str, Component]:
    """The components below `folder`, as they are in `dtype`, by their folders' names.

    Of a component that comes in several variants only the one that would be loaded counts. Empty
    where a header cannot be read: loading the model is what says why.
    """
    found = {}
    try:
        for place in sorted(folder.iterdir()):
            if files := files_of(place, variant):
                size = sum(_bytes(path, _WIDTHS[dtype]) for path in files)
                found[place.name] = Component(size, _identity(place, files, dtype))
    except (OSError, SafetensorError):
        return {}
    return found


def stage_of(component: str) -> str:
    """The stage in which a diffusers component of this name computes."""
    if component.startswith(("unet", "transformer", "controlnet")):
        return "denoise"
    return "decode" if component.startswith(("vae", "vq", "movq", "upscaler")) else "encode"


def files_of(place: Path, variant: str | None) -> list[Path]:
    """The weight files of the component in `place` that are loaded where `variant` is wanted."""
    every = sorted(place.glob("*.safetensors"))
    # `model.fp16.safetensors`, or `model.fp16-00001-of-00002.safetensors`.
    mine = [path for path in every if variant is not None and f".{variant}" in path.name]
    return mine or [path for path in every if path.stem.count(".") == 0]


def _identity(place: Path, files: list[Path], dtype: str) -> str:
    """By the digests that were locked when the files came; else by which files they are."""
    lock = place.parent / "lock.json"
    known = json.loads(lock.read_text(encoding="utf-8"))["sha256"] if lock.exists() else {}
    digest = hashlib.sha256(dtype.encode())
    config = place / "config.json"
    digest.update(config.read_bytes() if config.exists() else b"")
    for path in files:
        name = f"{place.name}/{path.name}"
        state = path.stat()
        itself = f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns}"
        digest.update(str(known.get(name, itself)).encode() + b"\0")
    return digest.hexdigest()[:32]


def _bytes(path: Path, width: int) -> int:
    total = 0
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            tensor = file.get_slice(name)
            kind = tensor.get_dtype()
            # `I64`, `F8_E4M3`, which has one byte, as a `BOOL` has.
            bits = re.search("[0-9]+", kind)
            each = width if kind in _FLOATS else int(bits[0] if bits else 8) // 8
            total += math.prod(tensor.get_shape()) * each
    return total
