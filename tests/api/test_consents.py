"""Consents over HTTP: the same verbs, and somebody else's are not there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.cards import Card
from studio.errors import NotFound, Refused, Unavailable
from studio.remote import RemoteClient
from tests.api.conftest import Server
from tests.sound.test_consent import CARD

#: A model that would hear what is read, if anybody read it.
LISTENER = CARD.format(name="listener", task="automatic-speech-recognition")


def test_a_consent_is_asked_listed_and_taken_back(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "sample.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 24_000), 8000)
    token = server.host.private_token

    async def use() -> None:
        async with RemoteClient(server.url, token, owner="ann") as ann:
            sample = await ann.upload(path)
            with pytest.raises(Unavailable, match="automatic-speech-recognition"):
                await ann.ask_consent(sample.id)
            server.host.catalog.add(Card.parse("listener", LISTENER))
            asked = await ann.ask_consent(sample.id)
            assert asked.sha256 == sample.sha256
            assert asked.sentence.startswith("I agree")
            consents = server.host.provenance.consents
            given = consents.grant(
                "ann", asked, 1, recording="b" * 64, heard=asked.sentence, listener="x", speaker="y"
            )
            assert await ann.consents() == [given]
            with pytest.raises(NotFound, match="no such sentence"):
                await ann.give_consent(asked.id, sample.id)
            async with ann.acting_for("bob") as bob:
                assert await bob.consents() == []
                with pytest.raises(NotFound):
                    await bob.revoke_consent(given.id)
            revoked = await ann.revoke_consent(given.id)
            assert (await ann.consents()) == [revoked]
            with pytest.raises(Refused, match="taken back"):
                consents.require("ann", given.id, sample.sha256)
            with pytest.raises(NotFound):
                await ann.ask_consent(sample.id)

    asyncio.run(use())
