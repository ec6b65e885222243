"""The job store, on real DBOS and real SQLite files."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from studio.errors import NotFound, Unavailable
from studio.job import Job, JobState, Outcome
from studio.jobs import JobStore
from tests.hosts import run, until

DONE = Outcome(("a" * 32,))


def new_job(owner: str = "ann", **values: object) -> Job:
    job = Job(
        secrets.token_hex(16),
        owner,
        "text-to-image",
        "starter-pictures",
        {"prompt": "a star\n\U0001f31f", "seed": 7, "count": 1},
        0,
        time.time(),
    )
    return replace(job, **values)  # type: ignore[arg-type]


class Runner:
    """Carries jobs out when it is told to."""

    def __init__(self) -> None:
        self.handed: dict[str, Job] = {}
        self.outcomes: dict[str, asyncio.Future[Outcome]] = {}
        self.settled: dict[str, Outcome] = {}

    async def run(self, job: Job) -> Outcome:
        self.handed[job.id] = job
        self.outcomes[job.id] = asyncio.get_running_loop().create_future()
        return await self.outcomes[job.id]

    def store(self, home: Path) -> JobStore:
        return JobStore(f"sqlite:///{home}/jobs.sqlite", self.run, self.settled.__setitem__)


def test_a_job_is_stored_run_and_settled(tmp_path: Path) -> None:
    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            job = new_job()
            assert await store.put(job) == job
            await until(lambda: job.id in runner.handed)
            assert (await store.get(job.id)).state is JobState.WAITING
            runner.outcomes[job.id].set_result(DONE)
            await until(lambda: job.id in runner.settled)
            # Whoever has heard of the end finds it stored.
            assert await store.get(job.id) == replace(
                job, state=JobState.DONE, artifacts=DONE.artifacts
            )

    run(test)


def test_the_same_id_is_the_same_job(tmp_path: Path) -> None:
    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            job = new_job()
            stored = await asyncio.gather(
                *(store.put(replace(job, request={"prompt": str(n)})) for n in range(5))
            )
            assert len({str(one) for one in stored}) == 1
            await until(lambda: runner.handed)
            await asyncio.sleep(0.1)
            assert list(runner.handed.values()) == stored[:1]

    run(test)


def test_unfinished_jobs_go_on_with_the_next_store(tmp_path: Path) -> None:
    first, second = Runner(), Runner()
    jobs = [new_job() for _ in range(20)]

    async def before() -> None:
        async with first.store(tmp_path) as store:
            for job in jobs:
                await store.put(job)
            await until(lambda: len(first.handed) == 20)
            first.outcomes[jobs[0].id].set_result(DONE)
            await until(lambda: first.settled)
            await store.count(jobs[1].id, 2)
            await store.cancel(jobs[2].id)

    async def after() -> None:
        async with second.store(tmp_path) as store:
            await until(lambda: len(second.handed) == 19)
            assert jobs[0].id not in second.handed
            assert second.handed[jobs[1].id] == replace(jobs[1], attempts=2)
            assert second.handed[jobs[2].id].state is JobState.CANCELLED
            for outcome in second.outcomes.values():
                outcome.set_result(DONE)
            await until(lambda: len(second.settled) == 19)
            states = {job.state for job in await store.list("ann", limit=50)}
            assert states == {JobState.DONE}

    run(before)
    run(after)


def test_two_stores_after_each_other_on_one_loop(tmp_path: Path) -> None:
    async def test() -> None:
        for name in ("one", "two"):
            runner = Runner()
            async with runner.store(tmp_path / name) as store:
                await store.put(new_job())
            assert await asyncio.to_thread(lambda: "still has threads") == "still has threads"

    run(test)


def test_two_stores_at_once_are_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with Runner().store(tmp_path / "one"):
            with pytest.raises(Unavailable, match="already runs"):
                await Runner().store(tmp_path / "two").__aenter__()
        async with Runner().store(tmp_path / "two"):
            pass

    run(test)


def test_the_list_is_the_owners_newest_first_and_pages_meet(tmp_path: Path) -> None:
    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            mine = [new_job("ann") for _ in range(30)]
            for job in mine:
                await store.put(job)
                await store.put(new_job("bob"))
            mine.reverse()
            pages: list[Job] = []
            while page := await store.list("ann", limit=7, before=pages[-1] if pages else None):
                pages += page
            assert pages == mine

    run(test)


def test_what_ended_long_ago_is_forgotten(tmp_path: Path) -> None:
    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            old, waiting = new_job(), new_job()
            for job in (old, waiting):
                await store.put(job)
            await until(lambda: len(runner.outcomes) == 2)
            runner.outcomes[old.id].set_result(DONE)
            await until(lambda: runner.settled)
            assert await store.forget(time.time() - 60) == 0
            assert await store.forget(time.time() + 60) == 1
            assert await store.list("ann", limit=9) == [waiting]

    run(test)


def test_an_outcome_tells_why(tmp_path: Path) -> None:
    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            job = new_job()
            await store.put(job)
            await until(lambda: runner.outcomes)
            failed = Outcome(DONE.artifacts, Unavailable("No.").record())
            runner.outcomes[job.id].set_result(failed)
            await until(lambda: runner.settled)
            assert runner.settled[job.id] == failed
            stored = await store.get(job.id)
            assert (stored.state, stored.error) == (JobState.FAILED, failed.error)
            assert stored.artifacts == DONE.artifacts

    run(test)


def test_only_an_outcome_ends_a_job_and_what_nobody_foresaw_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.jobs.AGAIN_SECONDS", 0.1)

    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            job = new_job()
            await store.put(job)
            await until(lambda: runner.outcomes)
            runner.outcomes[job.id].set_exception(ZeroDivisionError("inside"))
            await until(lambda: not runner.outcomes[job.id].done())
            assert (await store.get(job.id)).state is JobState.WAITING
            runner.outcomes[job.id].set_result(DONE)
            await until(lambda: runner.settled)
            assert (await store.get(job.id)).state is JobState.DONE

    with caplog.at_level(logging.ERROR, "studio.jobs"):
        run(test)
    assert "ZeroDivisionError: inside" in caplog.text


def test_an_outcome_that_cannot_be_stored_is_kept_and_stored_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.jobs.AGAIN_SECONDS", 0.2)

    def database(statement: str) -> None:
        with closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as file:
            file.execute(statement)

    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            job = new_job()
            await store.put(job)
            await until(lambda: runner.outcomes)
            database(
                "CREATE TRIGGER full BEFORE UPDATE ON workflow_status "
                "WHEN new.status IN ('SUCCESS', 'ERROR') "
                "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
            runner.outcomes[job.id].set_result(DONE)
            await until(lambda: runner.settled)
            assert runner.settled[job.id] == DONE
            assert (await store.get(job.id)).artifacts == DONE.artifacts
            assert (await store.list("ann", limit=1))[0].state is JobState.DONE
            assert await store.unfinished() == ()
            database("DROP TRIGGER full")
            await until(lambda: not store._unwritten)
        async with runner.store(tmp_path) as store:
            assert (await store.get(job.id)).artifacts == DONE.artifacts

    run(test)


def test_an_outcome_in_whose_place_an_error_was_stored_is_noted_and_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.jobs.AGAIN_SECONDS", 0.1)
    runner = Runner()
    job = new_job()

    async def test() -> None:
        async with runner.store(tmp_path) as store:
            await store.put(job)
            await until(lambda: runner.outcomes)
            no_room_for_success(tmp_path)
            runner.outcomes[job.id].set_result(DONE)
            await until(lambda: runner.settled and not store._unwritten)
            assert runner.settled[job.id] == DONE
            assert stored_status(tmp_path) == "ERROR"
            assert (await store.get(job.id)).artifacts == DONE.artifacts
            assert await store.unfinished() == ()
        async with runner.store(tmp_path) as store:
            assert (await store.get(job.id)).artifacts == DONE.artifacts
            assert await store.unfinished() == ()

    run(test)


def test_a_host_that_dies_before_it_noted_the_outcome_hands_the_job_to_the_next(
    tmp_path: Path,
) -> None:
    first, second, third = Runner(), Runner(), Runner()
    jobs = [new_job(), new_job()]

    async def test() -> None:
        async with first.store(tmp_path) as store:
            for job in jobs:
                await store.put(job)
            await until(lambda: len(first.outcomes) == 2)
            no_room_for_success(tmp_path)
            await store.cancel(jobs[1].id)
            for outcome in first.outcomes.values():
                outcome.set_result(DONE)
            await until(lambda: len(first.settled) == 2)
        async with second.store(tmp_path) as store:
            assert {job.id for job in await store.unfinished()} == {job.id for job in jobs}
            await until(lambda: len(second.outcomes) == 2)
            assert second.handed[jobs[0].id] == jobs[0]
            assert second.handed[jobs[1].id].state is JobState.CANCELLED
            for outcome in second.outcomes.values():
                outcome.set_result(DONE)
            await until(lambda: len(second.settled) == 2)
        async with third.store(tmp_path) as store:
            assert (await store.get(jobs[0].id)).state is JobState.DONE
            assert await store.unfinished() == ()
            assert not third.handed

    run(test)


def no_room_for_success(home: Path) -> None:
    """From here on DBOS can store that a workflow failed, and not that it went well."""
    with closing(sqlite3.connect(home / "jobs.sqlite")) as file:
        file.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON workflow_status WHEN new.status = 'SUCCESS' "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )


def stored_status(home: Path) -> str:
    with closing(sqlite3.connect(home / "jobs.sqlite")) as file:
        return str(file.execute("SELECT status FROM workflow_status").fetchone()[0])


def test_an_unknown_job_is_not_found(tmp_path: Path) -> None:
    async def test() -> None:
        async with Runner().store(tmp_path) as store:
            with pytest.raises(NotFound):
                await store.get("0" * 32)

    run(test)


def test_a_damaged_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"not a database" * 1000)

    async def test() -> None:
        with pytest.raises(Unavailable, match=r"jobs\.sqlite"):
            await Runner().store(tmp_path).__aenter__()

    run(test)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            await store.put(new_job())

    run(test)
    assert capfd.readouterr() == ("", "")


def test_no_pickle_is_stored(tmp_path: Path) -> None:
    async def test() -> None:
        runner = Runner()
        async with runner.store(tmp_path) as store:
            job = new_job()
            await store.put(job)
            await until(lambda: runner.outcomes)
            runner.outcomes[job.id].set_result(DONE)
            await until(lambda: runner.settled)

    run(test)
    stored = (tmp_path / "jobs.sqlite").read_bytes()
    assert b"py_pickle" not in stored
    assert b"portable_json" in stored
