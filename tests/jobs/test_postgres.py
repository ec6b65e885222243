"""The job store on PostgreSQL: the same promises, by another URL.

Runs where `STUDIO_TEST_DATABASE_URL` names an empty database that may be filled.
"""

from __future__ import annotations

import os
import secrets

import pytest

from studio.job import JobState, Outcome
from studio.jobs import JobStore
from tests.hosts import run, until
from tests.jobs.test_store import DONE, Runner, new_job

URL = os.environ.get("STUDIO_TEST_DATABASE_URL")

pytestmark = pytest.mark.skipif(URL is None, reason="STUDIO_TEST_DATABASE_URL names no database")


def test_jobs_outlive_the_store() -> None:
    owner = secrets.token_hex(4)
    jobs = [new_job(owner) for _ in range(20)]

    def store(runner: Runner) -> JobStore:
        return JobStore(str(URL), runner.run, runner.settled.__setitem__)

    async def before() -> None:
        runner = Runner()
        async with store(runner) as opened:
            for job in jobs:
                assert await opened.put(job) == job
            await until(lambda: len(runner.handed) == 20)
            runner.outcomes[jobs[0].id].set_result(DONE)
            await until(lambda: runner.settled)
            await opened.count(jobs[1].id, 2)
            await opened.cancel(jobs[2].id)

    async def after() -> None:
        runner = Runner()
        async with store(runner) as opened:
            await until(lambda: len(runner.handed) == 19)
            assert runner.handed[jobs[1].id].attempts == 2
            assert runner.handed[jobs[2].id].state is JobState.CANCELLED
            for outcome in runner.outcomes.values():
                outcome.set_result(Outcome(()))
            await until(lambda: len(runner.settled) == 19)
            page = await opened.list(owner, limit=12)
            rest = await opened.list(owner, limit=12, before=page[-1])
            assert [job.id for job in page + rest] == [job.id for job in reversed(jobs)]

    run(before)
    run(after)
