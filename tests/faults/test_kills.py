"""kill -9 of the host and of the device child: nothing is lost, nothing is half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.host import Host
from studio.job import JobState, Loading, Sealed, Step
from tests.hosts import fake_host, finished, run, settings_for

pytestmark = pytest.mark.fault


def killed_at(stage: str, home: Path, lane: str, jobs: int, delay: float = 0) -> list[str]:
    """Run a host until `delay` s after it said `stage`, kill it; the ids that it acknowledged."""
    host = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.host", str(home), lane, str(jobs)],
        stdout=subprocess.PIPE,
        text=True,
    )
    acknowledged = []
    assert host.stdout is not None
    for line in host.stdout:
        word, job = line.split()
        if word == "ack":
            acknowledged.append(job)
        if word == stage:
            time.sleep(delay)
            host.send_signal(signal.SIGKILL)
            break
    # Whatever it had still said before it died counts as well.
    acknowledged += [line.split()[1] for line in host.stdout if line.startswith("ack ")]
    assert host.wait(timeout=30) == -signal.SIGKILL
    host.stdout.close()
    return acknowledged


async def all_is_well(host: Host, jobs: list[str]) -> None:
    """Every job is done, every output is whole, signed and there once, and nothing else is left."""
    client = host.client("ann")
    seen = set()
    for job_id in jobs:
        job = await finished(client, job_id)
        assert job.state is JobState.DONE, job.error
        assert len(job.artifacts) == 2
        for artifact in job.artifacts:
            path = await client.fetch(artifact)
            assert (await client.verify(path)).outcome == "signed"
            seen.add(path)
    media = {
        path
        for path in (host.settings.home / "artifacts").glob("??/*")
        # A name that begins with a dot is a note that was being written, which nobody sees.
        if not path.name.startswith(".") and not path.name.endswith(".note.json")
    }
    assert media == seen, "a file that belongs to no job, or is half written"
    assert len(seen) == 2 * len(jobs)


@pytest.mark.parametrize("stage", ["ack", "Step", "Sealed", "Done"])
def test_a_killed_host_loses_nothing(home: Path, stage: str) -> None:
    jobs = killed_at(stage, home, "fake", 3)
    assert jobs

    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            known = {job.id for job in await host.client("ann").jobs()}
            assert known >= set(jobs), "an acknowledged job is gone"
            await all_is_well(host, sorted(known))

    run(test)


def test_a_killed_host_takes_its_child_along_and_the_next_one_goes_on(home: Path) -> None:
    jobs = killed_at("Step", home, "real", 2)
    deadline = time.monotonic() + 10
    while orphans := children(home):
        assert time.monotonic() < deadline, orphans
        time.sleep(0.1)

    async def test() -> None:
        async with Host(settings_for(home)) as host:
            await all_is_well(host, jobs)
            assert not list((home / "spool").rglob("*.npy"))
        assert not (home / "spool").exists()

    run(test)


def children(home: Path) -> list[psutil.Process]:
    """The device children that work below `home`."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if "studio.worker.child" in " ".join(process.info["cmdline"] or [])
        and str(home) in f"{process.info['cmdline']} {process.info['environ']}"
    ]


def test_a_killed_child_costs_a_retry_and_a_job_that_kills_it_twice_is_given_up(
    home: Path,
) -> None:
    async def test() -> None:
        async with Host(settings_for(home)) as host:
            client = host.client("ann")
            order = {"prompt": "a red circle above a blue square", "count": 2}

            job = await client.submit("imagine", order)
            kills = iter((Loading, Sealed, None))
            stage = next(kills)
            async for event in client.events(job.id):
                if stage and isinstance(event, stage):
                    kill_child(host)
                    stage = next(kills)
            assert stage is None
            await all_is_well(host, [job.id])

            job = await client.submit("imagine", {**order, "count": 1})
            async for event in client.events(job.id):
                if isinstance(event, Step) and host.lanes[0].state.pid:
                    kill_child(host)
            job = await client.job(job.id)
            assert (job.state, job.attempts) == (JobState.FAILED, 2)
            assert job.error is not None
            assert job.error["hint"]

    run(test)


def kill_child(host: Host) -> None:
    assert host.lanes[0].state.pid is not None
    os.kill(host.lanes[0].state.pid, signal.SIGKILL)
