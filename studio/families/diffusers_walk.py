"""Films that are walks: every frame a picture of its own, between two prompts or two pictures.

The frames are drawn like any other pictures, as many at once as the model takes; how each lies
between the two ends is `diffusers_inputs.setting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from studio.draft import Draft, blank_frames
from studio.families import Order, Progress
from studio.families.diffusers_inputs import steps_of
from studio.job import Preview

#: The tasks that are walks, and what each of their frames is drawn as.
WALKS: Mapping[str, str] = MappingProxyType(
    {"prompt-travel": "latent-walk", "image-morphing": "image-morphing"}
)


def films(
    batch: Sequence[Order],
    progress: Progress,
    draw: Callable[[Sequence[Order], Progress], Iterator[Draft]],
) -> Iterator[Draft]:
    """One video draft per order of a walk, whose frames `draw` makes as pictures.

    A step is one of a picture's, so that a film has as many as its pictures would have alone.
    """
    counts = [
        max(2, round(float(order.request["duration"]) * int(order.request["fps"])))
        for order in batch
    ]
    steps = [count * steps_of(order)[1] for order, count in zip(batch, counts, strict=True)]
    for number, (order, count) in enumerate(zip(batch, counts, strict=True)):
        request = order.request
        frames = blank_frames(count, int(request["height"]), int(request["width"]))
        walk = {**request, "count": count, "seed": order.seed}
        still = replace(order, task=WALKS[order.task], request=walk)
        stills = [replace(still, index=place, seed=order.seed + place) for place in range(count)]
        facts: dict[str, Any] = {"fps": int(request["fps"])}
        part = _Part(progress, number, tuple(steps))
        for frame, draft in zip(frames, draw(stills, part), strict=True):
            frame[:] = draft.arrays["pixels"]
            facts |= draft.facts
        yield Draft("video", order.index, order.seed, {"frames": frames}, facts)


@dataclass(frozen=True)
class _Part:
    """The progress of film `number` of those that take `steps`."""

    whole: Progress
    number: int
    steps: tuple[int, ...]

    def step(self, done: int, total: int, previews: Sequence[Preview | None] = ()) -> None:
        """See `studio.families.Progress`; a film's preview is that of its newest frame."""
        made = sum(self.steps[: self.number]) + self.steps[self.number] * done // total
        shown: list[Preview | None] = [None] * len(self.steps)
        shown[self.number] = next((one for one in reversed(previews) if one is not None), None)
        self.whole.step(made, sum(self.steps), shown)

    def text(self, order: int, delta: str) -> None:
        """Pictures say nothing."""

    def make_room(self) -> bool:
        """See `studio.families.Progress`."""
        return self.whole.make_room()
