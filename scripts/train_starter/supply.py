"""Training data without end: scenes, captions and renders, made on the spot or by worker processes.

Without workers draw number n depends on the order's seed and on n alone. With workers, what they
deliver goes into a pool from which draws are random: the accelerator never waits for a renderer,
and a picture may be seen several times before newer ones push it out. What they deliver follows
from the order's seed and the number of the first draw, so that a training which goes on at a later
number is supplied with other pictures; only what has arrived at a draw depends on the machine.
"""

from __future__ import annotations

import multiprocessing
import queue
import random
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.queues import Queue
from types import TracebackType

import cv2
import numpy as np
from chance import chance, seed_of
from world import captions, layout
from world.drawing import Picture
from world.layout import Mixture
from world.render import render
from world.scene import Scene

Picked = tuple[list[Scene], list[str], np.ndarray]

_DELIVERY = 32
_WITHHELD = 1 / 12  # of all pairs of colour and thing
_FAR = 2**32  # between the deliveries of two starts: more than a training will ever wait for
_PATIENCE = 120.0  # seconds without a delivery after which the workers must be dead


@dataclass(frozen=True, slots=True)
class Order:
    """What to supply: pictures of which size, from which seed, how hard; `every_pair` for a judge,
    which has to know what the model that it measures was never shown.
    """

    size: int
    seed: int
    mixture: Mixture = layout.FULL
    every_pair: bool = False


def sayings(
    count: int, rng: random.Random, mixture: Mixture = layout.FULL, withheld: float = 0.0
) -> tuple[list[Scene], list[str]]:
    """Scenes and a caption of each; the share `withheld` of them is of withheld pairs only, the
    rest of none.
    """
    scenes = [
        layout.sample_scene(rng, mixture, withheld > 0 and rng.random() < withheld)
        for _ in range(count)
    ]
    return scenes, [captions.caption(scene, rng) for scene in scenes]


def make(order: Order, count: int, number: int = 0) -> Picked:
    """Draw `number` of an order: scenes, captions, and (count, size, size, 3) bytes."""
    withheld = _WITHHELD if order.every_pair else 0.0
    scenes, said = sayings(count, chance(order.seed, number), order.mixture, withheld)
    pictures: list[Picture] = [render(scene, order.size) for scene in scenes]
    return scenes, said, np.stack(pictures)


def _work(order: Order, first: int, stride: int, out: Queue[Picked]) -> None:
    cv2.setNumThreads(1)
    number = first
    while True:
        out.put(make(order, _DELIVERY, number))
        number += stride


class Supply:
    """Draws of training data; a context manager, so that its workers end with it. They begin with
    the first draw.
    """

    def __init__(
        self, order: Order, workers: int = 0, capacity: int = 0, least: int = 4096
    ) -> None:
        self._order = order
        self._workers = workers
        self._least = min(least, capacity)
        self._capacity = capacity
        self._scenes: list[Scene] = []
        self._captions: list[str] = []
        self._pictures = np.empty((capacity if workers else 0, order.size, order.size, 3), np.uint8)
        self._end = 0
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._queue: Queue[Picked] | None = None

    def draw(self, count: int, number: int) -> Picked:
        """Draw `number`: `count` scenes, captions, and (count, size, size, 3) bytes.

        Raises:
            RuntimeError: if the workers have stopped.
        """
        if not self._workers:
            return make(self._order, count, number)
        if self._queue is None:
            self._queue = self._start(number)
        self._receive(self._queue)
        rng = np.random.default_rng(seed_of(self._order.seed, number))
        chosen = rng.integers(0, len(self._scenes), count)
        return (
            [self._scenes[number] for number in chosen],
            [self._captions[number] for number in chosen],
            self._pictures[chosen],
        )

    def _start(self, number: int) -> Queue[Picked]:
        """The workers' deliveries, of a supply whose first draw has this number."""
        context = multiprocessing.get_context("spawn")
        deliveries: Queue[Picked] = context.Queue(maxsize=4 * self._workers)
        for worker in range(self._workers):
            arguments = (self._order, number * _FAR + worker, self._workers, deliveries)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            self._processes.append(process)
        return deliveries

    def _receive(self, deliveries: Queue[Picked]) -> None:
        """Take what has been delivered; wait only while the pool is too small to draw from."""
        taken = 0
        while (short := len(self._scenes) < self._least) or taken < 8 * self._workers:
            try:
                picked = deliveries.get(timeout=_PATIENCE) if short else deliveries.get_nowait()
            except queue.Empty:
                if short:
                    raise RuntimeError(
                        "the workers that render training data have stopped"
                    ) from None
                return
            self._put(picked)
            taken += 1

    def _put(self, picked: Picked) -> None:
        for scene, caption, picture in zip(*picked, strict=True):
            if len(self._scenes) < self._capacity:
                self._scenes.append(scene)
                self._captions.append(caption)
            else:
                self._scenes[self._end], self._captions[self._end] = scene, caption
            self._pictures[self._end] = picture
            self._end = (self._end + 1) % self._capacity

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
