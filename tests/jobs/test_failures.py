"""What goes wrong on the way, and what is kept: retries, seals, a full disk, a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from studio.artifact import Artifact, Note, artifact_id
from studio.cards import Card
from studio.draft import Draft
from studio.errors import (
    Broken,
    Cancelled,
    OutOfMemory,
    Unavailable,
)
from studio.families import Order
from studio.host import Host
from studio.inputs import Inputs
from studio.job import Event, Failed, JobState, Loading, Paused, Step, TextDelta
from studio.provenance.seal import Sealer
from studio.tasks.request import Kind
from studio.worker.report import Made
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, fake_host, finished, heard, run, settings_for, until, write_cards


def test_an_error_that_may_pass_is_tried_once_more(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[Broken("died"), None])
        async with host:
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            assert job.state is JobState.DONE
            assert len(lane.batches) == 2

    run(test)


def test_an_error_that_stays_fails_the_job_and_says_why(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[Broken("died"), Broken("died again"), None])
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            last = (await heard(client, job.id))[-1]
            job = await client.job(job.id)
            assert isinstance(last, Failed)
            assert (job.state, job.attempts, job.error) == (JobState.FAILED, 2, last.error)
            assert last.error["message"] == "died again"
            assert (await finished(client, (await client.submit("imagine", SMALL)).id)).artifacts
            assert len(lane.batches) == 3

    run(test)


def test_an_error_that_cannot_pass_is_not_tried_again(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[OutOfMemory()])
        async with host:
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            assert job.error is not None
            assert job.error["error"] == "OutOfMemory"
            assert len(lane.batches) == 1

    run(test)


def test_closing_and_opening_again_loses_nothing_and_repeats_nothing(home: Path) -> None:
    async def before() -> list[str]:
        host, _ = fake_host(home, steps=5, seconds=0.02)
        async with host:
            client = host.client("ann")
            jobs = [await client.submit("imagine", {**SMALL, "count": 3}) for _ in range(3)]
            async for event in client.events(jobs[0].id):
                if isinstance(event, Step) and event.index == 1:
                    break
        return [job.id for job in jobs]

    async def after(ids: list[str]) -> None:
        host, lane = fake_host(home)
        async with host:
            client = host.client("ann")
            jobs = [await finished(client, job) for job in ids]
            assert [job.state for job in jobs] == [JobState.DONE] * 3
            assert len({artifact for job in jobs for artifact in job.artifacts}) == 9
            made = [(order.job, order.index) for batch in lane.batches for order in batch]
            assert (ids[0], 0) not in made, "it was finished before"
            assert len(made) == len(set(made)) == 8
            assert jobs[0].attempts == 1, "closing the studio was not the job's fault"

    ids = asyncio.run(before())
    run(lambda: after(ids))


def test_a_job_that_was_begun_too_often_is_given_up(home: Path) -> None:
    async def before() -> str:
        host, lane = fake_host(home, steps=1000, seconds=0.05)
        async with host:
            job = await host.client("ann").submit("imagine", SMALL)
            await until(lambda: lane.batches)
            # As if the host had died this often: its own end is not counted.
            await host.jobs.count(job.id, 5)
            host.dispatcher._line[job.id].begun = False
        return job.id

    async def after(job_id: str) -> None:
        host, lane = fake_host(home)
        async with host:
            job = await finished(host.client("ann"), job_id)
            assert job.state is JobState.FAILED
            assert job.error is not None
            assert "begun 5 times" in job.error["message"]
            assert lane.batches == []

    job_id = asyncio.run(before())
    run(lambda: after(job_id))


def test_a_job_whose_outputs_are_all_there_is_done_however_often_it_was_begun(home: Path) -> None:
    """A kill after the last output, before the index and the job have heard of it."""

    async def before() -> tuple[str, str]:
        host, lane = fake_host(home, steps=1000, seconds=0.05)
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            await until(lambda: lane.batches)
            await host.jobs.count(job.id, 5)
            host.dispatcher._line[job.id].begun = False
            identity = artifact_id(job.id, 0)
            note = Note(
                job.id, 0, "p", job.task, job.card, "embedded", job.request, "0" * 64, "0" * 64,
                7, (), {}, 1, {}, 1_700_000_000.0,
            )  # fmt: skip
            artifact = Artifact(identity, "ann", "image", "image/png", 4, "0" * 64, note)
            record = artifact.record()
            del record["keeping"]
            place = host.provenance.store.folder / identity[:2]
            place.mkdir()
            (place / f"{identity}.note.json").write_text(json.dumps(record))
            (place / f"{identity}.png").write_bytes(b"file")
        return job.id, identity

    async def after(job_id: str, identity: str) -> None:
        host, lane = fake_host(home)
        async with host:
            job = await finished(host.client("ann"), job_id)
            assert (job.state, job.artifacts) == (JobState.DONE, (identity,))
            assert lane.batches == []

    job_id, identity = asyncio.run(before())
    run(lambda: after(job_id, identity))


def test_a_full_disk_pauses_jobs_and_loses_none(home: Path) -> None:
    async def before() -> str:
        settings = settings_for(home, spare_bytes=10**18)
        write_cards(home)
        lane = FakeLane(settings)
        async with Host(settings, lanes=[lane]) as host:
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            async for event in client.events(job.id):
                if isinstance(event, Paused):
                    assert str(home) in event.hint
                    break
            assert (await client.job(job.id)).state is JobState.WAITING
            assert lane.batches == []
        return job.id

    async def after(job: str) -> None:
        host, _ = fake_host(home)
        async with host:
            assert (await finished(host.client("ann"), job)).state is JobState.DONE

    job = asyncio.run(before())
    run(lambda: after(job))


def test_what_cannot_be_sealed_fails_the_job_and_is_not_published(home: Path) -> None:
    async def test() -> None:
        host, _ = fake_host(home, seconds=0.1)
        async with host:
            client = host.client("ann")
            job = await client.submit("imagine", SMALL)
            # A folder where the output's file has to be.
            name = artifact_id(job.id, 0)
            (home / "artifacts" / name[:2] / f"{name}.png" / "in the way").mkdir(parents=True)
            job = await finished(client, job.id)
            assert job.state is JobState.FAILED
            assert job.error is not None
            assert job.error["error"] == "SealFailed"
            assert await client.artifacts() == []
            assert not list((home / "spool").rglob("*.npy"))
            assert (await finished(client, (await client.submit("imagine", SMALL)).id)).artifacts

    run(test)


def test_what_could_not_be_sealed_for_now_is_made_again(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home)
        async with host:
            host.dispatcher._sealers._sealer = FullOnce(host.provenance.sealer)  # type: ignore[assignment]
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", {**SMALL, "count": 2})).id)
            assert job.state is JobState.DONE
            assert len(job.artifacts) == 2
            made = [order.index for batch in lane.batches for order in batch]
            assert sorted(made) == [0, 0, 1]

    run(test)


class FullOnce:
    """A sealer that meets a full disk at its first output."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._full = True

    def prepare(self, kind: Kind) -> None:
        self._sealer.prepare(kind)

    def seal(self, draft: Draft, **how: Any) -> Artifact:
        if self._full:
            self._full = False
            raise Unavailable("The disk is full.", retry=True)
        return self._sealer.seal(draft, **how)


def test_the_line_goes_on_after_something_unforeseen(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("studio.dispatcher.DISK_SECONDS", 0.2)

    async def test() -> None:
        host, _ = fake_host(home)
        async with host:
            client = host.client("ann")
            # The folder whose disk is looked at is away for a moment.
            away = home.with_name("away")
            host.dispatcher._settings = settings_for(away)
            job = await client.submit("imagine", SMALL)
            async for event in client.events(job.id):
                if isinstance(event, Paused):
                    break
            assert (await client.job(job.id)).state is JobState.WAITING
            away.mkdir()
            assert (await finished(client, job.id)).state is JobState.DONE

    run(test)
    assert "FileNotFoundError" in caplog.text


def test_a_family_that_says_cancelled_unasked_is_asked_once_more(home: Path) -> None:
    async def test() -> None:
        host, lane = fake_host(home, errors=[Cancelled(), None, Cancelled(), Cancelled()])
        async with host:
            client = host.client("ann")
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            assert (job.state, len(lane.batches)) == (JobState.DONE, 2)
            job = await finished(client, (await client.submit("imagine", SMALL)).id)
            assert (job.state, len(lane.batches)) == (JobState.FAILED, 4), "nobody stopped it"

    run(test)


def test_a_sweep_that_fails_keeps_no_other_from_its_work(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("studio.host._SWEEP_SECONDS", 0.1)
    swept: list[str] = []

    def broken(self: Inputs, *_: object) -> None:
        swept.append("uploads")
        raise OSError("the folder is away")

    monkeypatch.setattr(Inputs, "sweep", broken)

    async def test() -> None:
        settings = settings_for(home, jobs_days=1e-9)
        write_cards(home)
        async with Host(settings, lanes=[FakeLane(settings)]) as host:
            client = host.client("ann")
            await finished(client, (await client.submit("imagine", SMALL)).id)
            async with asyncio.timeout(10):
                while await client.jobs():
                    await asyncio.sleep(0.05)
            await until(lambda: len(swept) > 1)

    run(test)
    assert "the folder is away" in caplog.text


class Writer(FakeLane):
    """A lane that says what it writes as soon as it has begun."""

    async def generate(
        self,
        card: Card,
        folder: Path,
        revision: str,
        orders: Sequence[Order],
        *,
        tell: Callable[[str, Event], None],
        begun: Callable[[], Awaitable[None]],
    ) -> AsyncGenerator[Made, None]:
        async def write() -> None:
            await begun()
            for order in orders:
                tell(order.job, TextDelta("Hello", order.index))

        how: dict[str, Any] = {"tell": tell, "begun": write}
        async for made in super().generate(card, folder, revision, orders, **how):
            yield made


def test_a_text_that_is_begun_again_is_heard_once(home: Path) -> None:
    """Also where its model stayed in memory, so that nothing is loaded."""

    async def test() -> None:
        settings = settings_for(home)
        write_cards(home)
        lane = Writer(settings, errors=[None, Broken("died"), None])
        async with Host(settings, lanes=[lane]) as host:
            client = host.client("ann")
            await finished(client, (await client.submit("imagine", SMALL)).id)
            text = ""
            for event in await heard(client, (await client.submit("imagine", SMALL)).id):
                match event:
                    case Loading():
                        text = ""
                    case TextDelta(text=more):
                        text += more
            assert (text, len(lane.batches)) == ("Hello", 3)

    run(test)
