"""The three makers' own software against a server on this machine: what each sends and reads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx2
import pytest

from studio.cards import Card
from studio.catalog import card_folder
from studio.hosted import wire
from studio.hosted.anthropic import Anthropic
from studio.hosted.calls import Answer, Call, Kit, Speaking, Trouble, Turn, Writing
from studio.hosted.failures import passes, told, wait_asked
from studio.hosted.google import Google
from studio.hosted.openai import OpenAI
from tests.hosted import provider as shapes
from tests.hosted.provider import KEY, WORDS, Provider, Reply, error, running

#: Each kit, the ends of its address, how its stream looks with another end, and its word for that.
MAKERS: list[tuple[Callable[..., Kit], str, Callable[[str], list[bytes]], str, str]] = [
    (OpenAI, "/v1", shapes.chat, "length", "content_filter"),
    (Anthropic, "", shapes.claude, "max_tokens", "refusal"),
    (Google, "", shapes.gemini, "MAX_TOKENS", "SAFETY"),
]
EACH = pytest.mark.parametrize(
    ("kit", "path", "stream", "full", "refused"), MAKERS, ids=["openai", "anthropic", "google"]
)
PNG = shapes.picture(64)
STORY = Writing(
    "some-model",
    [Turn("user", "Tell me a story.", [PNG]), Turn("assistant", "Yes."), Turn("user", "Begin.")],
    system="You tell stories.",
    most_tokens=50,
    temperature=0.5,
    stop=["END"],
)


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def elsewhere(server: Provider) -> Provider:
    server.script, server.seen = [], []
    return server


def ask(kit: Callable[..., Kit], url: str, call: Call, heard: list[str] | None = None) -> Answer:
    """The kit's answer; what it told on the way goes into `heard`."""

    async def asking() -> Answer:
        opened = kit(KEY, url, 5.0)
        try:
            return await opened.ask(call, ([] if heard is None else heard).append)
        finally:
            await opened.close()

    return asyncio.run(asking())


@EACH
def test_a_text_comes_word_by_word_and_is_counted(
    elsewhere: Provider,
    kit: Callable[..., Kit],
    path: str,
    stream: Callable[[str], list[bytes]],
    full: str,
    refused: str,
) -> None:
    heard: list[str] = []
    answer = ask(kit, elsewhere.url + path, STORY, heard)
    assert tuple(heard) == WORDS
    assert answer.text == "".join(WORDS)
    assert (answer.input_tokens, answer.output_tokens) == (12, 34)
    assert "test" in answer.model
    assert not answer.cut
    (seen,) = elsewhere.seen
    sent = seen.body.decode()
    for words in ("You tell stories.", "Tell me a story.", "Yes.", "Begin.", "END", "50", "0.5"):
        assert words in sent
    # The picture, as base64 of its first bytes.
    assert "iVBORw0KGgo" in sent
    elsewhere.script = [Reply.sse(stream(full))]
    assert ask(kit, elsewhere.url + path, STORY).cut


@EACH
def test_a_refusal_and_a_cut_stream_are_no_answers(
    elsewhere: Provider,
    kit: Callable[..., Kit],
    path: str,
    stream: Callable[[str], list[bytes]],
    full: str,
    refused: str,
) -> None:
    url = elsewhere.url + path
    whole = stream(full)
    heard: list[str] = []
    for reply, kind in (
        (Reply.sse(stream(refused)), "refusal"),
        (Reply.sse(whole[:2], cut=True), "connection"),
        (Reply.sse(whole[:2]), "connection"),
        (Reply(body=b"<html>hello</html>", headers={"content-type": "text/html"}), "answer"),
        (Reply.sse([b"event: message_start\ndata: {nonsense\n\n"]), "answer"),
    ):
        elsewhere.script = [reply]
        with pytest.raises(Trouble) as caught:
            ask(kit, url, STORY, heard)
        assert caught.value.kind == kind, (reply, caught.value.kind)


@EACH
def test_every_status_arrives_with_what_it_says(
    elsewhere: Provider,
    kit: Callable[..., Kit],
    path: str,
    stream: Callable[[str], list[bytes]],
    full: str,
    refused: str,
) -> None:
    for status in (400, 401, 403, 404, 429, 500, 529):
        elsewhere.script = [error("a reason", status=status, retry_after="7")]
        elsewhere.seen = []
        with pytest.raises(Trouble) as caught:
            ask(kit, elsewhere.url + path, STORY)
        assert (caught.value.status, caught.value.kind) == (status, "status")
        assert caught.value.message == "a reason"
        assert wait_asked(caught.value) == 7
        assert passes(caught.value) == (status >= 429)
        assert len(elsewhere.seen) == 1, "the kit must not try again by itself"


@EACH
def test_nobody_there_and_a_redirection_elsewhere(
    elsewhere: Provider,
    kit: Callable[..., Kit],
    path: str,
    stream: Callable[[str], list[bytes]],
    full: str,
    refused: str,
) -> None:
    with pytest.raises(Trouble) as caught:
        ask(kit, f"http://127.0.0.1:1{path}", STORY)
    assert caught.value.kind == "connection"
    with running() as other:
        elsewhere.script = [Reply(307, headers={"location": f"{other.url}/v1"})]
        with pytest.raises(Trouble):
            ask(kit, elsewhere.url + path, STORY)
        assert not other.seen, "the key went to an address that nobody allowed"


def test_gemini_thinks_as_long_as_its_card_says_and_thoughts_are_counted(
    elsewhere: Provider,
) -> None:
    shipped = Card.read(card_folder() / "gemini.md").studio.options
    elsewhere.script = [Reply.sse(shapes.gemini(thoughts=100))]
    answer = ask(Google, elsewhere.url, replace(STORY, extra=shipped["request"]))
    assert answer.output_tokens == 134
    asked = elsewhere.seen[0].json["generationConfig"]
    # The kit has both spellings of what is below it.
    assert list(asked["thinkingConfig"].values()) == [0]


def test_openai_is_told_of_no_organisation(
    elsewhere: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of an empty one nor of the one in the operator's environment."""
    monkeypatch.setenv("OPENAI_ORG_ID", "theirs")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "theirs")
    ask(OpenAI, f"{elsewhere.url}/v1", STORY)
    sent = {name.lower() for name in elsewhere.seen[0].headers}
    assert not sent & {"openai-organization", "openai-project"}


def test_speech(elsewhere: Provider) -> None:
    url = f"{elsewhere.url}/v1"
    spoken = ask(OpenAI, url, Speaking("tts", "Hello.", "alloy", 1.5, {"instructions": "softly"}))
    assert spoken.media.startswith(b"RIFF")
    said = elsewhere.seen[0].json
    assert (said["speed"], said["instructions"]) == (1.5, "softly")


def test_a_server_of_ones_own_needs_no_key(elsewhere: Provider) -> None:
    async def asking() -> None:
        opened = OpenAI("", f"{elsewhere.url}/v1", 5.0)
        await opened.ask(STORY, lambda _: None)
        await opened.close()

    asyncio.run(asking())
    assert elsewhere.seen[0].path == "/v1/chat/completions"


def test_an_answer_without_an_end_is_broken_off(elsewhere: Provider) -> None:
    elsewhere.script = [Reply.sse([b"x" * 1000] * 30)]

    async def asking() -> None:
        async with wire.client(elsewhere.url, 5.0, most_bytes=10_000) as client:
            with pytest.raises(httpx2.ReadError, match="too large"):
                await client.get(f"{elsewhere.url}/endless")

    asyncio.run(asking())


def test_what_people_read_never_has_the_key_in_it() -> None:
    for status in (400, 401, 404, 418, 429, 500):
        trouble = Trouble(status, f"your key {KEY}\x00 is bad\nsee docs")
        shown = str(told(trouble, "openai", "gpt", KEY))
        assert KEY not in shown
        assert "\x00" not in shown


def test_a_studio_that_calls_nobody_imports_no_kit() -> None:
    code = (
        "import sys, studio.host; "
        "print([n for n in ('openai', 'anthropic', 'google.genai', 'httpx2') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
