"""How large a model's components are, by the headers of their files; no weights are read."""

from __future__ import annotations

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open

#: Bytes of one number, as it is computed with.
_WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}
_FLOATS = ("F64", "F32", "F16", "BF16")


def sizes_of(folder: Path, dtype: str, variant: str | None = None) -> dict[str, int]:
    """Bytes of each component below `folder`, once it is loaded in `dtype`, by its folder's name.

    Of a component that comes in several variants only the one that would be loaded counts. Empty
    where a header cannot be read: loading the model is what says why.
    """
    sizes = {}
    try:
        for place in sorted(folder.iterdir()):
            if files := _loaded(place, variant):
                sizes[place.name] = sum(_bytes(path, _WIDTHS[dtype]) for path in files)
    except (OSError, SafetensorError):
        return {}
    return sizes


def _loaded(place: Path, variant: str | None) -> list[Path]:
    every = list(place.glob("*.safetensors"))
    # `model.fp16.safetensors`, or `model.fp16-00001-of-00002.safetensors`.
    mine = [path for path in every if variant is not None and f".{variant}" in path.name]
    return mine or [path for path in every if path.stem.count(".") == 0]


def _bytes(path: Path, width: int) -> int:
    total = 0
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            tensor = file.get_slice(name)
            kind = tensor.get_dtype()
            each = width if kind in _FLOATS else int(kind.lstrip("UIFBOL") or 8) // 8
            total += math.prod(tensor.get_shape()) * each
    return total
