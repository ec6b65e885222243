"""A run's files under names of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.artifact import Artifact, Note
from studio.errors import InvalidRequest
from studio.export import Export
from studio.recipes.run import Line, Run, RunState, StepState

RUN = Run("r", "ann", "many", 1.0, RunState.RUNNING, 120)
LINE = Line(
    6, 8, "imagine", {"prompt": "a red/blue boat", "size": 12, "none": None}, StepState.DONE
)
NOTE = Note(
    "j", 0, "p", "text-to-image", "noise", "embedded", {}, "0" * 64, "0" * 64, 7, (), {}, 1, {}, 1.0
)
MADE = Artifact("a" * 32, "ann", "image", "image/png", 4, "0" * 64, NOTE)


def named(folder: Path, pattern: str) -> str:
    """The name of one output by this pattern."""
    place = Export(folder, RUN, pattern).place(LINE, "make", 0, MADE)
    return place.relative_to(folder.resolve()).as_posix()


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{row}-{index}", "007-0"),
        ("{row:05d}-{index:02d}", "00007-00"),
        ("{size:04d}/{seed:x}", "0012/7"),
        ("{prompt:.5}{{row}}", "a red{row}"),
        ("{prompt}", "a red-blue boat"),
        ("{none}{row!s}", "_7"),
    ],
)
def test_a_pattern_formats_numbers_and_texts(tmp_path: Path, pattern: str, name: str) -> None:
    assert named(tmp_path, pattern) == f"{name}.png"


@pytest.mark.parametrize(
    "pattern", ["{row:03q}", "{card:03d}", "{row", "{}", "{0}", "{row!z}", "{row[0]}", "{row:{x}}"]
)
def test_what_is_no_pattern_is_refused_before_anything_is_made(
    tmp_path: Path, pattern: str
) -> None:
    with pytest.raises(InvalidRequest, match="is no pattern"):
        Export(tmp_path / "out", RUN, pattern)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pattern", ["{prompt:03d}", "{none:03d}", "{colour}", "{row.real}"])
def test_a_pattern_that_does_not_suit_a_row_says_which(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="row 7"):
        named(tmp_path, pattern)
