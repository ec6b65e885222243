"""A long speech: heard part by part, whole at its end, whatever happens meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.artifact import Artifact, artifact_id
from studio.host import Host
from studio.job import Done, JobState, Sealed
from studio.protocol import LOCAL
from studio.provenance.verdict import Outcome
from tests.hosts import finished, run, settings_for

TEXT = "One is the first. Two follows it, and says more. Three comes after that. Four ends it."
LONG = " ".join(f"This is sentence number {number}." for number in range(40))


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0]


def test_a_speech_in_parts_ends_with_the_whole_of_it(home: Path) -> None:
    async def test() -> None:
        async with Host(settings_for(home)) as host:
            client = host.client(LOCAL)
            job = await client.submit("speak", {"text": TEXT, "count": 3, "seed": 5})
            told = [event async for event in client.events(job.id)]
            sealed = [event.index for event in told if isinstance(event, Sealed)]
            assert (sorted(sealed), sealed[-1]) == ([0, 1, 2, 3], 3), "the whole comes last"
            *parts, whole = (await client.job(job.id)).artifacts
            assert told[-1] == Done((*parts, whole))
            found = await client.artifact(whole)
            assert found.note.parents == tuple(parts)
            assert len((await client.lineage(whole)).parents) == 3
            # Its samples are those of the parts, up to the marks, which nobody hears.
            joined = np.concatenate([read(await client.fetch(part)) for part in parts])
            heard = read(await client.fetch(whole))
            assert len(heard) == len(joined)
            assert np.corrcoef(heard, joined)[0, 1] > 0.97
            # The number that is heard in it is its own, and it is found by that.
            assert found.note.marks["audio"]["foreign"] == ""
            assert not found.note.marks["audio"]["weak"]
            assert (await client.verify(await client.fetch(whole))).outcome is Outcome.SIGNED
            assert not list((home / "parts").iterdir())
            # A host that ended before it had noted that finds everything there.
            ended = await client.job(job.id)
            again = await host.dispatcher.carry_out(ended)
            host.dispatcher.settled(job.id, again)
            assert (again.artifacts, again.error) == (ended.artifacts, None)
            # Said in one breath, it is the very same.
            once = await finished(client, (await client.submit("speak", {"text": TEXT})).id)
            (alone,) = once.artifacts
            note = (await client.artifact(alone)).note
            assert found.note.draft_sha256 == note.draft_sha256
            cues, expected = found.note.about["cues"], note.about["cues"]
            assert [cue["text"] for cue in cues] == [cue["text"] for cue in expected]
            for cue, other in zip(cues, expected, strict=True):
                assert cue["start"] == pytest.approx(other["start"], abs=0.002)
                assert cue["end"] == pytest.approx(other["end"], abs=0.002)

    run(test)


def test_stopping_in_the_middle_keeps_the_parts_and_makes_no_whole(home: Path) -> None:
    async def test() -> None:
        async with Host(settings_for(home)) as host:
            client = host.client(LOCAL)
            job = await client.submit("speak", {"text": LONG, "count": 40})
            async for event in client.events(job.id):
                if isinstance(event, Sealed) and event.index == 0:
                    await client.cancel(job.id)
            ended = await client.job(job.id)
            assert ended.state is JobState.CANCELLED
            assert 1 <= len(ended.artifacts) < 40
            assert artifact_id(job.id, 40) not in ended.artifacts
            assert not list((home / "parts").iterdir())

    run(test)


def test_a_speech_goes_on_with_the_next_host_and_nothing_is_made_twice(home: Path) -> None:
    before: dict[str, Artifact] = {}

    async def begin() -> str:
        async with Host(settings_for(home)) as host:
            client = host.client(LOCAL)
            job = await client.submit("speak", {"text": LONG, "count": 12})
            async for event in client.events(job.id):
                if isinstance(event, Sealed):
                    before[event.artifact] = await client.artifact(event.artifact)
                    if len(before) == 3:
                        break
        return job.id

    async def go_on(job: str) -> None:
        async with Host(settings_for(home)) as host:
            client = host.client(LOCAL)
            ended = await finished(client, job)
            assert ended.state is JobState.DONE, ended.error
            assert ended.artifacts == tuple(artifact_id(job, index) for index in range(13))
            for identity, artifact in before.items():
                assert (await client.artifact(identity)).note == artifact.note
            whole = await client.artifact(ended.artifacts[-1])
            assert whole.note.parents == ended.artifacts[:-1]
            said = [cue["text"] for cue in whole.note.about["cues"]]
            assert said == [f"This is sentence number {number}." for number in range(40)]
            frames = [soundfile.info(await client.fetch(one)).frames for one in ended.artifacts]
            assert frames[-1] == sum(frames[:-1])

    async def test() -> None:
        await go_on(await begin())

    run(test)
