"""The tables in the documents are what benchmarks wrote and fields say, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import performance_table, settings_table
from scripts.performance_table import CHOSEN, README, RESULTS, WHOLE, table
from scripts.tables import with_table


@pytest.mark.parametrize(("place", "chosen"), [(WHOLE, ()), (README, CHOSEN)])
def test_the_performance_is_that_of_the_results(place: Path, chosen: tuple[str, ...]) -> None:
    document = place.read_text(encoding="utf-8")
    made = table(RESULTS, chosen)
    assert all(f"| {measure} |" in made for measure in chosen), "a measure has another name"
    assert with_table(document, performance_table.NAME, made) == document, (
        "run python -m scripts.performance_table"
    )


def test_the_settings_are_those_of_the_fields() -> None:
    page = settings_table.PAGE.read_text(encoding="utf-8")
    made = settings_table.table()
    assert "| `port` | `7860` | Port they listen on; 0 takes a free one. |" in made
    assert '| `disclosure` | `"none"`, or `"before"`, or `"after"`, or `"written"` |' in made
    assert with_table(page, settings_table.NAME, made) == page, (
        "run python -m scripts.settings_table"
    )


def test_a_document_without_a_place_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no place for performance"):
        with_table("# Nothing", performance_table.NAME, "a table")


def test_a_row_says_its_value_and_whether_it_is_met(tmp_path: Path) -> None:
    row = {"measure": "picks", "value": 2345.6, "goal": "≥2000", "unit": "1/s", "met": True}
    missed = {"measure": "swaps", "value": 0.12, "goal": "≥50", "unit": "%", "met": False}
    record = {"machine": "a box", "versions": {}, "rows": [row, missed]}
    (tmp_path / "a.json").write_text(json.dumps(record))
    text = table(tmp_path)
    assert "| picks | 2,346 1/s | ≥2000 1/s | met |" in text
    assert "| swaps | 0.12 % | ≥50 % | missed |" in text
    assert "a box" in text
    assert table(tmp_path, ["swaps", "picks"]).index("swaps") < table(tmp_path).index("swaps")
    assert "| picks |" not in table(tmp_path, ["waits"])
    assert "| swaps |" in table(tmp_path, ["waits"])
