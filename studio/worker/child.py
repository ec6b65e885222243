"""The device child: owns one device, holds the models, makes drafts; may be killed at any time.

Started by `studio.worker.supervisor` as `python -m studio.worker.child`. One thread, the main one,
touches torch, so nothing here needs a lock against it. A second thread listens for what to do and
what to stop, a third says every moment that this process is alive and how far it is.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from studio.draft import Draft
from studio.errors import Broken, Cancelled, ErrorRecord, OutOfMemory, StudioError
from studio.families import Family, Foreseeing, Model, Order, find_family
from studio.job import Event, Loading, Preview, Step, TextDelta
from studio.memory import ENOUGH, Need, Residency
from studio.worker.cage import confine
from studio.worker.pipe import (
    Beat,
    Began,
    Failed,
    Finished,
    FromChild,
    Memory,
    Ready,
    Run,
    Spooled,
    Stop,
    Told,
    for_child,
    to_line,
)

if TYPE_CHECKING:
    from studio.worker.device import Device

#: Placements in which what a run takes beside its weights can be told from the weights.
_MEASURED = ("full", "quantised")

_LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "numpy")


class Child:
    """One device and what runs on it."""

    def __init__(self, connection: socket.socket, beat: float) -> None:
        self._connection = connection
        self._beat = beat
        self._sending = threading.Lock()
        self._runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
        #: Jobs that nobody wants any more, by batch.
        self._stopped: set[tuple[int, str]] = set()
        self._progress = 0
        #: When the model that is at work began.
        self._began = 0.0
        #: The families in use; models of one may share components.
        self._families: dict[str, Family] = {}
        #: What families foresaw, by model and the numbers of the request.
        self._foreseen: dict[tuple[object, ...], int | None] = {}
        #: What the run that is at work, or was last, took beside its weights; 0 if unknown.
        self._peak = 0

    def serve(self, device_name: str, network: Literal["namespace", "refusal"]) -> None:
        """Make what comes in, one batch at a time, for ever."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._pulse, daemon=True).start()
        # Late, since it imports torch: the host wants to hear this process's pulse meanwhile.
        from studio.worker.device import open_device

        try:
            device = open_device(device_name)
        except StudioError as error:
            self.send(Failed(None, error.record(), fatal=True))
            return
        residency: Residency[Model] = Residency(device)
        versions = {name: found for name in _LIBRARIES if (found := _version(name))}
        versions |= {"studio": version("colophon"), "device": device.title}
        self.send(Ready(device.name, versions, network, _memory(device, residency)))
        while True:
            self._run(self._runs.get(), device, residency)

    def send(self, message: FromChild) -> None:
        """Say something to the host; whole lines, whichever thread says it."""
        with self._sending:
            self._connection.sendall(to_line(message))

    def moved(self) -> None:
        """Note a sign of progress."""
        self._progress += 1

    def wanted(self, run: Run, job: str) -> bool:
        """Whether somebody still wants this job's orders."""
        return (run.batch, job) not in self._stopped

    def _listen(self) -> None:
        with suppress(OSError), self._connection.makefile("rb") as lines:
            for line in lines:
                match for_child(line):
                    case Run() as run:
                        self._runs.put(run)
                    case Stop(batch=batch, job=job):
                        self._stopped.add((batch, job))
        # The host has closed its end, or is gone. Whatever the main thread does is for nobody.
        os._exit(0)

    def _pulse(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._beat):
            try:
                self.send(Beat(self._progress))
            except OSError:
                os._exit(0)

    def _run(self, run: Run, device: Device, residency: Residency[Model]) -> None:
        self.send(Began(run.batch))
        failure: ErrorRecord | None = None
        fatal, fallen = False, ""
        try:
            fallen = self._make(run, device, residency)
        except StudioError as error:
            failure = error.record()
        except Exception:
            broken = Broken()
            logging.exception("incident %s", broken.incident)
            failure = broken.record()
            fatal = not device.healthy()
        # Outside the handlers: a live traceback would keep the failed run's tensors in memory.
        memory = _memory(device, residency)
        if failure is None:
            self.send(Finished(run.batch, memory, self._peak, fallen))
        else:
            self.send(Failed(run.batch, failure, memory, fatal))
        self._stopped = {entry for entry in self._stopped if entry[0] > run.batch}

    def _make(self, run: Run, device: Device, residency: Residency[Model]) -> str:
        """The slower placement in which it was made in the end; empty unless memory ran out."""
        made = itertools.count()
        need: Need | None = self._need(run, device)
        rest, failure, fallen = run.orders, OutOfMemory(), ""
        while need is not None:
            try:
                for order, draft in self._drafts(run, need, rest, device, residency):
                    number = next(made)
                    rest = rest[1:]
                    if self.wanted(run, order.job):
                        draft.spool(run.spool / f"{number:05d}")
                        self.send(Spooled(run.batch, number, time.monotonic() - self._began))
                return fallen
            except OutOfMemory as error:
                failure = OutOfMemory(error.message, hint=error.hint)
            # Out here no traceback keeps the failed run's tensors in memory. What is spooled stays.
            if residency.make_room(need.name):
                # The model may stay where it is; still, whoever begins anew writes anew.
                again = _Progress(self, replace(run, orders=rest), residency)
                for job in again.jobs:
                    again.tell(job, Loading(run.spec.name))
            else:
                need = residency.slower(need)
                fallen = need.fastest if need is not None else ""
        raise failure

    def _need(self, run: Run, device: Device) -> Need:
        """What the run needs; where nothing like it was measured, as its family foresees it."""
        family = self._family(run.family)
        need = replace(run.need, offloads=getattr(family, "offloads", run.need.offloads))
        if need.measured or not run.orders or not isinstance(family, Foreseeing):
            return need
        first = run.orders[0]
        numbers = tuple(
            (name, value)
            for name, value in sorted(first.request.items())
            if isinstance(value, int | float) and name != "seed"
        )
        key = (run.spec.name, run.revision, first.task, len(run.orders), numbers)
        if key not in self._foreseen:
            self._foreseen[key] = family.forecast(run.spec, run.orders, device.name)
        return need.expecting(self._foreseen[key] or need.working)

    def _family(self, name: str) -> Family:
        if name not in self._families:
            self._families[name] = find_family(name)
        return self._families[name]

    def _drafts(
        self,
        run: Run,
        need: Need,
        orders: tuple[Order, ...],
        device: Device,
        residency: Residency[Model],
    ) -> Iterator[tuple[Order, Draft]]:
        """Each of `orders` with its draft, from the model in the placement that fits `need`."""
        progress = _Progress(self, replace(run, orders=orders), residency)
        progress.check()
        self._peak = 0

        def load(placement: str) -> Model:
            for job in progress.jobs:
                progress.tell(job, Loading(run.spec.name))
            model = self._family(run.family).load(run.spec, device.name, placement)
            self.moved()
            return model

        with residency.lease(need, run.revision, load) as model:
            if not orders:
                return
            progress.check()
            telling = residency.placement(need.name) in _MEASURED and need.measured < ENOUGH
            gauge = device.gauge() if telling else None
            self._began = time.monotonic()
            for order, draft in zip(orders, model.generate(orders, progress), strict=True):
                self.moved()
                yield order, draft
                progress.check()
            if gauge is not None and orders == run.orders:
                self._peak = gauge.peak()


class _Progress:
    """What a running batch tells; see `studio.families.Progress`."""

    def __init__(self, child: Child, run: Run, residency: Residency[Model]) -> None:
        self._child = child
        self._run = run
        self._residency = residency
        #: The batch's jobs, each with its orders' places in the batch.
        self.jobs: dict[str, list[int]] = {}
        for number, order in enumerate(run.orders):
            self.jobs.setdefault(order.job, []).append(number)

    def check(self) -> None:
        """Raise `Cancelled` if nobody wants any of the batch."""
        if self.jobs and not any(self._child.wanted(self._run, job) for job in self.jobs):
            raise Cancelled

    def tell(self, job: str, event: Event) -> None:
        """Send `event` to the watchers of `job`, if it still has any."""
        if self._child.wanted(self._run, job):
            self._child.send(Told(self._run.batch, job, event))

    def step(self, done: int, total: int, previews: Sequence[Preview | None] = ()) -> None:
        """One `Step` for every order that has a preview, and at least one for every job."""
        self._child.moved()
        self.check()
        orders = self._run.orders
        for job, numbers in self.jobs.items():
            shown = [n for n in numbers if n < len(previews) and previews[n] is not None]
            for number in shown or numbers[:1]:
                preview = previews[number] if shown else None
                self.tell(job, Step(done, total, orders[number].index, preview))

    def text(self, order: int, delta: str) -> None:
        """More of the text of order number `order`."""
        self._child.moved()
        self.check()
        whose = self._run.orders[order]
        self.tell(whose.job, TextDelta(delta, whose.index))

    def make_room(self) -> bool:
        """Evict every other model; whether there was one."""
        return self._residency.make_room(self._run.spec.name)


def _memory(device: Device, residency: Residency[Model]) -> Memory:
    room = device.room()
    # What is still idle after this lies in fragments.
    if device.idle() > room.free / 4:
        device.release()
    return Memory(
        room.total,
        room.free,
        psutil.Process().memory_info().rss,
        residency.residents,
        tuple(residency.evictions),
        device.idle(),
        time.monotonic(),
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main(handle: str, parent: str, device: str, beat: str) -> None:
    """Serve the socket with file descriptor `handle`, for the process `parent`."""
    network = confine(int(parent), Path.cwd())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    Child(socket.socket(fileno=int(handle)), float(beat)).serve(device, network)


if __name__ == "__main__":
    main(*sys.argv[1:])
