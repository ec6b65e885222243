"""The verbs of runs inside the host's own process."""

from __future__ import annotations

import re
import secrets
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from studio.errors import NotFound
from studio.gallery import Filter, Gallery
from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import Line, Run, StepState
from studio.runs import Begun, Plan, Runs

if TYPE_CHECKING:
    from studio.host import Host

_ID = re.compile("[0-9a-f]{32}")
#: Of how many earlier outputs a mean size is taken.
_ALIKE = 20


class LocalRuns(Gallery, Runs):
    """One owner's view of the host's runs."""

    _host: Host
    _owner: str

    @abstractmethod
    def _id_for(self, key: str) -> str: ...

    async def begin(self, plan: Plan, rows: Iterable[Row], *, key: str | None = None) -> Begun:
        identity = secrets.token_hex(16) if key is None else self._id_for(f"run:{key}")
        begun = await self._host.conductor.begin(self._owner, identity, plan, rows)
        if begun.forecast is None:
            return begun
        size = 0.0
        for (task, card), count in begun.forecast.outputs.items():
            alike = await self.artifacts(Filter(task=task, card=card), limit=_ALIKE)
            size += count * sum(one.size for one in alike) / max(1, len(alike))
        return replace(begun, forecast=replace(begun.forecast, size=round(size)))

    async def run(self, run: str) -> Run:
        if not _ID.fullmatch(run):
            raise NotFound("You have no such run.", hint="`studio recipe runs` lists yours.")
        return await self._host.conductor.get(self._owner, run)

    async def runs(self, *, limit: int = 50, before: str | None = None) -> list[Run]:
        last = None if before is None else await self.run(before)
        store = self._host.runs
        return await anyio.to_thread.run_sync(
            lambda: store.runs(self._owner, limit=limit, before=last)
        )

    async def lines(
        self, run: str, *, limit: int = 100, after: int = -1, state: StepState | None = None
    ) -> list[Line]:
        found = await self.run(run)
        store = self._host.runs
        return await anyio.to_thread.run_sync(
            lambda: store.lines(found.id, limit=limit, after=after, state=state)
        )

    async def recipe(self, run: str) -> Recipe | None:
        found = await self.run(run)
        return await anyio.to_thread.run_sync(self._host.runs.recipe, found.id)

    async def stop_run(self, run: str) -> Run:
        await self._host.conductor.stop(await self.run(run))
        return await self.run(run)

    async def resume_run(self, run: str) -> Run:
        await self._host.conductor.resume(await self.run(run))
        return await self.run(run)

    async def redo(self, run: str, place: int, step: str) -> Run:
        await self._host.conductor.redo(await self.run(run), place, step)
        return await self.run(run)
