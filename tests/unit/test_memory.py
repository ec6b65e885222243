"""What is resident is decided by numbers alone: never too much, never the busy, always the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import Cancelled, OutOfMemory
from studio.memory import LADDER, SLACK, Need, Plan, Residency, Resident, Room, plan

GB = 1_000_000_000
sizes = st.integers(0, 40 * GB)
needs = st.builds(Need, st.just("wanted"), weights=sizes, working=sizes)
residents = st.lists(
    st.builds(
        Resident,
        st.text("abcdef", min_size=1, max_size=3),
        device=sizes,
        host=sizes,
        used=st.integers(0, 5).map(float),
        busy=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda resident: resident.name,
)
rooms = st.builds(Room, total=st.just(80 * GB), free=sizes, host_free=sizes, shared=st.booleans())


@given(needs, rooms, residents)
def test_a_plan_never_exceeds_what_there_is(need: Need, room: Room, there: list[Resident]) -> None:
    try:
        decided = plan(need, room, there)
    except OutOfMemory:
        idle = [resident for resident in there if not resident.busy]
        assert not any(fits(rung.name, need, room, idle) for rung in LADDER)
        return
    victims = [resident for resident in there if resident.name in decided.evict]
    assert not any(victim.busy for victim in victims)
    assert fits(decided.placement, need, room, victims)
    for spared in victims:
        fewer = [victim for victim in victims if victim is not spared]
        assert not fits(decided.placement, need, room, fewer), "evicted without need"


def fits(placement: str, need: Need, room: Room, victims: list[Resident]) -> bool:
    """The rule, written down a second time and otherwise."""
    shares = {"full": (1, 0), "model-offload": (0.75, 1), "group-offload": (0.1, 1)}
    device, host = shares[placement]
    device_wants = int(need.weights * device) + need.working + SLACK
    device_has = room.free + sum(victim.device for victim in victims)
    host_has = room.host_free + sum(victim.host for victim in victims)
    if room.shared:
        total = room.free + sum(victim.device + victim.host for victim in victims)
        return placement == "full" and device_wants <= total
    return device_wants <= device_has and (not host or need.weights + SLACK <= host_has)


@given(needs, rooms, residents, st.randoms())
def test_equal_input_gives_an_equal_plan(
    need: Need, room: Room, there: list[Resident], random: object
) -> None:
    mixed = list(there)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert outcome(need, room, there) == outcome(need, room, mixed)


def outcome(need: Need, room: Room, there: list[Resident]) -> Plan | str:
    try:
        return plan(need, room, there)
    except OutOfMemory as error:
        return str(error)


@pytest.mark.parametrize(
    ("free", "host_free", "expected"),
    [
        (12, 1, Plan("full", ())),
        (9, 9, Plan("full", ("old",))),
        (7, 9, Plan("full", ("old", "new"))),
        (6, 9, Plan("model-offload", ("old",))),
        (1, 9, Plan("group-offload", ("old",))),
    ],
)
def test_the_fastest_placement_and_the_oldest_victims(
    free: int, host_free: int, expected: Plan
) -> None:
    there = [
        Resident("new", GB, 0, used=2),
        Resident("old", 2 * GB, 0, used=1),
        Resident("busy", 9 * GB, 0, used=0, busy=True),
    ]
    need = Need("wanted", weights=8 * GB, working=GB)
    room = Room(24 * GB, free * GB, host_free * GB)
    assert plan(need, room, there) == expected


def test_what_cannot_fit_is_said_in_numbers() -> None:
    with pytest.raises(OutOfMemory, match=r"needs 10\.3 GB .* at most 4\.0 GB of 8\.0 GB"):
        plan(Need("giant", 9 * GB, GB), Room(8 * GB, 4 * GB, 4 * GB, shared=True), [])
    with pytest.raises(OutOfMemory, match=r"10\.3 GB of main memory beside"):
        plan(Need("giant", 10 * GB, GB), Room(8 * GB, 8 * GB, 4 * GB), [])


@dataclass
class Loaded:
    """A model that says when it is gone."""

    name: str
    gone: list[str]

    def unload(self) -> None:
        self.gone.append(self.name)


@dataclass
class Bench:
    """A device of 10 GB whose free memory follows from what is loaded."""

    gone: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    ticks: float = 0

    def __post_init__(self) -> None:
        self.residency: Residency[Loaded] = Residency(self.room, self.clock)

    def room(self) -> Room:
        free = 10 * GB - sum(3 * GB for _ in self.residency.names)
        return Room(10 * GB, free, 0)

    def clock(self) -> float:
        self.ticks += 1
        return self.ticks

    def use(self, name: str, revision: str = "1", then: Callable[[], None] = lambda: None) -> None:
        def load(placement: str) -> Loaded:
            self.loads.append(f"{name} {placement}")
            return Loaded(name, self.gone)

        with self.residency.lease(Need(name, 3 * GB, 0), revision, load):
            then()


def test_residency_keeps_what_fits_and_evicts_what_was_used_longest_ago() -> None:
    bench = Bench()
    for name in ("a", "b", "c", "a"):
        bench.use(name)
    assert bench.loads == ["a full", "b full", "c full"]
    bench.use("d")
    assert bench.gone == ["b"]
    assert set(bench.residency.names) == {"a", "c", "d"}


def test_another_revision_is_loaded_anew() -> None:
    bench = Bench()
    bench.use("a", "1")
    bench.use("a", "2")
    assert bench.gone == ["a"]
    assert bench.loads == ["a full", "a full"]


def test_a_model_in_use_is_not_evicted_for_another() -> None:
    bench = Bench()
    bench.use("a")
    bench.use("b")

    def others() -> None:
        bench.use("c")
        bench.use("d")

    bench.use("a", then=others)
    assert "a" not in bench.gone


def test_a_cancelled_model_stays_and_one_that_failed_unforeseen_goes() -> None:
    bench = Bench()

    def cancel() -> None:
        raise Cancelled

    def fail() -> None:
        raise RuntimeError

    with pytest.raises(Cancelled):
        bench.use("a", then=cancel)
    assert bench.residency.names == ("a",)
    with pytest.raises(RuntimeError):
        bench.use("a", then=fail)
    assert bench.residency.names == ()
    assert bench.gone == ["a"]
