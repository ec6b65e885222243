"""What is learned from every batch: which size is fastest, and how long things take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.job import Job
from studio.pace import Pace, Paces, batch_for, kind_of

JOB = Job(
    "0" * 32,
    "ann",
    "text-to-image",
    "sdxl",
    {"prompt": "a star", "width": 512, "height": 512, "steps": 30, "guidance": 7.0, "seed": 1},
    0,
    0.0,
)


def settle(seconds: Callable[[int], float], limit: int, alike: int = 64, runs: int = 40) -> int:
    """The size that is chosen after so many batches, each output taking `seconds(size)`."""
    curve: dict[int, Pace] = {}
    for _ in range(runs):
        size = batch_for(curve, limit, alike)
        assert size <= min(limit, alike)
        curve[size] = Pace(curve.get(size, Pace(0, 0.0)).runs + 1, seconds(size))
    return batch_for(curve, limit, alike)


@pytest.mark.parametrize(
    ("curve", "best"),
    [
        ({1: 73, 2: 45, 4: 38, 8: 30}, 8),
        ({1: 527, 2: 507, 4: 484, 8: 632}, 4),
        ({1: 100, 2: 104, 4: 102, 8: 108}, 1),
        ({1: 100, 2: 120, 4: 10, 8: 10}, 1),
    ],
)
def test_the_knee_is_found(curve: dict[int, float], best: int) -> None:
    assert settle(curve.__getitem__, 8) == best


@given(
    st.dictionaries(st.sampled_from((1, 2, 4, 8)), st.floats(0.01, 10), min_size=4, max_size=4),
    st.integers(1, 8),
)
def test_it_is_never_slower_than_one_by_one(curve: dict[int, float], alike: int) -> None:
    assert curve[settle(curve.__getitem__, 8, alike)] <= curve[1]


def test_larger_sizes_are_tried_only_when_enough_waits() -> None:
    assert settle(lambda size: 1 / size, 8, alike=3) == 2
    assert settle(lambda size: 1 / size, 6, alike=64) == 6
    assert settle(lambda size: 1 / size, 1, alike=64) == 1


def test_what_did_not_fit_is_not_tried_again() -> None:
    assert settle(lambda size: math.inf if size > 2 else 1 / size, 8, runs=400) == 2


def test_measurements_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "paces.sqlite"
    paces = Paces(path)
    assert paces.seconds(kind_of(JOB), "gpu", 3) is None
    for seconds in (8.0, 12.0):
        paces.learn(JOB, "gpu", 2, seconds)
    paces.learn(JOB, "gpu", 4, math.inf)
    for again in (paces, Paces(path)):
        assert again.seconds(kind_of(JOB), "gpu", 3) == 15.0
        assert again.seconds(kind_of(JOB), "cpu", 3) is None
        (speed,) = again.speeds("gpu")
        assert (speed.card, speed.batch, speed.seconds, speed.runs) == ("sdxl", 2, 5.0, 2)
        assert "width 512" in speed.request
        assert "star" not in str(speed), "what was asked for is nobody's business"


def test_what_takes_about_as_long_is_one_kind() -> None:
    def like(**values: object) -> Job:
        return replace(JOB, request={**JOB.request, **values})

    assert kind_of(like(seed=9, prompt="x", steps=31)) == kind_of(JOB)
    assert kind_of(like(width=1024)) != kind_of(JOB)
    assert kind_of(like(steps=50)) != kind_of(JOB)


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "paces.sqlite"
    path.write_bytes(b"not a database" * 1000)
    Paces(path).learn(JOB, "gpu", 1, 1.0)
    assert Paces(path).seconds(kind_of(JOB), "gpu", 1) == 1.0
