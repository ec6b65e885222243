"""Drafts: only what was ordered is sealed, whatever the worker says it made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.draft import Draft
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
