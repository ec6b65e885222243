"""Texts that are written elsewhere: from an order to a signed file, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.artifact import Artifact
from studio.job import Job, JobState, TextDelta
from studio.provenance.verdict import Outcome
from tests.hosted import provider as shapes
from tests.hosted.homes import host, write_card
from tests.hosted.provider import WORDS, Provider, Reply, error, running
from tests.hosts import finished, heard, run, write_cards

TASKS = (
    "text-generation, prompt-expansion, summarization, translation, text-rewriting, "
    "question-answering"
)
WRITERS = {"openai": "gpt-test", "anthropic": "claude-test", "google": "gemini-test"}
STREAMS = {"openai": shapes.chat, "anthropic": shapes.claude, "google": shapes.gemini}
SAID = "".join(WORDS)


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    with running() as provider:
        yield provider


def written(
    home: Path, elsewhere: Provider, task: str, values: dict[str, Any], options: str = "{}"
) -> tuple[Job, list[str], str, Artifact | None]:
    """The job, what was told meanwhile, and the signed text, if it came to that."""
    found: list[Any] = []

    async def test() -> None:
        write_cards(home)
        for provider, model in WRITERS.items():
            write_card(home, provider, provider, model, TASKS, options)
        async with host(home, elsewhere.url) as studio:
            client = studio.client("local")
            job = await client.submit(task, values)
            events = await heard(client, job.id)
            done = await finished(client, job.id)
            told = [event.text for event in events if isinstance(event, TextDelta)]
            text, artifact = "", None
            if done.artifacts:
                artifact = await client.artifact(done.artifacts[0])
                file = studio.provenance.store.path(artifact.id)
                text = file.read_text(encoding="utf-8")
                verdict = await client.verify(file)
                assert verdict.outcome is Outcome.SIGNED, verdict
            found.append((done, told, text, artifact))

    run(test)
    result: tuple[Job, list[str], str, Artifact | None] = found[0]
    return result


@pytest.mark.parametrize("provider", WRITERS)
def test_a_text_is_told_as_it_comes_and_signed(
    home: Path, elsewhere: Provider, provider: str
) -> None:
    earlier = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}]
    history = json.dumps(earlier)
    values = {"model": provider, "prompt": "Tell me.", "history": history, "system": "Be brief."}
    elsewhere.script = [Reply.sse(STREAMS[provider](), pause=0.05)]
    job, told, text, artifact = written(home, elsewhere, "text-generation", values)
    assert job.state is JobState.DONE, job.error
    assert artifact is not None
    assert len(told) > 1
    assert "".join(told) == text == SAID
    assert artifact.note.about["usage"]["output_tokens"] == 34
    assert artifact.note.revision == f"{provider}/{WRITERS[provider]}"
    sent = elsewhere.seen[0].body.decode()
    places = [sent.index(words) for words in ("Hi.", "Yes?", "Tell me.")]
    assert places == sorted(places)
    assert "Be brief." in sent


@pytest.mark.parametrize(
    ("task", "values", "said"),
    [
        ("prompt-expansion", {"prompt": "a fox"}, "keep every word"),
        ("summarization", {"text": "a fox"}, "Summarise"),
        ("translation", {"text": "a fox", "target": "de"}, "into German"),
        ("text-rewriting", {"text": "a fox", "style": "formal"}, "formally"),
        ("question-answering", {"text": "a fox", "question": "Who?"}, "by the text alone"),
    ],
)
def test_every_task_is_put_into_words(
    home: Path, elsewhere: Provider, task: str, values: dict[str, Any], said: str
) -> None:
    sampling = "{sampling: [temperature]}"
    order = {"model": "openai", "temperature": 0.25, "max_tokens": 77, **values}
    job, _, text, _ = written(home, elsewhere, task, order, sampling)
    assert (job.state, text) == (JobState.DONE, SAID), job.error
    sent = elsewhere.seen[0].json
    assert said in sent["messages"][0]["content"]
    assert "a fox" in sent["messages"][1]["content"]
    assert (sent["temperature"], sent["max_tokens"]) == (0.25, 77)
    assert "top_p" not in sent


def test_what_was_shown_is_not_written_again_differently(home: Path, elsewhere: Provider) -> None:
    elsewhere.script = [
        error("later", status=503),
        Reply.sse(shapes.chat()[:3], cut=True),
        Reply.sse(shapes.chat()),
    ]
    values = {"model": "openai", "prompt": "Tell me."}
    job, told, _, artifact = written(home, elsewhere, "text-generation", values)
    # Once more before the first word, never after it.
    assert job.state is JobState.FAILED
    assert len(elsewhere.seen) == 2
    assert told
    assert artifact is None


def test_characters_that_nobody_can_see_are_left_out_and_said(
    home: Path, elsewhere: Provider
) -> None:
    pieces = [piece.replace(b"upon ", b"upon\\u202e\\u0000 ") for piece in shapes.chat()]
    elsewhere.script = [Reply.sse(pieces)]
    values = {"model": "openai", "prompt": "Tell me."}
    job, told, text, artifact = written(home, elsewhere, "text-generation", values)
    assert artifact is not None, job.error
    assert "".join(told) == text == SAID
    assert "without characters" in str(artifact.note.made_with)


def test_an_answer_that_was_only_thought_is_none(home: Path, elsewhere: Provider) -> None:
    elsewhere.script = [Reply.sse(shapes.gemini("MAX_TOKENS", [""], thoughts=512))]
    job, _, _, artifact = written(
        home, elsewhere, "text-generation", {"model": "google", "prompt": "Tell me."}
    )
    assert job.state is JobState.FAILED
    assert artifact is None
    assert job.error is not None
    assert "wrote nothing" in job.error["message"]
    assert "max_tokens" in job.error["hint"]
    assert len(elsewhere.seen) == 1, "it would be paid again for the same"


def test_an_answer_that_was_cut_at_its_length_says_so(home: Path, elsewhere: Provider) -> None:
    elsewhere.script = [Reply.sse(shapes.chat("length"))]
    values = {"model": "openai", "prompt": "Tell me.", "max_tokens": 4}
    _, _, _, artifact = written(home, elsewhere, "text-generation", values)
    assert artifact is not None
    assert "cut where" in str(artifact.note.made_with)
