"""What the families of the transformers library share: opening a folder, safetensors only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from studio.errors import Unavailable
from studio.families import Spec
from studio.families.diffusers_memory import device_and_dtype, memory_errors
from studio.families.weights import check_weights, first_line


@contextmanager
def opening(spec: Spec) -> Iterator[None]:
    """Around whatever reads `spec.folder`: it is checked, and the library's errors become ours.

    Raises:
        Unavailable: if a file is missing, damaged or of a format that is refused, or a package that
            the model needs.
        OutOfMemory: if the device could not hold it.
    """
    check_weights(spec.folder)
    transformers_logging.disable_progress_bar()
    try:
        with memory_errors(spec.name):
            yield
    except ImportError as error:
        raise Unavailable(
            f"{spec.name} cannot be loaded: {first_line(error)}",
            hint="Install the package that it names, of a version that suits torch.",
        ) from None
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"{spec.name} cannot be loaded: {first_line(error)}",
            hint="Fetch it again: `studio models remove`, then `studio models get`.",
        ) from None


def beside(kind: Any, spec: Spec) -> Any:
    """What goes with the model, of the library's class `kind`: its tokenizer, its processor …"""
    return kind.from_pretrained(spec.folder, local_files_only=True)


def model_of(
    kind: Any, spec: Spec, device: str, placement: str, dtype: torch.dtype | None = None
) -> Any:
    """The model, of the library's class `kind`, where it is placed and ready to be asked.

    In `dtype`, or in the card's precision as far as the processor computes it. These models stay
    whole: every placement but `cpu` is `full`.
    """
    where, usual = device_and_dtype(spec, device, placement)
    model = kind.from_pretrained(
        spec.folder, dtype=dtype or usual, use_safetensors=True, local_files_only=True
    )
    return model.to(where).eval()
