"""The verbs of runs over HTTP."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import quote

import anyio

from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import Line, Run, StepState
from studio.runs import Begun, Plan, Runs

#: Rows sent in one piece.
_PIECE = 200


class RemoteRuns(Runs):
    """One owner's view of a host's runs."""

    async def begin(self, plan: Plan, rows: Iterable[Row], *, key: str | None = None) -> Begun:
        left = iter(rows)

        async def body() -> AsyncIterator[bytes]:
            yield _line(plan.record())
            while piece := await anyio.to_thread.run_sync(_take, left):
                yield b"".join(_line([row.line, dict(row.cells)]) for row in piece)

        headers = {"Content-Type": "application/x-ndjson"}
        if key is not None:
            headers["Idempotency-Key"] = key
        record = await self._json("POST", "runs", content=body(), headers=headers)
        return Begun.from_record(record)

    async def run(self, run: str) -> Run:
        return Run.from_record(await self._json("GET", _at(run)))

    async def runs(self, *, limit: int = 50, before: str | None = None) -> list[Run]:
        params: dict[str, Any] = {"limit": limit} | ({} if before is None else {"before": before})
        return [Run.from_record(one) for one in await self._json("GET", "runs", params=params)]

    async def lines(
        self, run: str, *, limit: int = 100, after: int = -1, state: StepState | None = None
    ) -> list[Line]:
        params: dict[str, Any] = {"limit": limit, "after": after}
        if state is not None:
            params["state"] = state.value
        found = await self._json("GET", f"{_at(run)}/lines", params=params)
        return [Line.from_record(one) for one in found]

    async def recipe(self, run: str) -> Recipe | None:
        record = await self._json("GET", f"{_at(run)}/recipe")
        return None if record is None else Recipe.of(record)

    async def stop_run(self, run: str) -> Run:
        return Run.from_record(await self._json("POST", f"{_at(run)}/stop"))

    async def resume_run(self, run: str) -> Run:
        return Run.from_record(await self._json("POST", f"{_at(run)}/resume"))

    async def redo(self, run: str, place: int, step: str) -> Run:
        params = {"place": place, "step": step}
        return Run.from_record(await self._json("POST", f"{_at(run)}/redo", params=params))

    @abstractmethod
    async def _json(self, method: str, path: str, **options: Any) -> Any: ...


def _take(rows: Iterator[Row]) -> list[Row]:
    return [row for _, row in zip(range(_PIECE), rows, strict=False)]


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _at(run: str) -> str:
    return f"runs/{quote(run, safe='')}"
