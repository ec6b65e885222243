"""Consents to the use of a voice: asking for one, giving it, and taking it back."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from studio.api.failures import routes
from studio.api.here import Here
from studio.consent import Challenge, Consent

router = routes("consents", "/consents")


class Sample(BaseModel):
    """Whose voice it is about: the id of a sound."""

    model_config = ConfigDict(extra="forbid")

    voice: str = Field(max_length=200)


class Reading(BaseModel):
    """The challenge that was read, the id of its recording, and how long the consent holds."""

    model_config = ConfigDict(extra="forbid")

    challenge: str = Field(max_length=200)
    recording: str = Field(max_length=200)
    days: float = 30


@router.get("")
async def list_consents(client: Here) -> list[Consent]:
    """Your consents, oldest first, with those that expired or were revoked."""
    return await client.consents()


@router.post("/challenges", status_code=201)
async def ask_consent(client: Here, sample: Sample) -> Challenge:
    """A fresh sentence, to be read aloud within minutes by whom the voice belongs to."""
    return await client.ask_consent(sample.voice)


@router.post("", status_code=201)
async def give_consent(client: Here, reading: Reading) -> Consent:
    """Record that it was read; takes as long as listening to it does."""
    return await client.give_consent(reading.challenge, reading.recording, days=reading.days)


@router.delete("/{consent}")
async def revoke_consent(client: Here, consent: str) -> Consent:
    """Take a consent back, for good: its jobs stop, and its sample is deleted."""
    return await client.revoke_consent(consent)
