"""Writes what the benchmarks wrote to `scripts/results/` into `docs/performance.md`, all of it, and
into the README, what matters most and what was missed.

    python -m scripts.performance_table
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from scripts.tables import ROOT, rows, write

NAME = "performance"
README, WHOLE = ROOT / "README.md", ROOT / "docs" / "performance.md"
RESULTS = ROOT / "scripts" / "results"
#: The measures that the README shows whether they are met or not.
CHOSEN = (
    "time until the whole form is there, median",
    "pictures made in the studio / by the bare library, time",
    "memory of the idle host",
    "slowest search in 100,000 outputs",
    "a picture found by its likeness among 1,000,000, median",
)


def table(results: Path, chosen: Collection[str] = ()) -> str:
    """The rows of every result as a Markdown table, and on what they were measured.

    With `chosen`, those measures come first, and after them only what misses its goal.
    """
    records = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))
    ]
    # A result that is no table of rows belongs to another script.
    records = [record for record in records if isinstance(record, dict) and "rows" in record]
    if not records:
        return "No results yet: `python -m scripts.bench_queue --json scripts/results/queue.json`."
    found = [row for record in records for row in record["rows"]]
    if chosen:
        first = [row for name in chosen for row in found if row["measure"] == name]
        found = first + [row for row in found if not (row["met"] or row in first)]
    cells = []
    for row in found:
        value = f"{row['value']:,.3g}" if abs(row["value"]) < 1000 else f"{row['value']:,.0f}"
        unit = f" {row['unit']}" if row["unit"] else ""
        met = "met" if row["met"] else "missed"
        cells.append((row["measure"], value + unit, row["goal"] + unit, met))
    machines = sorted({record["machine"] for record in records})
    made = rows(("measure", "value", "goal", ""), cells, "|---|---:|---:|---|")
    return f"{made}\n\nMeasured on: {'; '.join(machines)}."


def main() -> None:
    """Write both documents anew."""
    write(WHOLE, NAME, table(RESULTS))
    write(README, NAME, table(RESULTS, CHOSEN))


if __name__ == "__main__":
    main()
