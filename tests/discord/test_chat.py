"""Conversations: in a thread of their own, in direct messages, and after a restart."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from PIL import Image

from tests.discord.fake import ADA, BOB, Fault
from tests.discord.fake.people import BOT, CHANNEL, DIRECT, EVE, Person
from tests.discord.stage import Stage, enter, leave, staged
from tests.hosts import settings_for, until
from tests.talk.lane import EchoLane, write_echo_cards

#: An answer is a chain of small steps, each of which a busy machine draws out.
soon = partial(until, seconds=40)
EPHEMERAL = 1 << 6
ME = f"<@{BOT.id}>"


def picture() -> bytes:
    """A small picture."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose models say what they were told, and how many turns there were."""
    home = tmp_path_factory.mktemp("chat") / "home"
    write_echo_cards(home)
    yield from staged(home, EchoLane(settings_for(home)))


def said(stage: Stage, where: str) -> list[str]:
    """The first line of everything that the bot has said there, oldest first."""
    return [
        message["content"].partition("\n")[0]
        for message in stage.discord.messages.all.values()
        if message["channel_id"] == where
        and message["author"]["id"] == BOT.id
        and not message["flags"] & EPHEMERAL
    ]


async def begun(stage: Stage, words: str, *, who: Person = ADA, **more: Any) -> str:
    """The id of the thread in which words are answered."""
    chat = await stage.discord.slash("chat", message=words, who=who, **more)
    await soon(lambda: chat.message.get("id") in stage.discord.threads)
    thread = str(chat.message["id"])
    await soon(lambda: said(stage, thread))
    return thread


async def ruled(stage: Stage, path: str, **values: Any) -> None:
    """Somebody who may changes a rule."""
    changed = await stage.discord.slash(f"settings {path}", who=EVE, **values)
    await changed.answer()


def test_a_thread_remembers_what_was_said_in_it(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "a teal lamp", persona="Be brief.", model="echo")
        assert talk.discord.threads[thread]["name"] == "a teal lamp"
        assert talk.discord.called("PUT", f"/channels/{thread}/thread-members/{ADA.id}")
        # Nobody else's words are read, and no chatter is answered.
        await talk.discord.write("nice lamp, isn't it?", where=thread)
        second = await talk.discord.write(f"and {ME} its shade?", where=thread)
        await soon(lambda: len(said(talk, thread)) == 2)
        answers = [m for m in talk.discord.messages.all.values() if m["channel_id"] == thread]
        assert answers[-1]["message_reference"]["message_id"] == second["id"]
        assert "AI-generated with echo" in answers[-1]["content"]
        assert talk.discord.called("POST", f"/channels/{thread}/typing")
        await talk.discord.write("really?", where=thread, to=answers[-1])
        await soon(lambda: len(said(talk, thread)) == 3)
        assert said(talk, thread) == ["1: a teal lamp", "2: and its shade?", "3: really?"]
        (kept,) = await talk.client().conversations()
        assert (kept.model, kept.system) == ("echo", "Be brief.")

    talk.play(scene())


def test_each_has_a_memory_of_their_own_in_a_thread(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "a secret", persona="Be kind.")
        await talk.discord.write(f"{ME} hello", where=thread, who=BOB)
        await soon(lambda: len(said(talk, thread)) == 2)
        assert said(talk, thread)[1] == "1: hello"
        (kept,) = await talk.client(BOB).conversations()
        assert kept.system == "Be kind."

    talk.play(scene())


def test_words_that_come_close_together_are_answered_in_turn(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "one")
        talk.lane.go.clear()
        for word in ("two", "three", "four"):
            await talk.discord.write(f"{ME} {word}", where=thread)
        talk.lane.go.set()
        await soon(lambda: len(said(talk, thread)) == 4)
        assert said(talk, thread) == ["1: one", "2: two", "3: three", "4: four"]

    talk.play(scene())


def test_a_bot_that_starts_again_answers_what_was_said_meanwhile_and_nothing_twice(
    talk: Stage,
) -> None:
    async def scene() -> None:
        thread = await begun(talk, "one")
        await talk.discord.write(f"{ME} two", where=thread)
        await soon(lambda: len(said(talk, thread)) == 2)
        talk.lane.go.clear()
        await talk.discord.write(f"{ME} three", where=thread)
        await soon(lambda: talk.bot.store.open_count() == 1)
        await leave(talk.bot)
        await talk.discord.write(f"{ME} four", where=thread)
        talk.lane.go.set()
        talk.bot = await enter(talk.discord, talk.host, talk.home)
        await soon(lambda: len(said(talk, thread)) == 4)
        await talk.restart()
        await soon(lambda: talk.bot.is_ready() and talk.bot.store.open_count() == 0)
        assert said(talk, thread) == ["1: one", "2: two", "3: three", "4: four"]

    talk.play(scene())


def test_an_answer_that_was_sent_before_a_kill_is_not_sent_again(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "one")
        asked = await talk.discord.write(f"{ME} two", where=thread)
        await soon(lambda: talk.bot.store.open_count() == 0 and len(said(talk, thread)) == 2)
        (errand,) = talk.bot.store._errands("WHERE id = ?", asked["id"])
        # As if it had been killed before it could write down that it was done.
        talk.bot.store.update(errand, state="sending")
        talk.discord.messages.forget_nonces()
        await talk.restart()
        await soon(lambda: talk.bot.store.open_count() == 0)
        assert len(said(talk, thread)) == 2

    talk.play(scene())


def test_an_answer_can_be_given_once_more_by_whoever_asked(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "one")
        first = next(m for m in talk.discord.messages.all.values() if m["channel_id"] == thread)
        other = await talk.discord.press(first, "Again", who=BOB)
        _, data, _ = await other.answer()
        assert "Only whoever ordered this" in data["content"]
        again = await talk.discord.press(first, "Again", where=thread)
        await again.says("1: one")
        (kept,) = await talk.client().conversations(limit=1)
        assert len((await talk.client().conversation(kept.id)).turns[0].replies) == 2
        await talk.discord.write(f"{ME} two", where=thread)
        await soon(lambda: "2: two" in said(talk, thread))
        late = await talk.discord.press(first, "Again", where=thread)
        await late.says("Only the last answer")

    talk.play(scene())


def test_an_answer_by_a_model_that_the_server_allows_can_be_given_once_more(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "one", model="echo")
        first = next(m for m in talk.discord.messages.all.values() if m["channel_id"] == thread)
        try:
            await ruled(talk, "models", allowed="echo")
            again = await talk.discord.press(first, "Again", where=thread)
            await again.says("1: one")
            await ruled(talk, "models", allowed="eyes")
            refused = await talk.discord.press(first, "Again", where=thread)
            await refused.says("allows these models alone")
        finally:
            await ruled(talk, "models")

    talk.play(scene())


def test_the_limits_of_a_channel_hold_in_its_threads(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "one")
        try:
            await ruled(talk, "limit", channel=CHANNEL, per_day=0)
            await talk.discord.write(f"{ME} two", where=thread)
            await soon(lambda: "may not order anything here" in said(talk, thread)[-1])
            refused = await talk.discord.slash("chat", message="two", where=thread)
            await refused.says("may not order anything here")
        finally:
            await ruled(talk, "limit", channel=CHANNEL)
        await talk.discord.write(f"{ME} two", where=thread)
        await soon(lambda: said(talk, thread)[-1].endswith("two"))

    talk.play(scene())


def test_direct_messages_need_no_mention_and_may_bring_a_picture(talk: Stage) -> None:
    async def scene() -> None:
        await talk.discord.write("hello", where=DIRECT, who=EVE)
        await soon(lambda: said(talk, DIRECT) == ["1: hello"])
        await talk.discord.write("what is this?", ("x.png", picture()), where=DIRECT, who=EVE)

        await soon(lambda: said(talk, DIRECT)[-1] == "a picture: what is this?")
        # Another persona is another conversation.
        chat = await talk.discord.slash("chat", message="hi", persona="A", direct=True, who=EVE)
        await chat.says("1: hi")
        await talk.discord.write("again", where=DIRECT, who=EVE)
        await soon(lambda: said(talk, DIRECT)[-1] == "2: again")

    talk.play(scene())


def test_what_discord_hides_or_a_server_forbids_is_explained(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "one")
        answer = next(m for m in talk.discord.messages.all.values() if m["channel_id"] == thread)
        await talk.discord.write("psst", where=thread, to=answer, quietly=True)
        await soon(lambda: "mention me" in said(talk, thread)[-1])
        await talk.discord.slash("settings words", blocked="dragon", who=EVE)
        await talk.discord.write(f"{ME} a dragon", where=thread)
        await soon(lambda: "does not allow one of these words" in said(talk, thread)[-1])
        await talk.discord.slash("settings words", who=EVE)
        refused = await talk.discord.slash("chat", message="hi", installed="user")
        _, data, _ = await refused.answer()
        assert "I cannot hear you here" in data["content"]
        await talk.discord.slash("chat", message="hi", model="nobody")
        await soon(
            lambda: any("nobody" in m["content"] for m in talk.discord.messages.all.values())
        )
        # Where no conversation is, nothing is answered.
        count = len(said(talk, CHANNEL))
        await talk.discord.write(f"{ME} hello?", where=CHANNEL, who=EVE)
        await talk.discord.write(f"{ME} two", where=thread)
        await soon(lambda: "2: two" in said(talk, thread))
        assert len(said(talk, CHANNEL)) == count

    talk.play(scene())


def test_where_no_thread_can_be_opened_the_answer_comes_in_the_channel(talk: Stage) -> None:
    async def scene() -> None:
        talk.discord.faults.append(Fault("POST", f"/channels/{CHANNEL}/messages/", 403, 50013))
        chat = await talk.discord.slash("chat", message="no thread", who=EVE)
        await chat.says("1: no thread")
        await talk.discord.write(f"{ME} two", where=CHANNEL, who=EVE)
        await soon(lambda: "2: two" in said(talk, CHANNEL))

    talk.play(scene())


def test_erasing_forgets_conversations(talk: Stage) -> None:
    async def scene() -> None:
        thread = await begun(talk, "my secret", who=BOB)
        export = await talk.discord.slash("me export", who=BOB)
        (file,) = await export.files(1)
        with zipfile.ZipFile(io.BytesIO(talk.discord.messages.file(file))) as archive:
            assert b"my secret" in archive.read("colophon.json")
        erased = await talk.discord.slash("me erase", sure=True, who=BOB)
        await erased.says("in the bin")
        assert await talk.client(BOB).conversations() == []
        assert talk.bot.store.chat(thread, BOB.id) is None

    talk.play(scene())
