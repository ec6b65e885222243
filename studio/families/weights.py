"""Which weight files a family may load: safetensors, whole, and nothing that can run code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from studio.errors import Unavailable

_PICKLES = {".bin", ".ckpt", ".pt", ".pth", ".pkl"}


def check_weights(folder: Path) -> None:
    """Raise `Unavailable` if the weights in `folder` itself are pickles only, or damaged.

    Only names and headers are read; nothing is loaded, and no file is ever unpickled.
    """
    files = [path for path in folder.glob("*") if path.is_file()]
    sound = [path for path in files if path.suffix == ".safetensors"]
    pickled = [path.name for path in files if path.suffix in _PICKLES]
    if pickled and not sound:
        raise Unavailable(
            f"{folder} has its weights as a pickle only ({pickled[0]}), which can run anything "
            "when it is opened, so it is refused.",
            hint="Get the model's safetensors files; most repositories have both.",
        )
    for path in sound:
        try:
            with safe_open(path, framework="numpy"):
                pass  # opening checks the header, every offset in it and the file's length
        except (SafetensorError, OSError) as error:
            raise Unavailable(
                f"{path} is damaged: {first_line(error)}",
                hint="Fetch the model again: `studio models remove`, then `studio models get`.",
            ) from None


def read_ahead(files: Iterable[Path]) -> None:
    """Have the system read `files` into its cache while the library builds empty models; mapped
    weights would come page by page, whenever they are touched first."""
    if sys.platform == "linux":
        for path in files:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def first_line(error: BaseException) -> str:
    """What a library's error says, in one line of at most 300 characters."""
    return str(error).strip().partition("\n")[0][:300]
