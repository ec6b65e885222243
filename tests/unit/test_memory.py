"""What is resident is decided by numbers alone: never too much, never the busy, always the same."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.cards import Card
from studio.errors import OutOfMemory
from studio.memory import (
    COMMON,
    LADDER,
    SLACK,
    Held,
    Need,
    Part,
    Plan,
    Resident,
    Room,
    Stage,
    fit,
    nearest,
    need_of,
    plan,
    room_of,
)
from studio.memory.plan import demand

GB = 1_000_000_000
sizes = st.integers(0, 20 * GB)
#: Weights of one key are of one size, wherever they are.
WEIGHTS = {"a": GB, "b": 4 * GB, "c": 7 * GB, "d": 12 * GB}
parts = st.sampled_from([Part(k, size, size // 10, size // 2) for k, size in WEIGHTS.items()])
helds = st.sampled_from(
    [Held(key, device, size - device) for key, size in WEIGHTS.items() for device in (0, size)]
)


@st.composite
def needs(draw: st.DrawFn) -> Need:
    mine = draw(st.lists(parts, max_size=3, unique_by=lambda part: part.key))
    names = [part.key for part in mine]
    some = st.lists(st.sampled_from(names), unique=True).map(tuple) if names else st.just(())
    stages = draw(st.lists(st.builds(Stage, st.just("denoise"), some, sizes), max_size=3))
    fastest = draw(st.sampled_from(LADDER))
    return Need("wanted", tuple(mine), tuple(stages), fastest, draw(st.booleans()))


residents = st.lists(
    st.builds(
        Resident,
        st.text("uvwxyz", min_size=1, max_size=3),
        st.just("full"),
        st.lists(helds, max_size=3, unique_by=lambda part: part.key).map(tuple),
        used=st.integers(0, 5).map(float),
        busy=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda resident: resident.name,
)
rooms = st.builds(Room, total=st.just(80 * GB), free=sizes, host_free=sizes, shared=st.booleans())


def fits(
    placement: str, need: Need, room: Room, kept: list[Resident], gone: list[Resident]
) -> bool:
    """The rule, written down a second time and otherwise: what will lie there against what may."""
    here = {(p.key, "d"): p.device for r in kept for p in r.parts if p.device}
    here |= {(p.key, "h"): p.host for r in kept for p in r.parts if p.host}
    freed = {(p.key, "d"): p.device for r in gone for p in r.parts if p.device}
    freed |= {(p.key, "h"): p.host for r in gone for p in r.parts if p.host}
    freed = {key: size for key, size in freed.items() if key not in here}
    sizes_of = {part.key: part for part in need.parts}
    most = max((stage.working for stage in need.stages), default=0)
    weights = sum(p.weights for p in need.parts)

    device = host = 0
    uses_device, uses_host = (size > 0 for size in demand(placement, need))
    match placement:
        case "full":
            missing = [p.weights for p in need.parts if (p.key, "d") not in here]
            device = sum(missing) + most
        case "quantised":
            device = sum(p.quantised for p in need.parts) + most
        case "model-offload":
            device = max(
                (sum(sizes_of[k].weights for k in s.parts) + s.working for s in need.stages),
                default=0,
            )
            host = weights
        case "group-offload":
            device = max(
                (sum(2 * sizes_of[k].block for k in s.parts) + s.working for s in need.stages),
                default=0,
            )
            host = weights
        case "cpu":
            host = weights + most
    on_device = sum(size for (_, where), size in freed.items() if where == "d")
    on_host = sum(size for (_, where), size in freed.items() if where == "h")
    if room.shared:
        return device + SLACK * uses_device <= room.free + on_device + on_host
    return device + SLACK * uses_device <= room.free + on_device and (
        not uses_host or host + SLACK <= room.host_free + on_host
    )


def allowed(need: Need, room: Room) -> list[str]:
    if room.shared:
        return ["full"]
    names = LADDER[LADDER.index(need.fastest) :]
    return [name for name in names if name != "quantised" or need.quantisable]


@given(needs(), rooms, residents)
def test_a_plan_fits_spares_the_busy_and_evicts_nobody_in_vain(
    need: Need, room: Room, there: list[Resident]
) -> None:
    try:
        decided = plan(need, room, there)
    except OutOfMemory:
        return
    gone = [resident for resident in there if resident.name in decided.evict]
    kept = [resident for resident in there if resident.name not in decided.evict]
    assert not any(victim.busy for victim in gone)
    assert decided.placement in allowed(need, room)
    assert fits(decided.placement, need, room, kept, gone)
    for spared in gone:
        fewer = [victim for victim in gone if victim is not spared]
        assert not fits(decided.placement, need, room, [*kept, spared], fewer), "evicted in vain"


@given(needs(), rooms, residents)
def test_what_fits_after_any_eviction_is_never_refused(
    need: Need, room: Room, there: list[Resident]
) -> None:
    idle = [resident for resident in there if not resident.busy]
    choices = chain.from_iterable(combinations(idle, n) for n in range(len(idle) + 1))
    possible = any(
        fits(name, need, room, [r for r in there if r not in gone], list(gone))
        for gone in choices
        for name in allowed(need, room)
    )
    try:
        plan(need, room, there)
    except OutOfMemory:
        assert not possible
    else:
        assert possible


@given(needs(), rooms, residents, st.randoms())
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


def model(weights: int, working: int, name: str = "wanted", **more: bool) -> Need:
    """A text encoder of a quarter, a denoiser of three quarters; blocks of a tenth."""
    small, large = weights // 4, weights * 3 // 4
    both = (
        Part(f"{name}/encode", small, weights // 20, small),
        Part(f"{name}/denoise", large, weights // 20, large // 2),
    )
    stages = tuple(Stage(part.key.split("/")[1], (part.key,), working) for part in both)
    return Need(name, both, stages, **more)


@pytest.mark.parametrize(
    ("free", "host_free", "expected"),
    [
        (12, 1, Plan("full", ())),
        (9, 9, Plan("full", ("old",))),
        (7, 9, Plan("full", ("old", "new"))),
        (6, 9, Plan("model-offload", ("old",))),
        (1, 9, Plan("group-offload", ("old",))),
        (0, 9, Plan("group-offload", ("old", "new"))),
    ],
)
def test_the_fastest_placement_and_the_oldest_victims(
    free: int, host_free: int, expected: Plan
) -> None:
    there = [
        Resident("new", "full", (Held("n", GB, 0),), used=2),
        Resident("old", "full", (Held("o", 2 * GB, 0),), used=1),
        Resident("busy", "full", (Held("b", 9 * GB, 0),), used=0, busy=True),
    ]
    room = Room(24 * GB, free * GB, host_free * GB)
    assert plan(model(8 * GB, GB), room, there) == expected


def test_a_part_that_another_model_has_is_neither_counted_nor_freed_twice() -> None:
    need = model(8 * GB, GB, "base")
    twin = Resident("twin", "full", (Held("base/denoise", 6 * GB, 0),), used=0)
    assert plan(need, Room(24 * GB, 4 * GB, 0), [twin]) == Plan("full", ())
    with pytest.raises(OutOfMemory):
        plan(need, Room(24 * GB, 3 * GB, 0), [twin])


def test_weights_are_stored_in_8_bits_only_where_that_is_allowed() -> None:
    room = Room(8 * GB, 8 * GB, 2 * GB)
    assert plan(model(10 * GB, GB, quantisable=True), room, []).placement == "quantised"
    with pytest.raises(OutOfMemory):
        plan(model(10 * GB, GB), room, [])


def test_what_cannot_fit_is_said_in_numbers() -> None:
    with pytest.raises(OutOfMemory, match=r"needs 10\.3 GB of main .* at most 4\.0 GB of 8\.0 GB"):
        plan(model(9 * GB, GB, "giant"), Room(8 * GB, 4 * GB, 4 * GB, shared=True), [])
    with pytest.raises(OutOfMemory, match=r"11\.3 GB of main memory, and 4\.0 GB can be had"):
        plan(model(10 * GB, GB, "giant"), Room(8 * GB, 1 * GB, 4 * GB), [])


def card(weights: int, working: int, dtype: str = "float16") -> Card:
    return Card.parse(
        "example",
        f"""---
license: apache-2.0
studio:
  title: Example
  family: diffusers
  tasks: [text-to-image]
  source: {{path: nowhere}}
  memory: {{weights: {weights}, working: {working}}}
  defaults: {{width: 512, height: 512}}
  dtype: {dtype}
  options: {{batch: 4}}
---
""",
    )


def test_activations_grow_with_pixels_and_with_the_batch_that_the_family_makes() -> None:
    example = card(1000, 100)
    large = {"width": 1024, "height": 1024}
    assert need_of(example, [{}]).working == 100_000_000
    assert need_of(example, [large, {}]).working == 800_000_000
    assert need_of(example, [{}] * 9).working == 400_000_000
    assert need_of(example, [{}]).weights == 1_000_000_000


def test_fit_names_the_placement_its_price_and_the_smallest_card_that_would_do() -> None:
    example = card(12_000, 2_000)
    expected = {8: "group-offload", 12: "model-offload", 16: "full", 24: "full"}
    assert {n: fit(example, room_of(n * GB, 32 * GB)).placement for n in expected} == expected
    assert fit(example, room_of(24 * GB, 0)).device_bytes == 14 * GB + SLACK
    assert fit(example, room_of(1 * GB, 64 * GB)).placement == "cpu"
    assert nearest(example, 32 * GB) == 8 * GB
    assert nearest(example, 2 * GB) == 16 * GB
    assert nearest(card(200_000, 2_000), 2 * GB) is None
    nothing = fit(example, room_of(8 * GB, 2 * GB))
    assert nothing.placement is None
    assert "can be had" in nothing.why
    assert fit(example, room_of(0, 32 * GB)).placement == "full"
    assert fit(example, room_of(0, 16 * GB)).placement is None
    assert sorted(COMMON) == list(COMMON)


def test_a_processor_computes_half_precision_in_full() -> None:
    example = card(12_000, 2_000)
    assert need_of(example, [{}]).doubled().weights == 24 * GB
    assert need_of(card(12_000, 2_000, "bfloat16"), [{}]).doubled().weights == 12 * GB
