"""What a run took is what the next of its kind is planned with, and nothing is learned twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.memory import Need, Part, Stage
from studio.peaks import REMEMBERED, Peak, Peaks, Shape, informed, shape_of

NEED = Need("a", (Part("a", 4000, 400, 2000),), (Stage("denoise", ("a",), 500),))
VERSIONS = {"device": "gpu", "torch": "2"}


def shape(batch: int = 1, versions: dict[str, str] = VERSIONS, **values: Any) -> Shape:
    request = {"prompt": "secret", "width": 512, "height": 512, "steps": 9, "seed": 1} | values
    return shape_of("a", "1", "text-to-image", [request] * batch, versions)


@pytest.mark.parametrize(
    ("runs", "working"),
    [
        ([], 500),
        ([100], 115),
        ([100, 200], 230),
        ([100, 200, 100], 210),
        ([0, 0, 0], 500),
        ([1000, *[200] * 18], 1050),
        ([1000, *[200] * 19], 210),
        ([1000, 1000, *[200] * 19], 210),
        ([1000, 1000, *[200] * 18], 1050),
    ],
)
def test_what_was_measured_counts_and_what_is_rare_is_forgotten(
    runs: list[int], working: int
) -> None:
    need = informed(NEED, [Peak(run) for run in runs])
    assert need.working == working
    assert need.measured == sum(map(bool, runs[-REMEMBERED:]))
    assert need.parts == NEED.parts


def test_a_shape_that_ran_out_is_tried_lower_with_more_until_it_is_long_ago() -> None:
    fallen = Peak(0, "group-offload")
    need = informed(NEED, [fallen])
    assert (need.working, need.fastest) == (750, "group-offload")
    assert informed(NEED, [fallen, Peak(0, "model-offload")]).fastest == "group-offload"
    later = informed(NEED, [fallen, *[Peak(200)] * REMEMBERED])
    assert (later.working, later.fastest) == (210, "full")


def test_only_what_matters_makes_another_shape() -> None:
    assert shape(steps=50, seed=2, prompt="x", count=7) == shape()
    others = [shape(width=520), shape(2), shape(versions=VERSIONS | {"torch": "3"})]
    assert len({shape(), *others}) == 4
    assert "secret" not in str(shape())


def test_measurements_outlive_the_host_and_the_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "paces.sqlite"
    for working in range(1, REMEMBERED + 6):
        Peaks(path).learn(shape(), Peak(working))
    Peaks(path).learn(shape(2), Peak(7, "cpu"))
    assert [peak.working for peak in Peaks(path).of(shape())] == list(range(6, REMEMBERED + 6))
    assert Peaks(path).of(shape(2)) == [Peak(7, "cpu")]
    assert Peaks(path).of(shape(3)) == []


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "paces.sqlite"
    path.write_bytes(b"not a database" * 1000)
    peaks = Peaks(path)
    assert peaks.of(shape()) == []
    peaks.learn(shape(), Peak(1))
    assert peaks.of(shape()) == [Peak(1)]
