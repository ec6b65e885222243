"""What every benchmark writes: rows of a measure, its value and its goal, as text and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

_LIBRARIES = ("colophon", "torch", "diffusers", "dbos", "gradio", "pydantic")


@dataclass(frozen=True)
class Row:
    """One measured figure."""

    measure: str
    value: float
    #: As people read it: `≤1.02`; its first character decides whether it is met.
    goal: str
    unit: str

    @property
    def met(self) -> bool:
        """Whether the value is within the goal."""
        limit = float(self.goal[1:])
        return self.value <= limit if self.goal[0] == "≤" else self.value >= limit


def publish(rows: Sequence[Row], path: Path | None) -> None:
    """Print the rows; write them to `path` as well, if there is one."""
    for row in rows:
        sign = "met" if row.met else "MISSED"
        print(f"{row.measure:82} {row.value:>12,.3f} {row.unit:10} {row.goal:10} {sign}")
    if path is not None:
        memory = psutil.virtual_memory().total / 2**30
        record = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
            f"{platform.system()}, Python {platform.python_version()}",
            "versions": {name: version(name) for name in _LIBRARIES},
            "rows": [asdict(row) | {"met": row.met} for row in rows],
        }
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
