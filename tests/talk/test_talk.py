"""Conversations: what is kept, what is refused, and what outlives the host."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from PIL import Image

from studio.client import Client
from studio.errors import InvalidRequest, NotFound
from studio.job import JobState, TextDelta
from studio.talk import Conversation
from tests.hosts import finished, heard, run
from tests.talk.lane import echo_host


async def told(client: Client, conversation: str, text: str) -> Conversation:
    """The conversation, once `text` is answered."""
    await finished(client, (await client.talk(conversation, text)).id)
    return await client.conversation(conversation)


def test_every_turn_is_told_what_was_said_before(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo", system="Be brief.")
            await told(ann, begun.id, "a yellow star")
            found = await told(ann, begun.id, "why?")
            assert found.title == "a yellow star"
            assert [turn.replies[-1].text for turn in found.turns] == [
                "1: a yellow star",
                "2: why?",
            ]
            request = lane.batches[-1][0].request
            assert request["system"] == "Be brief."
            assert json.loads(request["history"]) == [
                {"role": "user", "content": "a yellow star"},
                {"role": "assistant", "content": "1: a yellow star"},
            ]
            path = await ann.fetch(found.turns[0].replies[0].artifact or "")
            assert (await ann.verify(path)).outcome == "signed"

    run(test)


def test_another_answer_takes_the_place_of_the_last_and_both_are_kept(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo")
            await told(ann, begun.id, "hello")
            first = await ann.regenerate(begun.id, key="k")
            assert (await ann.regenerate(begun.id, key="k")).id == first.id
            await finished(ann, first.id)
            turn = (await ann.conversation(begun.id)).turns[0]
            assert len(turn.replies) == 2
            assert turn.replies[-1].job == first.id
            found = await told(ann, begun.id, "more")
            assert found.turns[1].replies[0].text == "2: more"

    run(test)


def test_what_is_stopped_stays_unanswered_and_is_said_with_what_follows(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo")
            lane.go.clear()
            job = await ann.talk(begun.id, "hello")
            with pytest.raises(InvalidRequest, match="still being written"):
                await ann.talk(begun.id, "from another tab")
            async for event in ann.events(job.id):
                if isinstance(event, TextDelta):
                    assert event.text == "1:"
                    await ann.cancel(job.id)
            lane.go.set()
            stopped = await ann.conversation(begun.id)
            assert stopped.turns[0].replies[0].state is JobState.CANCELLED
            found = await told(ann, begun.id, "there")
            assert found.turns[1].replies[0].text == "1: hello\n\nthere"

    run(test)


def test_of_two_tabs_that_send_at_once_one_is_heard(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo")
            lane.go.clear()
            both = await asyncio.gather(
                ann.talk(begun.id, "one"), ann.talk(begun.id, "two"), return_exceptions=True
            )
            assert sum(isinstance(one, InvalidRequest) for one in both) == 1
            assert len((await ann.conversation(begun.id)).turns) == 1
            lane.go.set()

    run(test)


def test_the_same_key_says_it_once(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo")
            job = await ann.talk(begun.id, "hello", key="k")
            assert (await ann.talk(begun.id, "hello", key="k")).id == job.id
            await finished(ann, job.id)
            assert (await ann.talk(begun.id, "hello", key="k")).id == job.id
            with pytest.raises(InvalidRequest, match="something else"):
                await ann.talk(begun.id, "bye", key="k")
            assert len((await ann.conversation(begun.id)).turns) == 1
            assert len(lane.batches) == 1

    run(test)


def test_a_reply_outlives_the_host(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = echo_host(tmp_path)
        async with host:
            begun = await host.client("ann").start_conversation(model="echo")
            lane.go.clear()
            job = await host.client("ann").talk(begun.id, "hello")
            await anext(host.client("ann").events(job.id))
        host, _ = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            await heard(ann, job.id)
            assert (await ann.conversation(begun.id)).turns[0].replies[0].text == "1: hello"

    run(test)


def test_nobody_else_finds_it_and_what_is_deleted_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = echo_host(tmp_path)
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            begun = await ann.start_conversation("Lamps", model="echo")
            # Its answer is found although nobody has looked at it before.
            await finished(ann, (await ann.talk(begun.id, "lighthouse")).id)
            for search in ("light", "1 lighthouse", "lamps"):
                assert [one.id for one in await ann.conversations(search)] == [begun.id]
                assert await bob.conversations(search) == []
            await ann.change_conversation(begun.id, title="Towers")
            assert await ann.conversations("lamps") == await ann.conversations("?!") == []
            for attempt in (bob.conversation, bob.regenerate, bob.delete_conversation):
                with pytest.raises(NotFound):
                    await attempt(begun.id)
            answer = (await ann.conversation(begun.id)).turns[0].replies[0].artifact or ""
            await ann.delete_conversation(begun.id)
            with pytest.raises(NotFound):
                await ann.conversation(begun.id)
            with pytest.raises(NotFound):
                await ann.fetch(answer)
            for file in tmp_path.glob("conversations.sqlite*"):
                assert b"lighthouse" not in file.read_bytes()

    run(test)


@pytest.mark.parametrize("text", ["", " \n", "a" * 200_001, "a\0b", "a\u202eb", "\ud800"])
def test_what_cannot_be_said_is_refused_and_not_kept(tmp_path: Path, text: str) -> None:
    async def test() -> None:
        host, _ = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo")
            with pytest.raises(InvalidRequest):
                await ann.talk(begun.id, text)
            with pytest.raises(InvalidRequest):
                await ann.start_conversation("a\0b")
            with pytest.raises(InvalidRequest):
                await ann.change_conversation(begun.id, system="a" * 20_001)
            with pytest.raises(InvalidRequest, match="Nothing was said"):
                await ann.regenerate(begun.id)
            assert (await ann.conversation(begun.id)).turns == ()

    run(test)


def test_a_model_that_is_gone_is_named_and_can_be_changed(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = echo_host(tmp_path)
        cards = tmp_path / "model_cards"
        (cards / "brief.md").write_text((cards / "echo.md").read_text())
        async with host:
            begun = await host.client("ann").start_conversation(model="brief")
        (cards / "brief.md").unlink()
        host, _ = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            with pytest.raises(NotFound, match="brief"):
                await ann.talk(begun.id, "hello")
            await ann.change_conversation(begun.id, model="echo")
            assert (await told(ann, begun.id, "hello")).turns[0].replies[0].text == "1: hello"

    run(test)


def test_a_picture_is_asked_about(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = echo_host(tmp_path / "home")
        picture = tmp_path / "picture.png"
        Image.new("RGB", (64, 64), "teal").save(picture)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo")
            shown = (await ann.upload(picture)).id
            job = await ann.talk(begun.id, "what is it?", image=shown)
            await finished(ann, job.id)
            turn = (await ann.conversation(begun.id)).turns[0]
            assert (turn.image, turn.replies[0].text) == (shown, "a picture: what is it?")
            # The conversation's own model sees nothing: another one that is installed answers.
            assert turn.replies[0].card != "echo"
            for wrong in (turn.replies[0].artifact, "0" * 32):
                with pytest.raises((InvalidRequest, NotFound)):
                    await ann.talk(begun.id, "and this?", image=wrong)

    run(test)


def test_it_is_taken_along_as_markdown_and_json(tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation("Lamps", model="echo", system="Be brief.")
            found = await told(ann, begun.id, "hello")
            written = found.markdown()
            assert written.startswith("# Lamps\n\n> Be brief.\n\n## You · ")
            assert "1: hello" in written
            assert Conversation.from_record(json.loads(json.dumps(found.record()))) == found

    run(test)


def test_what_was_stopped_is_kept_and_gone_on_with(tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = echo_host(tmp_path)
        async with host:
            ann = host.client("ann")
            begun = await ann.start_conversation(model="echo")
            with pytest.raises(InvalidRequest, match="nothing to go on from"):
                await ann.go_on(begun.id)
            lane.go.clear()
            job = await ann.talk(begun.id, "hello")
            async for event in ann.events(job.id):
                if isinstance(event, TextDelta):
                    await ann.cancel(job.id)
            lane.go.set()
            (stopped,) = (await ann.conversation(begun.id)).turns[0].replies
            assert (stopped.state, stopped.text, stopped.artifact) == ("cancelled", "1:", None)
            assert [one.id for one in await ann.conversations("1")] == [begun.id]

            onward = await ann.go_on(begun.id, key="k")
            assert (await ann.go_on(begun.id, key="k")).id == onward.id
            await finished(ann, onward.id)
            assert (await ann.go_on(begun.id, key="k")).id == onward.id
            order = lane.batches[-1][0].request
            assert (order["prompt"], order["beginning"], order["history"]) == ("hello", "1:", "")
            found = await ann.conversation(begun.id)
            assert [reply.state for reply in found.turns[0].replies] == ["cancelled", "done"]
            # A finished answer can be gone on with, too.
            await finished(ann, (await ann.go_on(begun.id)).id)
            assert lane.batches[-1][0].request["beginning"] == found.turns[0].replies[-1].text

    run(test)
