"""What a third-party family can be tested with: the promises every family makes, as a test class.

    class TestMyFamily(FamilyContract):
        family = MyFamily()

        @pytest.fixture(scope="class")
        @classmethod
        def spec(cls, tmp_path_factory) -> Spec: ...    # a tiny model, built here

        def order(self, number: int) -> Order: ...      # order `number` of a batch

        def spoil(self, model: Model) -> None: ...      # fill a layer with NaN

Needs pytest; import it in tests only.
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import gc
import hashlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from studio.draft import Draft
from studio.errors import Cancelled, OutOfMemory, StudioError
from studio.families import Family, Model, Order, Spec
from studio.job import Preview
from studio.memory import Need, Room
from studio.memory.plan import demand, held


class Recorder:
    """A `Progress` that remembers what it was told, and raises `Cancelled` at step `stop_at`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.steps: list[tuple[int, int]] = []
        self.previews: list[Preview] = []
        self.texts: dict[int, str] = {}

    def step(self, done: int, total: int, previews: Sequence[Preview | None] = ()) -> None:
        """See `studio.families.Progress`."""
        self.steps.append((done, total))
        self.previews += [preview for preview in previews if preview is not None]
        if self.stop_at is not None and done >= self.stop_at:
            raise Cancelled

    def text(self, order: int, delta: str) -> None:
        """See `studio.families.Progress`."""
        self.texts[order] = self.texts.get(order, "") + delta

    def make_room(self) -> bool:
        """See `studio.families.Progress`; there is nothing to evict here."""
        return False


@dataclass
class Allocation:
    """A model of nothing but its size, in a `FakeDevice`."""

    device: FakeDevice
    placement: str
    on_device: int
    on_host: int

    def run(self, need: Need) -> None:
        """Take for a moment what a run takes; `OutOfMemory` if there is not as much."""
        device, host = demand(self.placement, need)
        self.device.take(device - self.on_device, host - self.on_host)
        self.device.give(device - self.on_device, host - self.on_host)

    def unload(self) -> None:
        """Free everything."""
        self.device.give(self.on_device, self.on_host)


@dataclass
class FakeDevice:
    """A graphics card of numbers: for tests of what is decided, and of what happens on a bad day.

    It stands in for no computation; a model on it is an `Allocation`.
    """

    #: Bytes.
    total: int
    #: Main memory beside it, in bytes.
    host: int
    #: Whether allocation number n on the device, from 1, fails although there is room.
    fail: Callable[[int], bool] = lambda _: False
    #: Bytes that are free and cannot be used, until `release`; asked for after every run.
    fragments: Callable[[], int] = lambda: 0
    #: Bytes per second; what a transfer would take is added to `seconds`.
    speed: float = 25e9
    #: What other programs use, in bytes; change it as they come and go.
    others: int = 0
    name: str = "cuda:0"
    used: int = field(default=0, init=False)
    host_used: int = field(default=0, init=False)
    lost: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    #: How many allocations failed by injection, and how many for want of room.
    failures: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    _allocations: int = field(default=0, init=False)

    def room(self) -> Room:
        """See `studio.memory.Device`."""
        return Room(
            self.total, self.total - self.others - self.used - self.lost, self.host - self.host_used
        )

    def release(self) -> None:
        """See `studio.memory.Device`."""
        self.lost = 0

    def load(self, need: Need, placement: str) -> Allocation:
        """A model that takes what it should; `OutOfMemory` if there is not as much."""
        parts = held(placement, need)
        device, host = sum(part.device for part in parts), sum(part.host for part in parts)
        self.take(device, host)
        self.seconds += device / self.speed
        return Allocation(self, placement, device, host)

    def take(self, device: int, host: int) -> None:
        """Allocate bytes on the device and in main memory."""
        self._allocations += device > 0
        if device > 0 and self.fail(self._allocations):
            self.failures += 1
            raise OutOfMemory("The device ran out of memory (injected).")
        room = self.room()
        if device > room.free or host > room.host_free:
            self.refused += 1
            raise OutOfMemory("The device ran out of memory.")
        self.used += device
        self.host_used += host

    def give(self, device: int, host: int) -> None:
        """Free bytes again; some of them may stay behind in fragments."""
        self.used -= device
        self.host_used -= host
        self.lost = min(self.fragments(), self.total - self.others - self.used)


class FamilyContract:
    """The promises of a family, checked on one small model on the processor."""

    family: ClassVar[Family]
    #: How far a draft made in a batch may be from the same draft made alone, in units of its
    #: arrays' own type. Kernels choose other summation orders for other batch sizes.
    tolerance: ClassVar[float] = 1.0

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls) -> Spec:
        """A small model. Override this."""
        raise NotImplementedError

    def order(self, number: int) -> Order:
        """Order `number`, each with its own seed; all of them fit into one batch. Override this."""
        raise NotImplementedError

    def spoil(self, model: Model) -> None:
        """Make the loaded model compute NaN. Override this."""
        raise NotImplementedError

    @pytest.fixture
    def model(self, spec: Spec) -> Iterator[Model]:
        """The model, loaded for one test."""
        model = self.family.load(spec, "cpu", "full")
        yield model
        model.unload()

    def test_the_same_order_gives_the_same_draft(self, model: Model) -> None:
        """And another seed another one."""
        first, again, other = (self._one(model, number) for number in (0, 0, 1))
        assert first.digest() == again.digest()
        assert first.digest() != other.digest()

    def test_a_batch_equals_its_orders_made_alone(self, model: Model) -> None:
        """Within the stated tolerance, in the batch's order, and with the right seeds."""
        orders = [self.order(number) for number in range(3)]
        together = list(model.generate(orders, Recorder()))
        assert [(draft.index, draft.seed) for draft in together] == [
            (order.index, order.seed) for order in orders
        ]
        for number, draft in enumerate(together):
            alone = self._one(model, number)
            assert draft.arrays.keys() == alone.arrays.keys()
            for name, array in draft.arrays.items():
                distance = np.abs(array.astype(float) - alone.arrays[name].astype(float)).max()
                assert distance <= self.tolerance, f"order {number}, {name}"

    def test_steps_are_told_up_to_the_last(self, model: Model) -> None:
        """Never backwards; previews are small, and are what they say."""
        progress = Recorder()
        list(model.generate([self.order(0), self.order(1)], progress))
        done = [done for done, _ in progress.steps]
        assert done == sorted(done)
        assert progress.steps[-1] == (progress.steps[0][1],) * 2
        for preview in progress.previews:
            assert max(preview.width, preview.height) <= 128
            assert len(preview.rgb) == preview.width * preview.height * 3

    def test_cancel_is_let_through_and_leaves_no_trace(self, model: Model) -> None:
        """What is made after a cancelled run is identical to what was made before."""
        before = self._one(model, 0)
        progress = Recorder(stop_at=1)
        with pytest.raises(Cancelled):
            list(model.generate([self.order(1)], progress))
        assert progress.steps[-1][0] == 1, "it went on after it was told to stop"
        assert self._one(model, 0).digest() == before.digest()

    def test_unload_frees_the_model(self, spec: Spec) -> None:
        """Nothing holds on to any of its parameters."""
        others = {id(one) for one in _parameters()}
        model = self.family.load(spec, "cpu", "full")
        self._one(model, 0)
        with pytest.raises(Cancelled):
            list(model.generate([self.order(0)], Recorder(stop_at=1)))
        ours = [weakref.ref(one) for one in _parameters() if id(one) not in others]
        assert ours
        model.unload()
        assert not [one for one in ours if one() is not None]

    def test_nothing_is_written(
        self, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither beside the weights nor where the process stands."""
        monkeypatch.chdir(tmp_path)
        before = _fingerprint(spec.folder)
        model = self.family.load(spec, "cpu", "full")
        self._one(model, 0)
        model.unload()
        assert _fingerprint(spec.folder) == before
        assert [path for path in tmp_path.iterdir() if path.name != "home"] == []

    def test_numbers_that_are_none_are_an_error(self, model: Model) -> None:
        """Never a black picture or silence."""
        self.spoil(model)
        with pytest.raises(StudioError):
            list(model.generate([self.order(0)], Recorder()))

    def _one(self, model: Model, number: int) -> Draft:
        (draft,) = model.generate([self.order(number)], Recorder())
        return draft


def _parameters() -> list[Any]:
    import torch

    gc.collect()
    # By type, not by isinstance: that would wake every lazy object there is.
    return [one for one in gc.get_objects() if issubclass(type(one), torch.nn.Parameter)]


def _fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
