"""What the page of settings does once a recording was listened to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import soundfile
from starlette.requests import Request

from tests.sound.test_consent import SENTENCE, Stage, studio
from ui.consents import ConsentForm


def noise(path: Path, seed: int) -> str:
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, 24_000), 8000)
    return str(path)


def test_what_was_read_is_signed_and_what_was_not_is_refused_with_the_reason(
    home: Path, tmp_path: Path
) -> None:
    visitor = Request({"type": "http", "headers": [(b"accept-language", b"de")]})
    sample, recording = noise(tmp_path / "a.wav", 1), noise(tmp_path / "b.wav", 2)

    async def use() -> None:
        stage = Stage(heard=SENTENCE)
        async with studio(home, stage) as (_, _, client):
            form = ConsentForm(lambda request: client)
            challenge, sentence, *_ = await form.ask(sample, visitor)
            said = [str(one) async for one in form.give(challenge, recording, 7, visitor)]
            assert "Wird angehört" in said[0]
            assert "This is not the sentence" in said[1]
            assert "Noch keine Einwilligungen" in await form.mine(visitor)
            # Another recording of it: the same one would find the job that heard it.
            stage.heard = sentence.partition("<blockquote")[2].partition(">")[2].partition("<")[0]
            again = noise(tmp_path / "c.wav", 3)
            said = [str(one) async for one in form.give(challenge, again, 7, visitor)]
            assert "gegeben und signiert" in said[1]
            (given,) = await client.consents()
            assert given.expires - given.created == 7 * 86_400
            mine = await form.mine(visitor)
            assert f"consent={given.id}" in mine
            assert "Gilt" in mine

    asyncio.run(use())
