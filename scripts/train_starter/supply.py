"""Training data without end: scenes, captions and renders, made by worker processes or on the spot.

Item number n of a supply depends on the supply's seed and on n alone when there are no workers;
with workers the order in which they finish is theirs, and only the set of seeds is fixed.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from types import TracebackType

import cv2
import numpy as np
from world import captions, layout
from world.drawing import Picture
from world.layout import Mixture
from world.render import render
from world.scene import Scene, holds_out

Picked = tuple[list[Scene], list[str], np.ndarray]


@dataclass(frozen=True, slots=True)
class Order:
    """What to supply: how large, how hard, how many at once, from which seed."""

    size: int
    batch: int
    seed: int
    mixture: Mixture = layout.FULL


def make(order: Order, number: int) -> Picked:
    """Batch `number` of an order: scenes, captions, and (batch, size, size, 3) bytes."""
    rng = random.Random(order.seed * 1_000_003 + number)
    scenes: list[Scene] = []
    while len(scenes) < order.batch:
        scene = layout.sample_scene(rng, order.mixture)
        if not holds_out(scene):
            scenes.append(scene)
    pictures: list[Picture] = [render(scene, order.size) for scene in scenes]
    return scenes, [captions.caption(scene, rng) for scene in scenes], np.stack(pictures)


def _work(order: Order, first: int, stride: int, out: Queue[Picked]) -> None:
    cv2.setNumThreads(1)
    number = first
    while True:
        out.put(make(order, number))
        number += stride


class Supply:
    """An endless iterator of batches; a context manager, so that its workers end with it."""

    def __init__(self, order: Order, workers: int, start: int = 0) -> None:
        self._order = order
        self._next = start
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._queue: Queue[Picked] | None = None
        if workers:
            context = multiprocessing.get_context("spawn")
            self._queue = context.Queue(maxsize=4 * workers)
            for worker in range(workers):
                arguments = (order, start + worker, workers, self._queue)
                process = context.Process(target=_work, args=arguments, daemon=True)
                process.start()
                self._processes.append(process)

    def __iter__(self) -> Iterator[Picked]:
        return self

    def __next__(self) -> Picked:
        if self._queue is not None:
            return self._queue.get()
        self._next += 1
        return make(self._order, self._next - 1)

    def __enter__(self) -> Supply:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


SupplyOf = Callable[[Order], Supply]
