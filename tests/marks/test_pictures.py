"""The pictures that the mark is measured with are of the kinds that the table names."""

from __future__ import annotations

import numpy as np

from scripts.mark_pictures import DRAWN, FIRST_SEED, pictures


def test_every_kind_is_drawn_as_itself() -> None:
    drawn = list(pictures("development", dict.fromkeys(DRAWN, 1), None))
    assert [kind for kind, _ in drawn] == list(DRAWN)
    for kind, picture in drawn:
        expected = DRAWN[kind](FIRST_SEED["development"])
        assert np.array_equal(np.array(picture), np.array(expected)), kind
