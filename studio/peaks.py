"""How much working memory requests take on this machine: learned from every run, kept on disk.

A card's figure, or what the worker computes from the model's shape, is a first guess. From the
first run on what was measured counts; measuring costs a run some milliseconds, so that it pauses
while enough of the remembered ones were. What a run that ran out of memory had to fall back to is
tried first for the next requests of its kind, so that they do not run out again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from studio.fields import fields_of
from studio.learned import Learned
from studio.memory import ENOUGH, LADDER, Need
from studio.tasks import TASKS

#: How many runs of a shape are remembered, the latest.
REMEMBERED = 20
#: Of these the estimate is the value that this share does not exceed.
_SHARE = 0.95
#: The estimate stands so far above what was measured: while that were too few, and then.
_FIRST, _SURE = 1.15, 1.05
#: And so many times, where a run has run out.
_RAISED = 1.5
#: Fields that are not kept in memory while a model is at work.
_WEIGHTLESS = ("seed", "count", "steps", "exact", "format")


@dataclass(frozen=True)
class Shape:
    """What tells how much memory a batch takes."""

    card: str
    revision: str
    task: str
    #: The numbers and choices of the request that matter: `width=512 height=512`.
    request: str
    batch: int
    device: str
    #: Of the libraries, and of the studio itself.
    versions: str


@dataclass(frozen=True)
class Peak:
    """One run."""

    #: The most that it had in use beside the weights, in bytes; 0 if nobody could tell.
    working: int
    #: The slower placement that it fell back to when memory ran out; empty if it did not.
    fallen: str = ""


def shape_of(
    card: str,
    revision: str,
    task: str,
    requests: Sequence[Mapping[str, Any]],
    versions: Mapping[str, str],
) -> Shape:
    """The shape of a batch of alike requests."""
    request = " ".join(
        f"{spec.name}={requests[0][spec.name]}"
        for spec in fields_of(TASKS[task].request)
        if spec.type in ("integer", "number", "boolean", "choice")
        and spec.name not in _WEIGHTLESS
        and requests[0].get(spec.name) is not None
    )
    libraries = " ".join(f"{name}={versions[name]}" for name in sorted(versions))
    device = versions.get("device", "")
    return Shape(card, revision, task, request, len(requests), device, libraries)


def informed(need: Need, runs: Sequence[Peak]) -> Need:
    """`need` with the working memory and the placement that these runs, oldest first, teach."""
    last = runs[-REMEMBERED:]
    fallen = [LADDER.index(run.fallen) for run in last if run.fallen]
    fastest = LADDER[max([LADDER.index(need.fastest), *fallen])]
    known = sorted(run.working for run in last if run.working)
    if known:
        # Up to nineteen runs this is the highest; of twenty, one may be out of the ordinary.
        highest = known[math.ceil(_SHARE * len(known)) - 1]
        need = need.expecting(round(highest * (_FIRST if len(known) < ENOUGH else _SURE)))
    if fallen:
        need = need.expecting(round(need.working * _RAISED))
    return replace(need, fastest=fastest, measured=len(known))


class Peaks:
    """What was measured, by shape. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Keep the measurements in the SQLite file at `path`."""
        self._file = Learned(
            path,
            "CREATE TABLE IF NOT EXISTS peak "
            "(run INTEGER PRIMARY KEY, shape TEXT, working INTEGER, fallen TEXT)",
        )

    def of(self, shape: Shape) -> list[Peak]:
        """The latest runs of the shape, oldest first."""
        rows = self._file.read(
            "SELECT working, fallen FROM peak WHERE shape = ? ORDER BY run", (_text(shape),)
        )
        return [Peak(*row) for row in rows]

    def learn(self, shape: Shape, peak: Peak) -> None:
        """Remember a run, and forget those of its shape that are long ago."""
        text = _text(shape)
        self._file.write(
            ("INSERT INTO peak VALUES (NULL, ?, ?, ?)", (text, peak.working, peak.fallen)),
            (
                "DELETE FROM peak WHERE shape = ? AND run NOT IN "
                "(SELECT run FROM peak WHERE shape = ? ORDER BY run DESC LIMIT ?)",
                (text, text, REMEMBERED),
            ),
        )


def _text(shape: Shape) -> str:
    return json.dumps(astuple(shape))
