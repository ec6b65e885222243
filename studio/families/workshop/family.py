"""The family `workshop`: no weights, one tool per task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from studio.draft import Array, Draft
from studio.families import Model, Order, Progress, Spec
from studio.families.workshop import clip, film, pen, picture, sound, turntable
from studio.tasks import TASKS

#: What a tool gives back: a draft's arrays and facts.
Made = tuple[dict[str, Array], dict[str, Any]]
#: A request's fields, its inputs by field, and a function that is told which share is made.
Tool = Callable[[Mapping[str, Any], Mapping[str, Draft], Callable[[float], None]], Made]
#: Steps of one order.
_STEPS = 100

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        "audio-mastering": sound.master,
        "audio-mixing": sound.mix,
        "contact-sheet": picture.sheet,
        "film-assembly": film.assemble,
        "image-conversion": picture.convert,
        "image-lettering": picture.letter,
        "image-upscaling": picture.enlarge,
        "object-turntable": turntable.turn,
        "text-noising": pen.garble,
        "video-interpolation": clip.interpolate,
        "video-looping": clip.loop,
        "video-still": clip.still,
        "video-upscaling": picture.enlarge,
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
        """One draft per order; the same inputs and request give the same one.

        Only slips of the pen are drawn by the seed.

        A step is a hundredth of an order.

        Raises:
            InvalidRequest: if an input has nothing to work on: silence, or a text without a place.
            Cancelled: as `progress` raised it.
        """
        total = _STEPS * len(batch)
        for number, order in enumerate(batch):
            begin = _STEPS * number

            def tell(share: float, begin: int = begin) -> None:
                progress.step(begin + round(share * (_STEPS - 1)), total)

            inputs = {field: Draft.unspool(place) for field, place in order.inputs.items()}
            asked = {**order.request, "seed": order.seed}
            arrays, facts = TOOLS[order.task](asked, inputs, tell)
            progress.step(begin + _STEPS, total)
            yield Draft(TASKS[order.task].makes, order.index, order.seed, arrays, facts)

    def unload(self) -> None:
        """Nothing is held."""
