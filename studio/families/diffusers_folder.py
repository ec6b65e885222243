"""What pictures and films share of diffusers: opening a folder, calling a pipeline, letting go.

Everything runs through the library's real pipelines, loaded from a folder, safetensors only.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import diffusers
import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from studio.errors import InvalidRequest, Unavailable
from studio.families import Spec
from studio.families.diffusers_memory import device_and_dtype, memory_errors
from studio.families.weights import check_weights, first_line, read_ahead
from studio.heap import trim
from studio.memory.headers import components_of, files_of, stage_of


class Shared:
    """The encoders and decoders in memory that models have in common, for as long as one holds
    them. The memory plan counts them once (`studio.memory.need_of`); denoisers are never shared,
    and nothing is that is not wholly on the device."""

    def __init__(self) -> None:
        self._held: WeakValueDictionary[str, torch.nn.Module] = WeakValueDictionary()

    def of(self, spec: Spec, folder: Path) -> dict[str, torch.nn.Module]:
        """The components of `folder` that another model has loaded, by their names."""
        named = self._named(spec, folder)
        return {name: self._held[key] for name, key in named.items() if key in self._held}

    def add(self, spec: Spec, folder: Path, pipe: Any) -> None:
        """Have the next model use the components of `pipe`, which came from `folder`."""
        for name, key in self._named(spec, folder).items():
            if isinstance(part := getattr(pipe, name, None), torch.nn.Module):
                self._held[key] = part

    @staticmethod
    def _named(spec: Spec, folder: Path) -> dict[str, str]:
        found = components_of(folder, spec.dtype, spec.variant)
        return {n: part.identity for n, part in found.items() if stage_of(n) != "denoise"}


def open_folder(
    spec: Spec,
    device: str,
    placement: str,
    kind: type[DiffusionPipeline] = DiffusionPipeline,
    folder: Path | None = None,
    shared: Shared | None = None,
    **parts: Any,
) -> Any:
    """The pipeline in `folder`, or in `spec.folder`, not yet on any device.

    `kind` is the pipeline's class where the folder's own is not meant; `parts` take the place of
    the folder's, and so do those that are `shared`.

    Raises:
        Unavailable: if a file is missing or is in a format that is refused.
    """
    folder = folder or spec.folder
    without = tuple(spec.options.get("without", ()))
    if shared is not None and placement == "full":
        lent = {n: part for n, part in shared.of(spec, folder).items() if n not in without}
        parts = lent | parts
    check_folder(folder, (*without, *parts))
    for place in folder.iterdir():
        if place.name not in (*without, *parts):
            read_ahead(files_of(place, spec.variant))
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
    try:
        pipe = kind.from_pretrained(
            folder,
            dtype=device_and_dtype(spec, device, placement)[1],
            variant=spec.variant,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **dict.fromkeys(without),
            **parts,
        )
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"{spec.name} cannot be loaded: {first_line(error)}",
            hint=f"Fetch it again with `studio models get {spec.name}`.",
        ) from None
    if shared is not None and placement == "full":
        shared.add(spec, folder, pipe)
    if "scheduler" in spec.options:
        pipe.scheduler = _scheduler(spec).from_config(pipe.scheduler.config)
    return pipe


@contextmanager
def calling(pipe: Any, spec: Spec) -> Iterator[None]:
    """Around a call of `pipe`: its errors become the studio's, its parts go where they belong."""
    try:
        with memory_errors(spec.name):
            yield
    except ValueError as error:
        raise InvalidRequest(
            f"{spec.name} cannot do this: {first_line(error)}",
            hint=f"`studio models show {spec.name}` lists what it can do.",
        ) from None
    finally:
        # The library does this at a normal end only; offloaded parts would stay behind.
        pipe.maybe_free_model_hooks()


def no_numbers(name: str) -> Unavailable:
    """What a model has done whose output holds NaN or infinities."""
    return Unavailable(
        f"{name} computed values that are no numbers.",
        hint="Half precision overflows in some models: set dtype: float32 in its card. If "
        "it is set, fetch the weights again.",
    )


def give_back() -> None:
    """Give the memory of whatever is held no longer back to the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()


def check_folder(folder: Path, without: Sequence[str] = ()) -> None:
    """Raise `Unavailable` unless `folder` holds a pipeline whose weights are all safetensors.

    Only names and headers are read; nothing is loaded, and no file is ever unpickled.
    """
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        parts = {
            name: library
            for name, (library, _) in (
                (name, value) for name, value in index.items() if isinstance(value, list)
            )
            if library is not None and name not in without
        }
    except (OSError, ValueError, AttributeError):
        raise Unavailable(
            f"{folder} holds no diffusers pipeline: its model_index.json is missing or damaged.",
            hint="Fetch the model with `studio models get`, or copy its whole folder there.",
        ) from None
    for name, library in parts.items():
        if library not in ("diffusers", "transformers") and not hasattr(
            diffusers.pipelines, library
        ):
            raise Unavailable(
                f"{folder} wants code from {library!r}, and the studio runs no foreign code.",
                hint="Choose a model that diffusers itself can run.",
            )
        check_weights(folder / name)


def _scheduler(spec: Spec) -> Any:
    name = str(spec.options["scheduler"])
    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise Unavailable(
            f"The card of {spec.name} names a scheduler that diffusers does not have: {name!r}.",
            hint="Name one of its scheduler classes, such as EulerDiscreteScheduler.",
        )
    return kind
