"""`Studio` for scripts has every verb of `Client`, as it is there, without being one."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

from studio import AsyncStudio, Studio
from studio.client import Client
from studio.errors import NotFound
from studio.job import Done, Failed, JobState
from tests.hosts import settings_for

VERBS = sorted(name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_")
#: What scripts may do besides: paths take the place of what has to be uploaded.
WIDER = {("submit", "values"), ("verify", "path")}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there_with_the_same_parameters_and_result(verb: str) -> None:
    ours, theirs = (inspect.signature(getattr(kind, verb)) for kind in (Studio, Client))
    assert ours.return_annotation == theirs.return_annotation.removeprefix("Async")
    assert list(ours.parameters) == list(theirs.parameters)
    for name, parameter in theirs.parameters.items():
        own = ours.parameters[name]
        assert (own.kind, own.default) == (parameter.kind, parameter.default), name
        assert (verb, name) in WIDER or own.annotation == parameter.annotation, name


def test_a_program_with_a_loop_of_its_own_makes_and_waits(home: Path) -> None:
    async def test() -> None:
        async with AsyncStudio(settings_for(home)) as studio:
            heard: list[object] = []
            (result,) = await studio.make(
                "imagine",
                prompt="a yellow star",
                model="starter-pictures",
                steps=2,
                on_event=heard.append,
            )
            assert result.path.is_file()
            assert heard[-1] == Done((result.artifact.id,))
            assert (await studio.client.jobs())[0].artifacts == (result.artifact.id,)
            with pytest.raises(NotFound):
                await studio.make("imagine", prompt="x", model="none")

    asyncio.run(test())


def test_who_stops_waiting_stops_the_job(home: Path) -> None:
    async def test() -> None:
        async with AsyncStudio(settings_for(home)) as studio:
            begun = asyncio.Event()
            making = asyncio.create_task(
                studio.make(
                    "imagine",
                    prompt="a yellow star",
                    model="starter-pictures",
                    count=8,
                    on_event=lambda _: begun.set(),
                )
            )
            await asyncio.wait(
                [asyncio.create_task(begun.wait()), making], return_when="FIRST_COMPLETED"
            )
            making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            (job,) = await studio.client.jobs()
            assert isinstance([event async for event in studio.client.events(job.id)][-1], Failed)
            assert (await studio.client.job(job.id)).state is JobState.CANCELLED

    asyncio.run(test())
