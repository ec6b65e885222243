"""Drafts: only what was ordered is sealed, whatever the worker says it made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.draft import Draft, let_go
from studio.errors import Broken

PIXELS = np.zeros((8, 8, 3), np.uint8)
DRAFT = Draft("image", 1, 42, {"pixels": PIXELS})


def test_what_was_ordered_passes_through_the_spool(tmp_path: Path) -> None:
    back = Draft.unspool(DRAFT.spool(tmp_path))
    assert back.checked("image", 1, 42) is back
    assert back.digest() == DRAFT.digest()


@pytest.mark.parametrize(
    "other",
    [
        Draft("audio", 1, 42, {"samples": np.zeros((8, 1), np.float32)}),
        Draft("image", 0, 42, {"pixels": PIXELS}),
        Draft("image", 1, 43, {"pixels": PIXELS}),
        Draft("image", 1, 42, {}),
        Draft("image", 1, 42, {"pixels": PIXELS, "more": PIXELS}),
    ],
    ids=["another kind", "another index", "another seed", "nothing in it", "more than it may hold"],
)
def test_anything_else_is_not_believed(other: Draft, tmp_path: Path) -> None:
    with pytest.raises(Broken, match="other than what was ordered"):
        Draft.unspool(other.spool(tmp_path)).checked("image", 1, 42)


def test_a_mapped_array_that_was_let_go_is_still_there(tmp_path: Path) -> None:
    samples = np.arange(600_000, dtype=np.float32).reshape(-1, 2)
    np.save(tmp_path / "samples.npy", samples)
    mapped = np.load(tmp_path / "samples.npy", mmap_mode="r")
    scratch = np.memmap(tmp_path / "scratch", np.float32, "w+", shape=samples.shape)
    scratch[:] = samples
    for array in (samples, mapped, scratch):
        let_go(array)
        np.testing.assert_array_equal(array, samples)
