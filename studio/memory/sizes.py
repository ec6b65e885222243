"""The sizes that memory is planned with, all in bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from studio.memory.headers import Component, stage_of

if TYPE_CHECKING:
    # The device child starts without the tasks and the cards.
    from studio.cards import Card

#: So many measured runs tell what the next will take.
ENOUGH = 3


@dataclass(frozen=True)
class Part:
    """One component of a model: a text encoder, a denoiser, a decoder."""

    #: Which weights, in which precision. Parts of equal keys are in memory once.
    key: str
    weights: int
    #: The most of it that group offload has on the device at a time.
    block: int
    #: The weights in the placement `quantised`.
    quantised: int


@dataclass(frozen=True)
class Stage:
    """One stage of a run. Stages follow each other, so a run takes the most of any, not the sum."""

    #: `encode`, `denoise` or `decode`.
    name: str
    #: Keys of the parts that compute in it.
    parts: tuple[str, ...]
    #: Activations beside the weights, for the batch in hand.
    working: int


@dataclass(frozen=True)
class Need:
    """What running a model takes."""

    #: The card's name.
    name: str
    parts: tuple[Part, ...]
    stages: tuple[Stage, ...]
    #: The fastest placement worth trying; slower ones were learned the hard way.
    fastest: str = "full"
    #: Whether the weights may be stored in 8 bits, which changes the output a little.
    quantisable: bool = False
    #: Whether the weights are in float16, which processors compute in full; bfloat16 they can.
    half: bool = False
    #: How many runs like it were measured where it will run; without any, its working memory is a
    #: first guess.
    measured: int = 0
    #: Whether its family moves parts of a model to and from the device, or stores them in 8 bits;
    #: the others have it in one place as a whole. A family may say so itself, by an attribute
    #: `offloads`.
    offloads: bool = True

    @property
    def weights(self) -> int:
        """All weights."""
        return sum(part.weights for part in self.parts)

    @property
    def working(self) -> int:
        """The activations of the stage that has the most."""
        return max((stage.working for stage in self.stages), default=0)

    def expecting(self, working: int) -> Need:
        """The same with other activations."""
        stages = tuple(replace(stage, working=working) for stage in self.stages)
        return replace(self, stages=stages)

    def doubled(self) -> Need:
        """The same in full precision, if it is in half."""
        if not self.half:
            return self
        return replace(
            self,
            half=False,
            parts=tuple(
                replace(part, weights=2 * part.weights, block=2 * part.block) for part in self.parts
            ),
            stages=tuple(replace(stage, working=2 * stage.working) for stage in self.stages),
        )


@dataclass(frozen=True)
class Room:
    """The memory there is."""

    total: int
    #: Free on the device now, with the residents in place.
    free: int
    #: Free in main memory now. The same as `free` where the device has no memory of its own.
    host_free: int
    #: Whether the device computes in main memory: a processor, or an integrated GPU.
    shared: bool = False


class Device(Protocol):
    """A processor or an accelerator, as far as memory goes."""

    @property
    def name(self) -> str:
        """What torch calls it: `cpu`, `mps`, `cuda:0`."""

    def room(self) -> Room:
        """The memory there is now; what the library holds and does not use counts as free."""

    def release(self) -> None:
        """Give back to the system what the library holds and does not use."""


@dataclass(frozen=True)
class Held:
    """What one part of a resident model takes while nobody uses it."""

    key: str
    device: int
    host: int


@dataclass(frozen=True)
class Resident:
    """A model in memory; `used` is when, on any clock that only grows."""

    name: str
    placement: str
    parts: tuple[Held, ...]
    used: float
    #: A busy model is never evicted.
    busy: bool = False

    @property
    def device(self) -> int:
        """Bytes on the device."""
        return sum(part.device for part in self.parts)

    @property
    def host(self) -> int:
        """Bytes in main memory beside it."""
        return sum(part.host for part in self.parts)


#: How a latent diffusion model's weights divide, for want of a look at its files: the denoiser is
#: three quarters, and no block of it more than a tenth of all.
_SHARES = {"encode": 0.2, "denoise": 0.75, "decode": 0.05}
_BLOCK = 0.1


def need_of(
    card: Card, requests: Sequence[Mapping[str, Any]], stored: Mapping[str, Component] | None = None
) -> Need:
    """What running a batch of `requests` on `card` takes, by the card's own figures.

    `stored` are its components, as `components_of` found them; without a denoiser among them
    the model is of another kind, and its weights are the card's figure, divided as usual.

    A card's working memory is for one output of its default size; activations grow with the
    pixels of the largest request, and with how many the card's family makes at once.
    """
    block = card.studio
    sides = ("width", "height")
    pixels = math.prod(float(str(block.defaults.get(side, 1))) for side in sides)
    largest = max(
        (math.prod(request.get(side) or 1 for side in sides) for request in requests), default=1
    )
    together = min(len(requests) or 1, int(block.options.get("batch", 1)))
    scale = together * (max(1.0, largest / pixels) if pixels > 1 else 1.0)
    working = int(block.memory.working * 1e6 * scale)
    total = int(block.memory.weights * 1e6)
    sized = {f"{card.name}/{stage}": (stage, int(total * part)) for stage, part in _SHARES.items()}
    if stored and any(stage_of(name) == "denoise" for name in stored):
        sized = {
            # A denoiser is its model's own; encoders and decoders come with many.
            f"{card.name}/{name}"
            if stage_of(name) == "denoise"
            else f"{block.family}/{component.identity}": (stage_of(name), component.size)
            for name, component in stored.items()
        }
        total = sum(size for _, size in sized.values())
    parts = tuple(
        # Only the denoiser is ever stored in 8 bits.
        Part(key, size, min(size, int(total * _BLOCK)), size // (1 + (stage == "denoise")))
        for key, (stage, size) in sized.items()
    )
    stages = tuple(
        Stage(stage, tuple(key for key, (its, _) in sized.items() if its == stage), working)
        for stage in _SHARES
    )
    return Need(
        card.name,
        parts,
        stages,
        quantisable=bool(block.options.get("quantised", False)),
        half=block.dtype == "float16",
        # By its library: whoever asks the family itself has torch in its process.
        offloads=block.family.partition("-")[0] == "diffusers",
    )
