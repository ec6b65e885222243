"""Families: one module per generation library, each the same three verbs.

A family loads a card's weights, generates a batch, and lets go. It knows its library and nothing
of jobs, files, users or marks. Families run in the device child; this module is torch-free, so
that anyone may read the protocol.

A third-party family is a class with a `load` method, registered under the entry-point group
`studio.families`; `studio.testing.FamilyContract` checks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from studio.draft import Draft
from studio.errors import Unavailable
from studio.job import Preview

#: A format of `image-ranking` that no person can ask for. A family that knows it answers with a
#: text draft whose fact of this name holds the unit vectors of the order's pictures, or of its
#: prompt where it has none: by these the gallery finds pictures.
VECTORS = "vectors"


@dataclass(frozen=True)
class Order:
    """One output to make: a request with its own seed. A batch is a sequence of orders."""

    #: The job it belongs to.
    job: str
    #: Place in that job, 0 to count - 1.
    index: int
    task: str
    #: The narrowed request's fields.
    request: Mapping[str, Any]
    #: The seed of this one output: the request's seed plus the index.
    seed: int
    #: What its media fields name, by field (of a list: `scenes.0`, `scenes.1` …): folders that
    #: `Draft.unspool` reads, so that a family never opens a media file. A mask is an image with one
    #: array `mask`, uint8 (height, width), 255 where something is to change, of its picture's size.
    inputs: Mapping[str, Path] = field(default_factory=dict)
    #: The key of its text's statistical mark (`studio.tournament`), in hex; empty for none.
    text_key: str = ""


@dataclass(frozen=True)
class Spec:
    """What a family needs to know of a card."""

    #: The card's name.
    name: str
    #: The folder with the weights.
    folder: Path
    #: `float32`, `float16` or `bfloat16`.
    dtype: str
    #: The weights variant, as in `model.fp16.safetensors`.
    variant: str | None
    #: The card's `options`; each family documents its own keys.
    options: Mapping[str, Any]


class Progress(Protocol):
    """What a running batch tells the studio. Every method may raise `Cancelled`: let it through."""

    def step(self, done: int, total: int, previews: Sequence[Preview | None] = ()) -> None:
        """`done` of `total` steps are made; `previews` has one entry per order, or none."""

    def text(self, order: int, delta: str) -> None:
        """More text of the batch's order number `order`."""

    def make_room(self) -> bool:
        """After memory ran out: evict every other model; whether there was one.

        Call it outside the handler, whose traceback holds the failed attempt's tensors.
        """


class Model(Protocol):
    """A model that is in memory."""

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """One draft per order, in the batch's order, each as soon as it is ready.

        The same order gives the same draft whatever else is in the batch, within the tolerance
        that the family's contract test states. After an exception the model is as usable as
        before the call.

        Raises:
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """

    def unload(self) -> None:
        """Free everything. The model is not used again."""


class Family(Protocol):
    """A library that can load and run models."""

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`, ready on `device` (`cpu`, `mps`, `cuda:0`).

        `placement` names a rung of `studio.memory.LADDER`. Those of the library diffusers are given
        every one; others `full` and `cpu` alone, unless they have an attribute `offloads`, true.

        Raises:
            Unavailable: if a file is missing or is in a format that is refused.
            OutOfMemory: if the device could not hold it in this placement.
        """


@runtime_checkable
class Foreseeing(Protocol):
    """A family that can tell what a batch will take, before its model is loaded; most cannot."""

    def forecast(self, spec: Spec, batch: Sequence[Order], device: str) -> int | None:
        """Bytes on `device` beside the weights, for a first plan; None where it cannot tell.

        Raises:
            Unavailable: as `load` does.
        """


def find_family(name: str) -> Family:
    """The family registered under `name`.

    Raises:
        Unavailable: if no installed package provides it.
    """
    for entry in entry_points(group="studio.families", name=name):
        family: Family = entry.load()()
        return family
    raise Unavailable(
        f"No installed package provides the family {name!r}.",
        hint="Install the package that the model's card names.",
    )
