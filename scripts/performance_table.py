"""Writes the README's performance table from what the benchmarks wrote to `scripts/results/`.

    python -m scripts.performance_table

The table stands between two markers; everything else in the README stays as it is.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- performance: begin -->", "<!-- performance: end -->"


def table(results: Path) -> str:
    """The rows of every result as a Markdown table, and on what they were measured."""
    records = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))
    ]
    # A result that is no table of rows belongs to another script.
    records = [record for record in records if isinstance(record, dict) and "rows" in record]
    if not records:
        return "No results yet: `python -m scripts.bench_queue --json scripts/results/queue.json`."
    lines = ["| measure | value | goal | |", "|---|---:|---:|---|"]
    for record in records:
        for row in record["rows"]:
            value = f"{row['value']:,.3g}" if abs(row["value"]) < 1000 else f"{row['value']:,.0f}"
            unit = f" {row['unit']}" if row["unit"] else ""
            met = "met" if row["met"] else "missed"
            lines.append(f"| {row['measure']} | {value}{unit} | {row['goal']}{unit} | {met} |")
    machines = sorted({record["machine"] for record in records})
    lines += ["", f"Measured on: {'; '.join(machines)}."]
    return "\n".join(lines)


def with_table(readme: str, table: str) -> str:
    """`readme` with `table` between its markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main() -> None:
    """Write the README anew."""
    path = ROOT / "README.md"
    readme = path.read_text(encoding="utf-8")
    path.write_text(with_table(readme, table(ROOT / "scripts" / "results")), encoding="utf-8")


if __name__ == "__main__":
    main()
