"""The family `workshop`: no weights, one tool per task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from studio.draft import Array, Draft
from studio.families import Model, Order, Progress, Spec
from studio.families.workshop import picture, sound
from studio.tasks import TASKS

#: What a tool gives back: a draft's arrays and facts.
Made = tuple[dict[str, Array], dict[str, Any]]
#: A request's fields, and its inputs by field.
Tool = Callable[[Mapping[str, Any], Mapping[str, Draft]], Made]

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        "audio-mastering": sound.master,
        "audio-mixing": sound.mix,
        "image-lettering": picture.letter,
    }
)


class Workshop:
    """Loads nothing; its card has no options."""

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The tools, which compute on the processor in any placement."""
        return Bench()


class Bench:
    """The tools at work."""

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """One draft per order; the same inputs and request give the same one, whatever the seed.

        One step is one order.

        Raises:
            InvalidRequest: if an input has nothing to work on: silence, or a text without a place.
            Cancelled: as `progress` raised it.
        """
        for done, order in enumerate(batch, 1):
            inputs = {field: Draft.unspool(place) for field, place in order.inputs.items()}
            arrays, facts = TOOLS[order.task](order.request, inputs)
            progress.step(done, len(batch))
            yield Draft(TASKS[order.task].makes, order.index, order.seed, arrays, facts)

    def unload(self) -> None:
        """Nothing is held."""
