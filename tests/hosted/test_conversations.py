"""Conversations with models that run elsewhere: words, a picture, going on; and the key nowhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.client import Client
from studio.job import JobState
from studio.provenance.verdict import Outcome
from studio.talk import Reply as Answer
from tests.hosted import provider as shapes
from tests.hosted.homes import host, write_card
from tests.hosted.provider import KEY, Provider, Reply, running
from tests.hosted.test_texts import SAID, STREAMS, WRITERS
from tests.hosts import finished, run, write_cards

TASKS = "text-generation, image-to-text, visual-question-answering"
#: How each maker's requests begin a picture.
SHOWN = {"openai": "data:image/png;base64,", "anthropic": '"image/png"', "google": '"image/png"'}


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    with running() as provider:
        yield provider


async def last(client: Client, conversation: str, job: str) -> Answer:
    """The newest answer, once its job is done."""
    await finished(client, job)
    return (await client.conversation(conversation)).turns[-1].replies[-1]


@pytest.mark.parametrize("provider", WRITERS)
def test_a_conversation_with_a_picture(
    home: Path,
    elsewhere: Provider,
    provider: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    picture = tmp_path / "picture.png"
    picture.write_bytes(shapes.picture(64))
    elsewhere.script = [Reply.sse(STREAMS[provider]()) for _ in range(3)]

    async def test() -> None:
        write_cards(home)
        write_card(home, provider, provider, WRITERS[provider], TASKS)
        async with host(home, elsewhere.url) as studio:
            ann = studio.client("ann")
            begun = await ann.start_conversation(model=provider, system="Be brief.")
            first = await ann.talk(begun.id, "Tell me of the sea.")
            told = await last(ann, begun.id, first.id)
            assert (told.state, told.text, told.card) == (JobState.DONE, SAID, provider)
            verdict = await ann.verify(await ann.fetch(told.artifact or ""))
            assert verdict.outcome is Outcome.SIGNED

            shown = (await ann.upload(picture)).id
            asked = await ann.talk(begun.id, "Is it in this picture?", image=shown)
            seen = await last(ann, begun.id, asked.id)
            assert (seen.state, seen.text) == (JobState.DONE, SAID), seen.error
            # The answer is about the picture: its note names what it was made from.
            assert seen.artifact is not None

            third = await ann.talk(begun.id, "And what else?")
            assert (await last(ann, begun.id, third.id)).text == SAID

    run(test)
    words, picture_too, after = (one.body.decode() for one in elsewhere.seen)
    assert "Be brief." in words
    assert SHOWN[provider] not in words
    # It hears what was said before, and sees the picture.
    places = [picture_too.index(said) for said in ("of the sea", "Is it in this picture?")]
    assert places == sorted(places)
    assert SHOWN[provider].replace('"', "") in picture_too
    assert "Is it in this picture?" in after

    assert KEY not in caplog.text
    for file in home.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_a_model_elsewhere_is_asked_to_go_on_and_the_text_is_whole(
    home: Path, elsewhere: Provider
) -> None:
    elsewhere.script = [Reply.sse(shapes.chat("length")), Reply.sse(shapes.chat())]

    async def test() -> None:
        write_cards(home)
        write_card(home, "openai", "openai", WRITERS["openai"], TASKS)
        async with host(home, elsewhere.url) as studio:
            ann = studio.client("ann")
            begun = await ann.start_conversation(model="openai")
            cut = await last(ann, begun.id, (await ann.talk(begun.id, "Tell me.")).id)
            assert "cut where" in str(cut.remarks)
            onward = await ann.go_on(begun.id)
            assert (await last(ann, begun.id, onward.id)).text == SAID + SAID

    run(test)
    *_, before, wish = elsewhere.seen[1].json["messages"]
    assert before == {"role": "assistant", "content": SAID}
    assert "Go on exactly where you stopped" in wish["content"]
