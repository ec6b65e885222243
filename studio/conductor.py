"""The conductor: carries runs out, step by step, through the same client that people use.

It holds no device and no slot: it orders jobs and waits for their events. Whatever it knows is in
the `RunStore`, and whatever the store may have missed is found again by ordering the same step
under the same key. So a host that is killed takes every run up where it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Self, TypeVar

import anyio

from studio.errors import Broken, NotFound, StudioError, Unavailable
from studio.fields import Value
from studio.intake import MOST_ERRORS, Intake, filled, holds, unchanged
from studio.job import Done, Failed, Job
from studio.passing import standing_for
from studio.protocol import Client
from studio.recipes.document import Recipe, Step, single
from studio.recipes.references import Reference
from studio.recipes.rows import Row
from studio.recipes.run import Line, Made, Run, RunState, StepState
from studio.recipes.store import RunStore
from studio.runs import Begun, Forecast, Plan

#: How many rows of one run are under way at once: enough to fill a batch on the device, few
#: enough to leave the line to others.
WINDOW = 16
#: Runs give way to everything that people order by hand.
PRIORITY = -1
#: Seconds until an order is tried again that the studio could not take for the moment.
PAUSE = 1.0
#: Seconds until a run is taken up again that could not be written down.
TROUBLE = 30.0

_LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Conductor:
    """Carries out the runs of one home. Open it with `async with`."""

    def __init__(
        self,
        store: RunStore,
        client: Callable[[str], Client],
        check: Callable[[str, str, Mapping[str, Value]], Forecast],
    ) -> None:
        """`client` gives the studio as an owner sees it; `check` refuses what it would refuse.

        `check` takes an owner, a task and values, and is called in a thread; it says what such an
        order would take.
        """
        self._store = store
        self._client = client
        self._check = check
        self._under_way: dict[str, asyncio.Task[None]] = {}
        #: Held while a run is stopped or taken up, so that what is pressed twice is done in turn.
        self._steering = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Take up every run that was not finished."""
        for run in await anyio.to_thread.run_sync(self._store.running):
            self._carry(run)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of all runs; the next host takes them up."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def begin(self, owner: str, identity: str, plan: Plan, rows: Iterable[Row]) -> Begun:
        """Accept a run under an id; one that is known already is returned as it is.

        Raises:
            InvalidRequest: if a row is wrong (unless they are skipped) or none is left; naming the
                lines. Nothing is kept then.
        """
        try:
            return Begun(await self.get(owner, identity))
        except NotFound:
            pass
        earlier = None if plan.revises is None else await self.get(owner, plan.revises)
        fresh = Run(identity, owner, plan.name, time.time(), RunState.RUNNING, 0)
        intake = Intake(plan, lambda task, values: self._check(owner, task, values))
        lines = intake.lines(rows)
        if earlier is not None and plan.recipe is not None:
            lines = self._taken_over(plan.recipe, lines, earlier)

        async def accept() -> Run:
            if plan.dry:
                total = await anyio.to_thread.run_sync(lambda: sum(1 for _ in lines))
                return replace(fresh, state=RunState.STOPPED, total=total)
            added = await anyio.to_thread.run_sync(self._store.add, fresh, plan.recipe, lines)
            if added is None:
                # Somebody was quicker under the same key, and carries it.
                return await self.get(owner, identity)
            self._carry(added)
            return added

        # A caller who hangs up must not leave a stored run that nobody carries.
        run = await _to_its_end(accept())
        problems = tuple(intake.problems[:MOST_ERRORS])
        return Begun(run, problems, intake.forecast if plan.dry else None)

    def _taken_over(self, recipe: Recipe, lines: Iterator[Line], earlier: Run) -> Iterator[Line]:
        """The lines with what an earlier form of the recipe has made, where nothing changed."""
        before = self._store.recipe(earlier.id)
        known = {line.place: line for line in self._store.lines(earlier.id, limit=earlier.total)}
        for line in lines:
            if before is not None and line.place in known:
                made = unchanged(recipe, line, before, known[line.place])
                yield replace(line, steps=tuple(made))
            else:
                yield line

    async def get(self, owner: str, run: str) -> Run:
        """The owner's run; `NotFound` if it is nobody's or somebody else's."""
        found = await anyio.to_thread.run_sync(self._store.get, run)
        if found.owner != owner:
            raise NotFound("You have no such run.", hint="`studio recipe runs` lists yours.")
        return found

    async def stop(self, run: Run) -> None:
        """Stop a run and its jobs; it can be taken up again."""
        async with self._steering:
            await anyio.to_thread.run_sync(self._store.mark, run.id, RunState.STOPPED)
            await self._halt(run)
            for line in await self._page(run, -1):
                await self._cancel(run, line, {made.step for made in line.steps})

    async def resume(self, run: Run) -> None:
        """Take up a stopped run, and order anew what failed or was stopped.

        Of a run that goes on, what is under way stays under way.
        """
        async with self._steering:
            kept = {StepState.DONE}
            if await self._halt(run):
                kept.add(StepState.WAITING)
            for state in (StepState.WAITING, StepState.FAILED):
                after = -1
                while lines := await self._page(run, after, state):
                    anew = {
                        line.place: [made.step for made in line.steps if made.state not in kept]
                        for line in lines
                        if line.steps
                    }
                    await anyio.to_thread.run_sync(self._store.reopen, run.id, anew)
                    after = lines[-1].place
            await self._again(run)

    async def redo(self, run: Run, place: int, step: str) -> None:
        """Order one step of one row anew, and everything that needs it."""
        recipe = await anyio.to_thread.run_sync(self._store.recipe, run.id)
        steps = {"make": set()} if recipe is None else recipe.needed()
        if step not in steps or not 0 <= place < run.total:
            raise NotFound(
                f"Row {place} of this run has no step {step!r}.",
                hint=f"Its steps are: {', '.join(steps)}.",
            )
        anew = {step}
        for name, needs in steps.items():
            if needs & anew:
                anew.add(name)
        async with self._steering:
            # It may be past this row already; every step that is ordered stays ordered.
            await self._halt(run)
            (line,) = await anyio.to_thread.run_sync(
                lambda: self._store.lines(run.id, limit=1, after=place - 1)
            )
            await self._cancel(run, line, anew)
            await anyio.to_thread.run_sync(self._store.reopen, run.id, {place: anew})
            await self._again(run)

    async def _halt(self, run: Run) -> bool:
        """Let go of the run, before anything about it changes; whether it was under way."""
        if (task := self._under_way.get(run.id)) is None:
            return False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return True

    async def _cancel(self, run: Run, line: Line, steps: Collection[str]) -> None:
        """Stop the jobs of these steps of a row."""
        client = self._client(run.owner)
        for made in line.steps:
            if made.step in steps and made.job is not None and made.state is StepState.WAITING:
                await client.cancel(made.job)

    async def _again(self, run: Run) -> None:
        """Let the run go on, from its first row that has not ended."""
        await anyio.to_thread.run_sync(self._store.mark, run.id, RunState.RUNNING)
        self._carry(run)

    def _carry(self, run: Run) -> None:
        if run.id in self._under_way:
            return
        task = asyncio.create_task(self._guarded(run), name=f"run {run.id}")
        self._under_way[run.id] = task
        task.add_done_callback(lambda _: self._under_way.pop(run.id, None))

    async def _guarded(self, run: Run) -> None:
        while True:
            try:
                return await self._conduct(run)
            except Exception:
                # A full disk, above all: the run stays as it is, and is taken up again.
                _LOG.exception("run %s waits for better times", run.id)
                await asyncio.sleep(TROUBLE)

    async def _conduct(self, run: Run) -> None:
        recipe = await anyio.to_thread.run_sync(self._store.recipe, run.id)
        window = asyncio.Semaphore(WINDOW)
        after = -1
        async with asyncio.TaskGroup() as rows:
            while lines := await self._page(run, after):
                for line in lines:
                    await window.acquire()
                    row = rows.create_task(self._row(run, recipe, line))
                    row.add_done_callback(lambda _: window.release())
                after = lines[-1].place
        await self._keep(self._store.mark, run.id, RunState.DONE)

    async def _keep(self, write: Callable[..., None], *what: Any) -> None:
        """Write something down; whoever halts the run meanwhile waits until it is written."""
        await _to_its_end(anyio.to_thread.run_sync(write, *what))

    async def _page(self, run: Run, after: int, state: StepState = StepState.WAITING) -> list[Line]:
        return await anyio.to_thread.run_sync(
            lambda: self._store.lines(run.id, limit=4 * WINDOW, after=after, state=state)
        )

    async def _row(self, run: Run, recipe: Recipe | None, line: Line) -> None:
        """Carry out one row's steps, each when what it needs is made, side by side."""
        before = {made.step: made for made in line.steps}
        made: dict[str, Made] = {}
        if recipe is None:
            step = single(line.task or "", line.values)
            made["make"] = await self._step(run, line, "make", step, {}, before)
        else:
            order = recipe.order()
            order.prepare()
            while order.is_active():
                ready = order.get_ready()
                results = await asyncio.gather(
                    *(
                        self._step(run, line, name, recipe.steps[name], made, before)
                        for name in ready
                    )
                )
                made |= zip(ready, results, strict=True)
                order.done(*ready)
        failed = any(one.state is StepState.FAILED for one in made.values())
        state = StepState.FAILED if failed else StepState.DONE
        await self._keep(self._store.settle, run.id, line.place, state)

    async def _step(
        self,
        run: Run,
        line: Line,
        name: str,
        step: Step,
        made: Mapping[str, Made],
        before: Mapping[str, Made],
    ) -> Made:
        """What came of one step: what it made before, or what it makes now."""
        known = before.get(name, Made(name, StepState.WAITING))
        if known.state is not StepState.WAITING:
            return known
        result = await self._carried_out(run, line, step, made, known)
        await self._keep(self._store.step, run.id, line.place, result)
        return result

    async def _carried_out(
        self, run: Run, line: Line, step: Step, made: Mapping[str, Made], known: Made
    ) -> Made:
        def ended(state: StepState, **how: Any) -> Made:
            return Made(known.step, state, known.attempt, **how)

        client = self._client(run.owner)
        needs = step.needs()
        missing = [made[r.name] for r in needs if r.name in made and not made[r.name].artifacts]
        if any(one.state is StepState.FAILED for one in missing):
            return ended(StepState.SKIPPED)
        try:
            values = await standing_for(client, needs, line, made)
            if missing or not holds(step, values):
                return ended(StepState.SKIPPED)
            job = await self._ordered(client, step, values, run, line, known)
        except StudioError as error:
            return ended(StepState.FAILED, error=error.record())
        except Exception:
            broken = Broken()
            _LOG.exception("incident %s: run %s", broken.incident, run.id)
            return ended(StepState.FAILED, error=broken.record())
        how: dict[str, Any] = {"job": job.id, "seed": job.request.get("seed")}
        match await _end_of(client, job.id):
            case Done(ids=ids):
                return ended(StepState.DONE, artifacts=ids, **how)
            case Failed(error=reason):
                return ended(StepState.FAILED, error=reason, **how)

    async def _ordered(
        self,
        client: Client,
        step: Step,
        values: Mapping[Reference, Value],
        run: Run,
        line: Line,
        known: Made,
    ) -> Job:
        """The step's job, under its key; waits while the studio is too busy to take it."""
        if known.job is not None:
            return await client.job(known.job)
        fields = filled(step, values)
        key = f"run:{run.id}:{line.place}:{known.step}:{known.attempt}"

        async def order() -> Job:
            job = await client.submit(step.task, fields, key=key, priority=PRIORITY)
            ordered = replace(known, job=job.id, seed=job.request.get("seed"))
            await anyio.to_thread.run_sync(self._store.step, run.id, line.place, ordered)
            return job

        while True:
            try:
                # To its end, so that whoever stops the run knows what to stop.
                return await _to_its_end(order())
            except Unavailable as error:
                if not error.retry:
                    raise
                await asyncio.sleep(PAUSE)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; whoever waits for it may be cancelled, it is not."""
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


async def _end_of(client: Client, job: str) -> Done | Failed:
    """The job's last event; waits while its owner watches as many jobs as may be."""
    while True:
        try:
            async with aclosing(client.events(job)) as events:  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, Done | Failed):
                        return event
        except Unavailable as error:
            if not error.retry:
                raise
            await asyncio.sleep(PAUSE)
        else:
            raise AssertionError("a job's events end with Done or Failed")
