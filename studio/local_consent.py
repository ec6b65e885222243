"""The verbs of consent inside the host's own process."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio

from studio.consent import NOT_COMPARED, Challenge, Consent, Voices, was_read
from studio.errors import Broken, InvalidRequest, Refused, StudioError
from studio.fields import Value, build
from studio.gallery import Gallery
from studio.job import Done, Failed, Job
from studio.provenance.fingerprint import HEARD
from studio.tasks import TASKS
from studio.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from studio.host import Host
    from studio.job import Event

#: Seconds that a sample may last: less shows no voice, more has others in it.
_SAMPLE = (2.0, 120.0)
#: And the reading of one sentence, no longer than what a mark is looked for in.
_READING = (2.0, float(HEARD))


class LocalConsent(Gallery, Voices):
    """One owner's view of the host's consents."""

    _host: Host
    _owner: str

    @abstractmethod
    async def submit(
        self, task: str, values: Mapping[str, Value], *, key: str | None = None, priority: int = 0
    ) -> Job: ...

    @abstractmethod
    def events(self, job: str) -> AsyncIterator[Event]: ...

    @abstractmethod
    async def cancel(self, job: str) -> Job: ...

    async def ask_consent(self, voice: str) -> Challenge:
        # Before anybody reads anything aloud: somebody must be there to hear it.
        listening = TASKS["automatic-speech-recognition"]
        self._host.catalog.choose(listening, build(listening.request, {"audio": voice}))
        sample = await self._sound(voice, _SAMPLE)
        return self._host.provenance.consents.ask(self._owner, voice, sample.sha256)

    async def give_consent(self, challenge: str, recording: str, *, days: float = 30) -> Consent:
        consents = self._host.provenance.consents
        asked = consents.challenge(self._owner, challenge)
        reading = await self._sound(recording, _READING)
        # Another studio's speech has no mark that could be read here, but says what it is.
        if reading.parent is not None or reading.manifest != "absent":
            raise Refused(
                "This recording was made or edited by a studio, and only a person can agree.",
                hint="Read the sentence aloud yourself, and bring the recording as it is.",
            )
        heard, listener = await self._told(
            "automatic-speech-recognition",
            {"audio": recording, "timestamps": False},
            f"heard {challenge} {recording}",
        )
        if not was_read(asked.sentence, heard):
            raise Refused(
                f"This is not the sentence: “{heard:.200}” was heard.",
                hint=f"Read exactly this, slowly and in a quiet room: “{asked.sentence}”",
            )
        speaker = await self._speaker(asked, recording)
        return await anyio.to_thread.run_sync(
            lambda: consents.grant(
                self._owner,
                asked,
                days,
                recording=reading.sha256,
                heard=heard,
                listener=listener,
                speaker=speaker,
            )
        )

    async def consents(self) -> list[Consent]:
        return await anyio.to_thread.run_sync(self._host.provenance.consents.of, self._owner)

    async def revoke_consent(self, consent: str) -> Consent:
        host = self._host
        revoked = await anyio.to_thread.run_sync(
            host.provenance.consents.revoke, self._owner, consent
        )
        for turn in host.dispatcher.queue():
            if turn.job.owner == self._owner and turn.job.request.get("consent") == consent:
                await self.cancel(turn.job.id)
        await anyio.to_thread.run_sync(host.inputs.discard, self._owner, revoked.voice)
        await anyio.to_thread.run_sync(host.inputs.discard, self._owner, revoked.recording)
        return revoked

    async def _sound(self, identity: str, span: tuple[float, float]) -> Upload:
        found = await anyio.to_thread.run_sync(self._host.inputs.sound, self._owner, identity)
        least, most = span
        if found.seconds is None or not least <= found.seconds <= most:
            raise InvalidRequest(
                f"This sound lasts {found.seconds or 0:.1f} seconds.",
                hint=f"It has to be {least:g} to {most:g} seconds of one person speaking.",
            )
        return found

    async def _speaker(self, asked: Challenge, recording: str) -> str:
        """What the record says of who read it."""
        task = TASKS["speaker-comparison"]
        if not any(map(self._host.catalog.installed, self._host.catalog.for_task(task))):
            return NOT_COMPARED
        told, model = await self._told(
            task.id,
            {"audio": asked.voice, "other": recording, "format": "json"},
            f"compared {asked.id} {recording}",
        )
        found = json.loads(told)
        if not found["steady"]:
            raise Refused(
                f"The sample does not sound like one person: {found['steadiness']:.2f} alike.",
                hint="Take a sample in which one person alone speaks, without music.",
            )
        if not found["same"]:
            raise Refused(
                f"Somebody else read the sentence: {found['likeness']:.2f} alike.",
                hint="The person whose voice it is has to read it, as they speak in the sample.",
            )
        return f"{found['likeness']:.3f} alike, by {model}"

    async def _told(self, task: str, values: Mapping[str, Value], key: str) -> tuple[str, str]:
        """What a job writes, and which model wrote it; the same key is the same job."""
        job = await self.submit(task, values, key=key)
        async for event in self.events(job.id):
            match event:
                case Done(ids=(identity, *_)):
                    path = await self.fetch(identity)
                    text = await anyio.to_thread.run_sync(path.read_text, "utf-8")
                    return text.strip(), job.card
                case Failed(error=error):
                    raise StudioError.from_record(error)
        raise Broken
