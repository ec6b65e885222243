"""The models in memory: who stays, who goes, and what is remembered of running out."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from studio.errors import Cancelled, OutOfMemory
from studio.memory import Need, Part, Residency, Stage
from studio.testing import Allocation, FakeDevice

GB = 1_000_000_000


def need(name: str, weights: int = 3 * GB, working: int = 0) -> Need:
    part = Part(name, weights, weights // 10, weights // 2)
    return Need(name, (part,), (Stage("denoise", (name,), working),))


class Bench:
    """A device of 10 GB, models that really take their bytes of it, and a residency between."""

    def __init__(self, device: FakeDevice | None = None) -> None:
        self.device = device or FakeDevice(total=10 * GB, host=20 * GB)
        self.residency: Residency[Allocation] = Residency(self.device, self.clock)
        self.loads: list[str] = []
        self.ticks = 0.0

    def clock(self) -> float:
        self.ticks += 1
        return self.ticks

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(resident.name for resident in self.residency.residents)

    def use(
        self, wanted: Need, revision: str = "1", then: Callable[[], None] = lambda: None
    ) -> None:
        def load(placement: str) -> Allocation:
            self.loads.append(f"{wanted.name} {placement}")
            return self.device.load(wanted, placement)

        with self.residency.lease(wanted, revision, load) as model:
            model.run(wanted)
            then()

    def make(self, wanted: Need) -> None:
        """As the child does it: what runs out of memory is tried again with less."""
        attempt: Need | None = wanted
        failure = OutOfMemory()
        while attempt is not None:
            try:
                self.use(attempt)
                return
            except OutOfMemory as error:
                failure = OutOfMemory(error.message)
            if not self.residency.make_room(wanted.name):
                attempt = self.residency.slower(attempt)
        raise failure


def test_what_fits_is_kept_and_what_was_used_longest_ago_goes() -> None:
    bench = Bench()
    for name in ("a", "b", "c", "a"):
        bench.use(need(name))
    assert bench.loads == ["a full", "b full", "c full"]
    bench.use(need("d"))
    assert set(bench.names) == {"a", "c", "d"}
    (eviction,) = bench.residency.evictions
    assert (eviction.name, eviction.why) == ("b", "made room for d")
    assert eviction.device_bytes == 3 * GB


def test_another_revision_is_loaded_anew() -> None:
    bench = Bench()
    bench.use(need("a"), "1")
    bench.use(need("a"), "2")
    assert bench.loads == ["a full", "a full"]
    assert [eviction.why for eviction in bench.residency.evictions] == ["other weights"]


def test_a_model_in_use_is_not_evicted_for_another() -> None:
    bench = Bench()
    bench.use(need("a"))
    bench.use(need("b"))

    def others() -> None:
        bench.use(need("c"))
        bench.use(need("d"))
        bench.residency.make_room("e")

    bench.use(need("a"), then=others)
    assert "a" in bench.names


def test_a_cancelled_model_stays_and_one_that_failed_unforeseen_goes() -> None:
    bench = Bench()

    def cancel() -> None:
        raise Cancelled

    def fail() -> None:
        raise RuntimeError

    with pytest.raises(Cancelled):
        bench.use(need("a"), then=cancel)
    assert bench.names == ("a",)
    with pytest.raises(RuntimeError):
        bench.use(need("a"), then=fail)
    assert bench.names == ()


def test_a_larger_request_on_a_model_that_is_here_makes_room_or_moves_it() -> None:
    bench = Bench()
    bench.use(need("a"))
    bench.use(need("b"))
    bench.use(need("a", working=6 * GB))
    assert bench.names == ("a",)
    assert bench.loads == ["a full", "b full"]
    bench.use(need("a", working=8 * GB))
    assert bench.loads[2:] == ["a group-offload"]


def test_what_was_learned_by_running_out_is_remembered_for_that_shape() -> None:
    device = FakeDevice(total=10 * GB, host=20 * GB, fail=lambda number: number == 1)
    bench = Bench(device)
    bench.make(need("a", working=GB))
    assert bench.loads == ["a full", "a model-offload"]
    bench.make(need("b"))
    bench.make(need("a", working=GB))
    assert bench.loads == ["a full", "a model-offload", "b full"]
    bench.make(need("a", working=2 * GB))
    assert bench.loads[3:] == [], "a model that is here and fits stays where it is"


def test_the_ladder_ends_on_the_processor_and_where_that_is_too_small_with_numbers() -> None:
    bench = Bench(FakeDevice(total=10 * GB, host=20 * GB, fail=lambda _: True))
    bench.make(need("a"))
    placements = ["a full", "a model-offload", "a group-offload", "a cpu"]
    assert bench.loads == placements
    bench = Bench(FakeDevice(total=10 * GB, host=3 * GB, fail=lambda _: True))
    with pytest.raises(OutOfMemory, match=r"a needs 3\.3 GB of main memory, and 3\.0 GB"):
        bench.make(need("a"))
    assert bench.loads == ["a full"]
    assert bench.names == ()


@pytest.mark.parametrize("seed", range(3))
def test_two_thousand_steps_with_faults_and_nothing_that_fits_fails(seed: int) -> None:
    draw = random.Random(seed)
    faults = random.Random(seed + 100)
    device = FakeDevice(
        total=24 * GB,
        host=64 * GB,
        fail=lambda _: faults.random() < 0.03,
        fragments=lambda: int(faults.random() * 2 * GB),
    )
    bench = Bench(device)
    models = [need(f"m{n}", draw.randint(1, 20) * GB) for n in range(12)]
    for _ in range(2000):
        # Other programs come and go; they can only take what is free.
        device.others = min(draw.choice([0, 0, 0, 4 * GB, 10 * GB]), device.total - device.used)
        device.lost = min(device.lost, device.total - device.used - device.others)
        wanted = draw.choice(models)
        bench.make(need(wanted.name, wanted.weights, draw.randint(0, 6) * GB))
        assert device.used + device.others <= device.total
        assert device.host_used <= device.host
    assert device.failures > 20, "the faults were not there"
    assert any(load.endswith("model-offload") for load in bench.loads)


def test_two_thousand_steps_on_a_good_day_never_run_out() -> None:
    draw = random.Random(0)
    bench = Bench(FakeDevice(total=24 * GB, host=64 * GB))
    models = [need(f"m{n}", draw.randint(1, 20) * GB) for n in range(12)]
    for _ in range(2000):
        wanted = draw.choice(models)
        bench.use(need(wanted.name, wanted.weights, draw.randint(0, 6) * GB))
    assert bench.device.refused == 0
    assert len(bench.loads) < 2000
