"""The job store: every accepted order is a DBOS workflow, and so survives whatever kills the host.

A workflow here is a durable promise and nothing more. Its input is the job, its output the
outcome; between the two it waits for `run`, which the host provides. A host that dies leaves the
workflow pending, and the next one to open the store is handed the job again.

DBOS ends a workflow with an error of its own where it had no room for the outcome, and takes in no
outcome after that. So an error ends no job here: the outcome is noted beside it, and a job without
that note is unfinished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from contextvars import Context
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Self, cast

from dbos import (
    DBOS,
    DBOSContextSetAuth,
    SetWorkflowAttributes,
    SetWorkflowID,
    WorkflowHandleAsync,
    WorkflowStatus,
)
from sqlalchemy.exc import DBAPIError

from studio.durable import WORKFLOW, durable
from studio.errors import Broken, Cancelled, NotFound, Unavailable
from studio.job import Job, Outcome, Standing

#: DBOS stamps rows with whole seconds on SQLite, some time after the job was made.
_STAMP_MARGIN = 2.0

#: How many jobs one transaction deletes.
_FORGOTTEN_AT_ONCE = 500

#: Seconds before what failed is tried again: carrying a job out, or storing its outcome.
AGAIN_SECONDS = 5.0

_LOG = logging.getLogger(__name__)


class JobStore:
    """All jobs of one home. Open it with `async with`."""

    def __init__(
        self,
        url: str,
        run: Callable[[Job], Awaitable[Outcome]],
        settled: Callable[[str, Outcome], None],
    ) -> None:
        """Keep jobs at the SQLAlchemy `url`.

        `run` carries a job out; it may be handed a job that an earlier host had begun. `settled`
        is told a job's id and outcome once the outcome is stored. Both are called on the event
        loop that opened the store.
        """
        self._url = url
        self._run = run
        self._settled = settled
        self._running: dict[str, asyncio.Task[Any]] = {}
        #: Unfinished jobs that were first stored by this very store.
        self._fresh: set[str] = set()
        #: How jobs ended whose outcome could not be stored yet, and who stores it again.
        self._reached: dict[str, Outcome] = {}
        self._unwritten: dict[str, asyncio.Task[None]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False

    async def __aenter__(self) -> Self:
        """Open the store; jobs that were not finished are handed to `run` again.

        Raises:
            Unavailable: if the database cannot be opened, or this process has a store open.
        """
        self._loop = asyncio.get_running_loop()

        async def keep(record: dict[str, Any]) -> dict[str, Any]:
            return await self._keep(Job.from_record(record))

        async with AsyncExitStack() as stack:
            self._workflow = await stack.enter_async_context(durable(self._url, keep))
            for row in await DBOS.list_workflows_async(name=WORKFLOW, status="ERROR"):
                if _outcome(row) is None:
                    self._carry_on(_job(row))
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of every unfinished job, which stays stored, and close the database."""
        self._closing = True
        # A workflow that is cancelled from within stores nothing, and so stays pending.
        for carrying in self._running.values():
            carrying.cancel()
        for writing in self._unwritten.values():
            writing.cancel()
        await self._empty.wait()
        await self._open.aclose()

    async def put(self, job: Job, *, drawn: bool = False) -> Job:
        """Accept `job`: when this returns, it is stored. A job with the same id is not replaced.

        Returns the stored job; an id that was `drawn` at random is known to be no other's. Raises
        `Unavailable` if the database cannot take it.
        """
        if drawn:
            self._fresh.add(job.id)
        # In a task of its own: a caller who hangs up must not leave a stored job without a runner.
        starting = self._loop.create_task(self._start(job), context=Context())
        try:
            await asyncio.shield(starting)
        except DBAPIError as error:
            self._fresh.discard(job.id)
            raise Unavailable(
                f"The order could not be stored: {error.orig}.",
                hint="Make room on the disk, then send it again.",
                retry=True,
            ) from error
        return job if drawn else await self.get(job.id)

    async def get(self, job: str) -> Job:
        """The job with this id, as far as the store knows it.

        Raises:
            NotFound: if there is none.
        """
        status = await DBOS.get_workflow_status_async(job)
        if status is None or status.name != WORKFLOW:
            raise NotFound("There is no such job.", hint="Look through your jobs for its id.")
        return self._overlaid(_job(status))

    async def list(self, owner: str, *, limit: int, before: Job | None = None) -> list[Job]:
        """The owner's jobs, newest first: at most `limit`, made before the job `before`."""
        end = None
        if before is not None:
            end = datetime.fromtimestamp(before.created + _STAMP_MARGIN, UTC).isoformat()
        size = limit + 64
        while True:
            rows = await DBOS.list_workflows_async(
                name=WORKFLOW, user=owner, end_time=end, limit=size, sort_desc=True
            )
            jobs = sorted(map(self._overlaid, map(_job, rows)), key=_age, reverse=True)
            if len(rows) == size:
                # Rows with equal stamps come in no order, so the last ones fetched may not be
                # the newest of those that are left; they belong to the next page.
                sure = (rows[-1].created_at or 0) / 1000 + _STAMP_MARGIN
                jobs = [job for job in jobs if job.created > sure]
            if before is not None:
                jobs = [job for job in jobs if _age(job) < _age(before)]
            if len(jobs) >= limit or len(rows) < size:
                return jobs[:limit]
            size *= 2

    async def unfinished(self) -> tuple[Job, ...]:
        """Everybody's jobs that have no outcome yet."""
        rows = await DBOS.list_workflows_async(
            name=WORKFLOW, status=["PENDING", "ENQUEUED", "DELAYED", "ERROR"]
        )
        return tuple(
            _job(row)
            for row in rows
            if row.workflow_id not in self._unwritten and _outcome(row) is None
        )

    async def forget(self, before: float) -> int:
        """Delete the jobs that ended before then, in seconds since the epoch; how many there were.

        Their outputs stay: they are the artifact store's.
        """
        forgotten = 0
        while rows := await DBOS.list_workflows_async(
            name=WORKFLOW,
            completed_before=datetime.fromtimestamp(before, UTC).isoformat(),
            limit=_FORGOTTEN_AT_ONCE,
            load_input=False,
            load_output=False,
        ):
            await DBOS.delete_workflows_async([row.workflow_id for row in rows])
            forgotten += len(rows)
        return forgotten

    async def count(self, job: str, attempts: int) -> None:
        """Remember that a worker has begun the job `attempts` times since its last output."""
        await self._note(job, {"attempts": attempts})

    async def cancel(self, job: str) -> None:
        """Remember that the job is to end; whoever is handed it again finds it `cancelled`."""
        await self._note(job, {"cancelled": True})

    async def move(self, job: str, standing: Standing) -> None:
        """Remember where its owner has put the job."""
        await self._note(job, {"moved": asdict(standing)})

    async def _note(self, job: str, attributes: dict[str, Any]) -> None:
        await DBOS.update_workflow_attributes_async(job, attributes, merge=True)

    async def _start(self, job: Job) -> WorkflowHandleAsync[dict[str, Any]]:
        with (
            SetWorkflowID(job.id),
            SetWorkflowAttributes({"task": job.task}),
            DBOSContextSetAuth(job.owner, None),
        ):
            return await DBOS.start_workflow_async(self._workflow, job.record())

    async def _keep(self, job: Job) -> dict[str, Any]:
        """The workflow: wait for the job's outcome. It may run on a loop of DBOS's own."""
        keeping = cast(asyncio.Task[Any], asyncio.current_task())
        # Out of the workflow's context, where every call would be recorded as a step of it.
        promise = Context().run(asyncio.run_coroutine_threadsafe, self._carry_out(job), self._loop)
        # DBOS writes the outcome in this same task, after this function has returned it.
        keeping.add_done_callback(
            lambda task: self._loop.call_soon_threadsafe(self._kept, job.id, task)
        )
        outcome = await asyncio.wrap_future(promise)
        return asdict(outcome)

    async def _carry_out(self, job: Job) -> Outcome:
        if self._closing:
            raise asyncio.CancelledError
        if job.id in self._unwritten:
            return self._reached[job.id]
        self._running[job.id] = cast(asyncio.Task[Any], asyncio.current_task())
        self._empty.clear()
        # What an earlier host has noted of a job stands beside its record.
        while True:
            try:
                outcome = await self._run(job if job.id in self._fresh else await self.get(job.id))
            except Exception as error:
                # To DBOS an error is final. Only an outcome may end a job.
                broken = _broken(job.id)
                _LOG.error("incident %s: job %s", broken.incident, job.id, exc_info=error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self._reached[job.id] = outcome
                return outcome

    def _kept(self, job: str, keeping: asyncio.Task[Any]) -> None:
        """The workflow has ended: its outcome is stored or could not be, or the store closes."""
        self._running.pop(job, None)
        self._fresh.discard(job)
        if not self._running:
            self._empty.set()
        if keeping.cancelled() or job in self._unwritten:
            return
        outcome = self._reached[job]
        if error := keeping.exception():
            _LOG.error("the outcome of job %s is not stored yet", job, exc_info=error)
            self._unwritten[job] = self._loop.create_task(self._write(job), context=Context())
        else:
            del self._reached[job]
        self._settled(job, outcome)

    def _carry_on(self, job: Job) -> None:
        """Carry out a job whose workflow an earlier host has left with an error of DBOS's own."""

        async def carry_on() -> None:
            outcome = await self._carry_out(job)
            await self._note(job.id, {"outcome": asdict(outcome)})

        carrying = self._loop.create_task(carry_on(), context=Context())
        carrying.add_done_callback(lambda task: self._kept(job.id, task))

    async def _write(self, job: str) -> None:
        """Store an outcome that DBOS could not store, until it is."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            try:
                status = await DBOS.get_workflow_status_async(job)
                match status and status.status:
                    case "PENDING":
                        # It runs again, and finds its outcome reached.
                        await DBOS.resume_workflow_async(job)
                    case "ENQUEUED":
                        pass
                    case "ERROR":
                        await self._note(job, {"outcome": asdict(self._reached[job])})
                        break
                    case _:
                        break
            except Exception as error:
                _LOG.error("the outcome of job %s is not stored yet", job, exc_info=error)
        del self._unwritten[job], self._reached[job]

    def _overlaid(self, job: Job) -> Job:
        """`job` with its outcome, if that is known and not stored yet."""
        if job.id not in self._unwritten:
            return job
        outcome = self._reached[job.id]
        return replace(job, state=outcome.state, artifacts=outcome.artifacts, error=outcome.error)


def _age(job: Job) -> tuple[float, str]:
    return job.created, job.id


def _job(status: WorkflowStatus) -> Job:
    """The job that a row holds."""
    job = Job.from_record(cast(Mapping[str, Any], status.input)["args"][0])
    notes: Mapping[str, Any] = status.attributes or {}
    job = replace(job, attempts=notes.get("attempts", 0))
    if (moved := notes.get("moved")) is not None:
        job = replace(job, moved=Standing(**moved))
    outcome = _outcome(status)
    if outcome is None:
        if not notes.get("cancelled"):
            return job
        outcome = Outcome((), Cancelled().record())
    return replace(job, state=outcome.state, artifacts=outcome.artifacts, error=outcome.error)


def _broken(job: str) -> Broken:
    return Broken(incident=job[:8])


def _outcome(status: WorkflowStatus) -> Outcome | None:
    """The outcome that a row holds, as its output or beside an error; None of an unfinished job."""
    notes: Mapping[str, Any] = status.attributes or {}
    record: Any = status.output if status.status == "SUCCESS" else notes.get("outcome")
    if record is None:
        return None
    return Outcome(tuple(record["artifacts"]), record["error"])
