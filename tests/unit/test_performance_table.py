"""The README's performance table is what the benchmarks wrote, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.performance_table import ROOT, table, with_table


def test_the_readme_holds_the_table_of_the_results() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(readme, table(ROOT / "scripts" / "results")) == readme, (
        "run scripts/performance_table.py"
    )


def test_a_row_says_its_value_and_whether_it_is_met(tmp_path: Path) -> None:
    row = {"measure": "picks", "value": 2345.6, "goal": "≥2000", "unit": "1/s", "met": True}
    missed = {"measure": "swaps", "value": 0.12, "goal": "≥50", "unit": "%", "met": False}
    record = {"machine": "a box", "versions": {}, "rows": [row, missed]}
    (tmp_path / "a.json").write_text(json.dumps(record))
    text = table(tmp_path)
    assert "| picks | 2,346 1/s | ≥2000 1/s | met |" in text
    assert "| swaps | 0.12 % | ≥50 % | missed |" in text
    assert "a box" in text
