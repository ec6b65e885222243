"""Shares of successes with their uncertainty: what an evaluation reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """`right` of `asked`, as a share with the bounds of its 95 % Wilson score interval."""

    right: int
    asked: int
    share: float
    low: float
    high: float


def wilson(right: int, asked: int, z: float = 1.959964) -> Measure:
    """The Wilson score interval: unlike the normal one it stays honest near 0 and 100 %."""
    if asked == 0:
        return Measure(0, 0, 0.0, 0.0, 1.0)
    share = right / asked
    centre = share + z * z / (2 * asked)
    spread = z * math.sqrt(share * (1 - share) / asked + z * z / (4 * asked * asked))
    scale = 1 + z * z / asked
    low, high = max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
    return Measure(right, asked, round(share, 4), round(low, 4), round(high, 4))


def summarise(verdicts: Iterable[Mapping[str, Sequence[bool]]]) -> dict[str, dict[str, float]]:
    """Add up the verdicts of many pictures, measure by measure."""
    totals: dict[str, list[int]] = {}
    for verdict in verdicts:
        for name, answers in verdict.items():
            total = totals.setdefault(name, [0, 0])
            total[0] += sum(answers)
            total[1] += len(answers)
    return {name: asdict(wilson(right, asked)) for name, (right, asked) in totals.items()}
