"""How fast the models are on this machine: learned from every batch, and kept below the home.

A batch is worth its size only if an output in it takes less time than alone, and where that ends
depends on the model, the size of the request and the device. So nobody is asked for it: sizes 1,
2, 4 … are tried while enough equal work waits, and the one that proved fastest is used. The same
measurements say how long those in line have to wait.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.fields import fields_of
from studio.job import Job
from studio.learned import Learned
from studio.tasks import TASKS

#: How often a size is tried before it is judged, and once more after so many other batches.
_TRIALS = 2
_AGAIN = 256
#: A larger batch must make an output in less than this share of the time of the smaller one.
_WORTH = 0.97
#: Beyond a size that is slower by this factor, larger ones are not tried.
_HOPELESS = 1.1
#: How many of the latest batches a mean is made of.
_MEMORY = 8


@dataclass(frozen=True)
class Kind:
    """What tells how long an output takes: equal kinds take about equally long."""

    card: str
    task: str
    #: The request's numbers to within a fifth, and its choices: `width=18 height=18 steps=7`.
    size: str


@dataclass(frozen=True)
class Pace:
    """How long an output takes in batches of one size."""

    #: How many batches were measured.
    runs: int
    #: Seconds per output; infinite if the device could not hold such a batch.
    seconds: float


@dataclass(frozen=True)
class Speed:
    """What was measured of one kind of request on one device."""

    card: str
    task: str
    #: The numbers and choices of the latest such request: `width 512, height 512, steps 12`.
    request: str
    device: str
    batch: int
    #: Seconds per output.
    seconds: float
    #: How many batches were measured.
    runs: int


def kind_of(job: Job) -> Kind:
    """The kind of request that the job is."""
    return kind_for(job.card, job.task, job.request)


def kind_for(card: str, task: str, request: Mapping[str, Any]) -> Kind:
    """The kind of a request that is no job yet."""
    size = " ".join(f"{name}={_rounded(value)}" for name, value in _sizes(task, request))
    return Kind(card, task, size)


def batch_for(curve: Mapping[int, Pace], limit: int, alike: int) -> int:
    """How many outputs to make at once, where `alike` wait and the model takes up to `limit`.

    `curve` is what was measured, by size of batch. The answer is the knee of the curve, or the
    next size that is worth a trial; never one that was slower than a smaller one.
    """
    trials = _TRIALS + sum(pace.runs for pace in curve.values()) // _AGAIN
    knee, fastest = 1, math.inf
    for size in _steps(min(limit, alike), limit):
        pace = curve.get(size, Pace(0, 0.0))
        if pace.seconds < math.inf and pace.runs < trials:
            return size
        if pace.seconds > fastest * _HOPELESS:
            break
        if pace.seconds < fastest * _WORTH:
            knee, fastest = size, pace.seconds
    return knee


class Paces:
    """All that was measured, by kind and device. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Keep the measurements in the SQLite file at `path`."""
        self._lock = threading.Lock()
        self._curves: dict[tuple[Kind, str], dict[int, Pace]] = {}
        self._requests: dict[tuple[Kind, str], str] = {}
        self._file = Learned(
            path,
            "CREATE TABLE IF NOT EXISTS pace (card TEXT, task TEXT, size TEXT, device TEXT, "
            "batch INTEGER, runs INTEGER, seconds REAL, request TEXT, "
            "PRIMARY KEY (card, task, size, device, batch))",
        )
        for card, task, size, device, batch, runs, seconds, request in self._file.read(
            "SELECT * FROM pace"
        ):
            key = Kind(card, task, size), device
            self._curves.setdefault(key, {})[batch] = Pace(runs, seconds)
            self._requests[key] = request

    def batch(self, kind: Kind, device: str, limit: int, alike: int) -> int:
        """How many outputs of this kind to make at once; see `batch_for`."""
        return batch_for(self._curves.get((kind, device), {}), limit, alike)

    def seconds(self, kind: Kind, device: str, outputs: int) -> float | None:
        """How long so many outputs will take; None if nothing like them was measured."""
        curve = self._curves.get((kind, device), {})
        fastest = min((pace.seconds for pace in curve.values()), default=math.inf)
        return outputs * fastest if fastest < math.inf else None

    def anywhere(self, kind: Kind, outputs: int) -> float | None:
        """How long so many outputs will take where they are made fastest; None if unknown."""
        devices = {on for of, on in list(self._curves) if of == kind}
        times = [self.seconds(kind, device, outputs) for device in devices]
        return min((one for one in times if one is not None), default=None)

    def speeds(self, device: str) -> tuple[Speed, ...]:
        """What was measured on this device, by model."""
        return tuple(
            Speed(kind.card, kind.task, self._requests[kind, on], on, size, pace.seconds, pace.runs)
            for (kind, on), curve in sorted(self._curves.items(), key=lambda one: str(one[0]))
            for size, pace in sorted(curve.items())
            if on == device and pace.seconds < math.inf
        )

    def learn(self, job: Job, device: str, batch: int, seconds: float) -> None:
        """Remember that a batch of so many outputs like the job's took `seconds` in all.

        Infinite seconds say that the device could not hold it.
        """
        kind = kind_of(job)
        request = ", ".join(f"{name} {value}" for name, value in _sizes(job.task, job.request))
        with self._lock:
            curve = self._curves.setdefault((kind, device), {})
            before = curve.get(batch, Pace(0, 0.0))
            runs = before.runs + 1
            mean = before.seconds
            if mean < math.inf:
                mean += (seconds / batch - mean) / min(runs, _MEMORY)
            pace = curve[batch] = Pace(runs, mean)
            self._requests[kind, device] = request
            row = (kind.card, kind.task, kind.size, device, batch, runs, pace.seconds, request)
            self._file.write(("INSERT OR REPLACE INTO pace VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row))


def _sizes(task: str, request: Mapping[str, Any]) -> list[tuple[str, str | float | bool]]:
    """The numbers and choices of the request, by field; words, seed and count left out."""
    free = ("seed", "count", "exact")
    return [
        (spec.name, request[spec.name])
        for spec in fields_of(TASKS[task].request)
        if spec.type in ("integer", "number", "boolean", "choice")
        and spec.name not in free
        and request.get(spec.name) is not None
    ]


def _rounded(value: str | float | bool) -> str:
    """A number as its half octave, so that those within a fifth of each other are one."""
    if isinstance(value, str | bool):
        return str(value)
    return str(round(2 * math.copysign(math.log2(1 + abs(value)), value)))


def _steps(most: int, limit: int) -> list[int]:
    """1, 2, 4 … and `limit` itself, as far as `most`."""
    doubling = [2**power for power in range(max(1, limit).bit_length())]
    return [size for size in sorted({*doubling, limit}) if size <= max(1, most)]
