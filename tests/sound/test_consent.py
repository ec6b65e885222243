"""Nobody's voice is imitated without a consent that holds: asked, given, expired, taken back."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from studio.catalog import Catalog
from studio.consent import NOT_COMPARED, Consent, fresh_sentence, was_read
from studio.draft import Draft
from studio.errors import InvalidRequest, NotFound, Refused, Unavailable
from studio.families import Order, Spec
from studio.families.espeak.family import Espeak
from studio.fields import build
from studio.host import Host
from studio.job import JobState
from studio.local import LocalClient
from studio.protocol import LOCAL
from studio.settings import Settings
from studio.tasks import TASKS
from studio.testing import Recorder
from studio.uploads import Upload, upload_id
from tests.fake_lane import FakeLane
from tests.hosts import finished, run, settings_for, until

CARD = """---
license: mit
studio:
  title: {name}
  family: none
  tasks: [{task}]
  source: {{path: starter/pictures}}
  memory: {{weights: 1, working: 1}}
---
What the lane without a device makes.
"""
SENTENCE = (
    "I agree that this studio may use my voice. The words are three red tigers and ten blue cats."
)


@dataclass
class Stage:
    """What the lane without a device hears and finds, and what it was asked to make."""

    heard: str = ""
    likeness: float = 0.9
    steady: bool = True
    #: The tasks in the order in which something was made for them.
    made: list[str] = field(default_factory=list)

    def draft(self, order: Order) -> Draft:
        self.made.append(order.task)
        if order.task == "automatic-speech-recognition":
            return Draft("text", order.index, order.seed, facts={"text": self.heard})
        if order.task == "speaker-comparison":
            found = {
                "likeness": self.likeness, "same": self.likeness > 0.86,
                "steadiness": 0.9 if self.steady else 0.4, "steady": self.steady,
            }  # fmt: skip
            return Draft("text", order.index, order.seed, facts={"text": json.dumps(found)})
        noise = np.random.default_rng(1).normal(0, 0.1, (22_050, 1)).astype(np.float32)
        return Draft("audio", order.index, order.seed, {"samples": noise}, {"rate": 22_050})


@asynccontextmanager
async def studio(
    home: Path, stage: Stage, *tasks: str
) -> AsyncIterator[tuple[Host, FakeLane, LocalClient]]:
    """A host with a model for each of the tasks, and for listening and for cloning anyway."""
    folder = home / "model_cards"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for task in ("automatic-speech-recognition", "voice-cloning", *tasks):
        (folder / f"a-{task}.md").write_text(CARD.format(name=f"a-{task}", task=task))
    settings = settings_for(home)
    lane = FakeLane(settings, draft=stage.draft)
    async with Host(settings, lanes=[lane]) as host:
        yield host, lane, host.client(LOCAL)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Reads a text aloud, with espeak-ng as the person, into a file."""
    folder = tmp_path_factory.mktemp("voices")
    catalog = Catalog.open(Settings(home=folder))
    spec = Spec("espeak-ng", catalog.folder(catalog["espeak-ng"]), "float32", None, {})
    voice = Espeak().load(spec, "cpu", "full")

    def read(text: str, who: str = "m1") -> Path:
        request = build(TASKS["text-to-speech"].request, {"text": text, "voice": who})
        order = Order("job", 0, "text-to-speech", request.model_dump(), 1)
        (draft,) = voice.generate([order], Recorder())
        path = folder / f"{abs(hash((text, who)))}.wav"
        soundfile.write(path, draft.arrays["samples"], draft.facts["rate"])
        return path

    yield read
    voice.unload()


def order_for(voice: Upload, consent: str) -> dict[str, Any]:
    return {"text": "Good evening.", "voice": voice.id, "consent": consent}


def brought(
    host: Host, number: int, *, owner: str = LOCAL, seconds: float = 3.0, **known: Any
) -> Upload:
    """An upload of some noise, kept without the checks of which other tests are."""
    folder = host.settings.home / "uploads"
    noise = np.random.default_rng(number).normal(0, 0.1, round(8000 * seconds))
    path = folder / f"{number}.wav"
    soundfile.write(path, noise, 8000)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    identity = upload_id(owner, sha256)
    upload = Upload(identity, "audio", "audio/wav", size, sha256, "a.wav", seconds=seconds, **known)
    return host.inputs._uploads.keep(owner, path, upload)


async def agreed(host: Host, stage: Stage) -> tuple[Upload, Consent]:
    """A sample, and the consent to its use."""
    client, sample = host.client(LOCAL), brought(host, 1)
    asked = await client.ask_consent(sample.id)
    stage.heard = asked.sentence
    return sample, await client.give_consent(asked.id, brought(host, 2).id, days=2)


def test_with_a_consent_a_voice_is_imitated_and_without_it_is_not(
    home: Path, read: Callable[..., Path]
) -> None:
    async def test() -> None:
        stage = Stage()
        async with studio(home, stage, "speaker-comparison") as (host, _, client):
            voice = await client.upload(read("This is how I speak on any other day of the week."))
            with pytest.raises(Refused, match="nobody has agreed"):
                await client.submit("clone", order_for(voice, "0" * 32))
            assert stage.made == [], "refused before anything was loaded"
            asked = await client.ask_consent(voice.id)
            stage.heard = asked.sentence
            reading = await client.upload(read(asked.sentence))
            given = await client.give_consent(asked.id, reading.id)
            assert "0.900 alike, by a-speaker-comparison" in given.speaker
            assert (given.voice, given.recording) == (voice.sha256, reading.sha256)
            assert stage.made == ["automatic-speech-recognition", "speaker-comparison"]
            job = await client.submit("clone", order_for(voice, given.id))
            ended = await finished(client, job.id)
            assert ended.state is JobState.DONE, ended.error
            artifact = await client.artifact(ended.artifacts[0])
            assert artifact.note.request["consent"] == given.id
            host.provenance.ledger.check()

    run(test)


def test_where_no_model_listens_nobody_is_asked_to_read(home: Path) -> None:
    async def test() -> None:
        async with studio(home, Stage()) as (host, _, client):
            sample = brought(host, 1)
            host.catalog.drop("a-automatic-speech-recognition")
            with pytest.raises(Unavailable, match="automatic-speech-recognition") as caught:
                await client.ask_consent(sample.id)
            assert "whisper-large-v3-turbo" in caught.value.hint

    run(test)


def test_a_consent_is_for_one_sample_and_one_owner(home: Path) -> None:
    async def test() -> None:
        stage = Stage()
        async with studio(home, stage) as (host, _, client):
            _, given = await agreed(host, stage)
            assert given.speaker == NOT_COMPARED
            with pytest.raises(Refused, match="another sample"):
                await client.submit("clone", order_for(brought(host, 3), given.id))
            theirs = brought(host, 1, owner="ann")
            assert theirs.sha256 == given.voice
            with pytest.raises(Refused, match="nobody has agreed"):
                await host.client("ann").submit("clone", order_for(theirs, given.id))
            assert await host.client("ann").consents() == []

    run(test)


def test_what_was_not_read_or_by_somebody_else_is_no_consent(home: Path) -> None:
    async def test() -> None:
        stage = Stage()
        async with studio(home, stage, "speaker-comparison") as (host, _, client):
            asked = await client.ask_consent(brought(host, 1).id)
            reading = [brought(host, number).id for number in range(2, 5)]
            with pytest.raises(NotFound, match="no such sentence"):
                await client.give_consent("0" * 16, reading[0])
            with pytest.raises(NotFound, match="no such sentence"):
                await host.client("ann").give_consent(asked.id, reading[0])
            stage.heard = "I agree that this studio may use my voice."
            with pytest.raises(Refused, match="not the sentence") as caught:
                await client.give_consent(asked.id, reading[0])
            assert asked.sentence in caught.value.hint
            # What was heard of a recording is known; another one is listened to anew.
            stage.heard, stage.likeness = asked.sentence, 0.3
            with pytest.raises(Refused, match="Somebody else"):
                await client.give_consent(asked.id, reading[1])
            stage.likeness, stage.steady = 0.9, False
            with pytest.raises(Refused, match="one person"):
                await client.give_consent(asked.id, reading[2])
            assert await client.consents() == []

    run(test)


def test_what_is_no_sample_or_no_reading_is_told(home: Path) -> None:
    async def test() -> None:
        async with studio(home, Stage()) as (host, _, client):
            for seconds in (0.5, 300.0):
                with pytest.raises(InvalidRequest, match="lasts"):
                    await client.ask_consent(brought(host, 1, seconds=seconds).id)
            asked = await client.ask_consent(brought(host, 2).id)
            for number, known in enumerate([{"parent": "a" * 32}, {"manifest": "valid"}]):
                artificial = brought(host, 3 + number, **known)
                with pytest.raises(Refused, match="only a person"):
                    await client.give_consent(asked.id, artificial.id)
            # A mark is looked for in the first seconds only.
            with pytest.raises(InvalidRequest, match="lasts"):
                await client.give_consent(asked.id, brought(host, 5, seconds=21).id)

    run(test)


def test_taking_it_back_stops_what_waits_and_deletes_the_sample(home: Path) -> None:
    async def test() -> None:
        stage = Stage()
        async with studio(home, stage) as (host, lane, client):
            voice, given = await agreed(host, stage)
            lane.go.clear()
            jobs = [await client.submit("clone", order_for(voice, given.id)) for _ in range(2)]
            await until(lambda: len(lane.batches) == 2)
            revoked = await client.revoke_consent(given.id)
            lane.go.set()
            for job in jobs:
                assert (await finished(client, job.id)).state is JobState.CANCELLED
            assert revoked.revoked is not None
            assert (await client.revoke_consent(given.id)).revoked == revoked.revoked
            with pytest.raises(NotFound):
                await client.submit("clone", order_for(voice, given.id))
            assert list((home / "uploads").rglob("*.json")) == [], "sample and reading are gone"
            # The same sample brought again is still nobody's to use.
            with pytest.raises(Refused, match="taken back"):
                await client.submit("clone", order_for(brought(host, 1), given.id))
            host.provenance.ledger.check()
            with pytest.raises(NotFound):
                await client.revoke_consent("0" * 32)

    run(test)


def test_it_expires_also_for_a_job_that_still_waits(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        stage = Stage()
        async with studio(home, stage) as (host, lane, client):
            voice, given = await agreed(host, stage)
            lane.go.clear()
            first = await client.submit("clone", order_for(voice, given.id))
            waiting = await client.submit("clone", order_for(voice, given.id))
            await until(lambda: len(lane.batches) == 2)
            await client.cancel(first.id)
            now = time.time
            monkeypatch.setattr(time, "time", lambda: now() + 3 * 86_400)
            lane.go.set()
            ended = await finished(client, waiting.id)
            assert ended.state is JobState.FAILED
            assert ended.error is not None
            assert "expired" in ended.error["message"]
            with pytest.raises(Refused, match="expired"):
                await client.submit("clone", order_for(voice, given.id))

    run(test)


def test_a_sentence_has_to_be_read_in_time_and_for_no_eternity(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        stage = Stage()
        async with studio(home, stage) as (host, _, client):
            asked = await client.ask_consent(brought(host, 1).id)
            stage.heard = asked.sentence
            reading = brought(host, 2).id
            with pytest.raises(InvalidRequest, match="up to 366"):
                await client.give_consent(asked.id, reading, days=1000)
            now = time.time
            monkeypatch.setattr(time, "time", lambda: now() + 700)
            with pytest.raises(NotFound, match="its time is over"):
                await client.give_consent(asked.id, reading)

    run(test)


def test_a_record_that_somebody_changed_counts_for_nothing(home: Path) -> None:
    async def test() -> None:
        stage = Stage()
        async with studio(home, stage) as (host, _, client):
            voice, given = await agreed(host, stage)
            forged = replace(given, id="f" * 32, expires=given.expires + 1e9)
            said = {name: value for name, value in vars(forged).items() if name != "revoked"}
            host.provenance.ledger.record({"consent": said})
            assert await client.consents() == [given]
            with pytest.raises(Refused, match="nobody"):
                await client.submit("clone", order_for(voice, forged.id))

    run(test)


def test_every_sentence_is_another_one_of_words_that_can_be_told_apart() -> None:
    sentences = {fresh_sentence() for _ in range(200)}
    assert len(sentences) == 200
    assert all(re.fullmatch(r"[A-Za-z. ]+", one) for one in sentences)


@pytest.mark.parametrize(
    ("heard", "read"),
    [
        (SENTENCE, True),
        (SENTENCE.upper().replace(".", ""), True),
        (SENTENCE.replace("three", "3").replace("ten", "10"), True),
        (SENTENCE.replace("tigers", "…").replace("agree", "a"), True),
        (SENTENCE.replace("tigers", "cats").replace("red", "white"), False),
        ("three red tigers and ten blue cats", False),
        (SENTENCE.partition(".")[0], False),
        (f"{SENTENCE} {SENTENCE} and much more of that", False),
        ("", False),
    ],
)
def test_a_few_mistakes_of_the_listener_are_allowed_for(heard: str, read: bool) -> None:
    assert was_read(SENTENCE, heard) is read
