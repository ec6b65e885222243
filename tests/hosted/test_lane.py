"""Hosted models through the whole studio: from an order to a signed file, over real HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.errors import Unavailable
from studio.job import Job, JobState
from studio.provenance.verdict import Outcome
from tests.hosted import provider as shapes
from tests.hosted.homes import host
from tests.hosted.provider import KEY, Provider, Reply, error, running
from tests.hosts import SMALL, finished, run, until

ORDER = {"model": "painter", "prompt": "a yellow star", "width": 256, "height": 256}


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    with running() as provider:
        yield provider


def made(home: Path, elsewhere: Provider, task: str, values: dict[str, Any], **more: Any) -> Job:
    """The finished job of one order on a host of its own."""
    found: list[Job] = []

    async def test() -> None:
        async with host(home, elsewhere.url, **more) as studio:
            client = studio.client("local")
            job = await client.submit(task, values)
            found.append(await finished(client, job.id))

    run(test)
    return found[0]


def test_a_picture_comes_back_marked_signed_and_priced(home: Path, elsewhere: Provider) -> None:
    async def test() -> None:
        async with host(home, elsewhere.url) as studio:
            client = studio.client("local")
            job = await client.submit("text-to-image", {**ORDER, "negative_prompt": "rain"})
            done = await finished(client, job.id)
            assert done.state is JobState.DONE, done.error
            artifact = await client.artifact(done.artifacts[0])
            assert artifact.note.revision == "openai/gpt-image-test"
            assert artifact.note.versions["device"] == "hosted:openai"
            assert artifact.note.about["usage"] == {
                "model": "gpt-image-test",
                "input_tokens": 12,
                "output_tokens": 1056,
                "cost": pytest.approx(0.0523),
                "currency": "EUR",
            }
            verdict = await client.verify(studio.provenance.store.path(artifact.id))
            assert verdict.outcome is Outcome.SIGNED, verdict

    run(test)
    (seen,) = elsewhere.seen
    assert seen.path == "/v1/images/generations"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.json["size"] == "256x256"
    assert seen.json["prompt"] == "a yellow star\n\nAvoid: rain"


def test_gemini_paints_too(home: Path, elsewhere: Provider) -> None:
    job = made(home, elsewhere, "text-to-image", {**ORDER, "model": "gemini-painter"})
    assert job.state is JobState.DONE, job.error
    (seen,) = elsewhere.seen
    assert seen.path.endswith("/models/gemini-image-test:generateContent")
    assert seen.headers["x-goog-api-key"] == KEY
    assert seen.json["generationConfig"]["imageConfig"] == {"aspectRatio": "1:1"}


def test_a_voice_comes_back_signed_though_its_file_does_not_know_its_length(
    home: Path, elsewhere: Provider
) -> None:
    job = made(home, elsewhere, "text-to-speech", {"model": "speaker", "text": "Hello there."})
    assert job.state is JobState.DONE, job.error
    assert elsewhere.seen[0].json["voice"] == "alloy"


def test_each_part_of_a_long_speech_is_sent_alone(home: Path, elsewhere: Provider) -> None:
    values = {"model": "speaker", "text": "Hello there. And more. The end.", "count": 3}
    job = made(home, elsewhere, "text-to-speech", values)
    assert job.state is JobState.DONE, job.error
    said = {seen.json["input"] for seen in elsewhere.seen}
    assert said == {"Hello there.", "And more.", "The end."}
    assert len(job.artifacts) == 4, "the parts and the whole"


def test_a_picture_is_changed_and_is_sent_without_what_its_file_says(
    home: Path, elsewhere: Provider, tmp_path: Path
) -> None:
    file = tmp_path / "mine.jpg"
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (256, 256), "red").save(file, exif=exif)

    async def test() -> None:
        async with host(home, elsewhere.url) as studio:
            client = studio.client("local")
            upload = await client.upload(file)
            values = {"model": "painter", "prompt": "blue", "image": upload.id}
            job = await client.submit("image-to-image", values)
            done = await finished(client, job.id)
            assert done.state is JobState.DONE, done.error

    run(test)
    (seen,) = elsewhere.seen
    assert seen.path == "/v1/images/edits"
    assert b"\x89PNG" in seen.body
    assert b"taken at home" not in seen.body


def test_a_manifest_that_came_along_is_quoted(home: Path, elsewhere: Provider) -> None:
    async def test() -> None:
        async with host(home, elsewhere.url) as studio:
            client = studio.client("local")
            # A signed picture, here from the other lane, plays the provider's own.
            first = await finished(client, (await client.submit("text-to-image", SMALL)).id)
            signed = studio.provenance.store.path(first.artifacts[0]).read_bytes()
            elsewhere.script = [Reply.json(shapes.images(signed))]
            job = await client.submit("text-to-image", ORDER)
            done = await finished(client, job.id)
            assert done.state is JobState.DONE, done.error
            verdict = await client.verify(studio.provenance.store.path(done.artifacts[0]))
            (manifest,) = (layer for layer in verdict.layers if layer.name == "manifest")
            (ingredient,) = manifest.details["ingredients"]
            assert (ingredient["relation"], ingredient["state"]) == ("parentOf", "valid")

    run(test)


def test_what_goes_wrong_is_said_once_and_plainly(home: Path, elsewhere: Provider) -> None:
    at_an_address = {"created": 1, "data": [{"url": "http://127.0.0.1:9/x.png"}]}
    page = Reply(body=b"<html>", headers={"content-type": "text/html"})
    cases = [
        (error(f"Incorrect API key provided: {KEY}", status=401), "Unavailable", "key"),
        (error("no", status=403), "Unavailable", "key"),
        (error("no such model", "model_not_found", 404), "Unavailable", "no model"),
        (error(f"size is wrong, {KEY}", status=400), "InvalidRequest", "size is wrong, …"),
        (error("no", "moderation_blocked", 400), "Refused", "rules"),
        (error("pay", "insufficient_quota", 429), "Unavailable", "used up"),
        (page, "Unavailable", "no answer"),
        (Reply.json(shapes.images(b"not a picture")), "Unavailable", "cannot be used"),
        (Reply.json(at_an_address), "Unavailable", "no answer"),
        (Reply(302, headers={"location": "http://127.0.0.1:9/"}), "Unavailable", "302"),
    ]

    async def test() -> None:
        async with host(home, elsewhere.url) as studio:
            client = studio.client("local")
            for reply, kind, words in cases:
                elsewhere.script, elsewhere.seen = [reply], []
                job = await finished(client, (await client.submit("text-to-image", ORDER)).id)
                assert job.error is not None, words
                assert job.error["error"] == kind, job.error
                assert words in job.error["message"], job.error
                assert job.error["hint"]
                assert KEY not in str(job.error)
                assert len(elsewhere.seen) == 1, words

    run(test)


def test_what_may_pass_is_tried_again_when_the_provider_says(
    home: Path, elsewhere: Provider
) -> None:
    elsewhere.script = [
        error("later", status=429, retry_after="1"),
        error("later", status=503, retry_after="1"),
    ]
    began = time.monotonic()
    job = made(home, elsewhere, "text-to-image", ORDER)
    assert job.state is JobState.DONE, job.error
    assert len(elsewhere.seen) == 3
    assert time.monotonic() - began > 2


def test_it_is_tried_only_so_often(home: Path, elsewhere: Provider) -> None:
    elsewhere.script = [error("down", status=500)] * 9
    job = made(home, elsewhere, "text-to-image", ORDER, retries=1)
    assert job.error is not None
    assert "trouble of its own" in job.error["message"]
    assert len(elsewhere.seen) == 2


def test_a_provider_that_fails_again_and_again_is_left_alone(
    home: Path, elsewhere: Provider
) -> None:
    elsewhere.script = [error("down", status=500)] * 9

    async def test() -> None:
        async with host(home, elsewhere.url, retries=0) as studio:
            client = studio.client("local")
            for _ in range(6):
                job = await finished(client, (await client.submit("text-to-image", ORDER)).id)
            assert job.error is not None
            assert "left alone" in job.error["message"]
            assert len(elsewhere.seen) == 5
            # The others go on.
            other = {**ORDER, "model": "gemini-painter"}
            elsewhere.script = []
            job = await finished(client, (await client.submit("text-to-image", other)).id)
            assert job.state is JobState.DONE

    run(test)


def test_stopping_a_job_closes_the_connection(home: Path, elsewhere: Provider) -> None:
    elsewhere.script = [Reply.sse([b" "] * 600, pause=0.05)]

    async def test() -> None:
        async with host(home, elsewhere.url) as studio:
            client = studio.client("local")
            job = await client.submit("text-to-image", ORDER)
            await until(lambda: elsewhere.seen)
            await client.cancel(job.id)
            assert (await finished(client, job.id)).state is JobState.CANCELLED
            await until(lambda: elsewhere.left == 1)

    run(test)


def test_calls_wait_for_no_device_and_run_beside_each_other(
    home: Path, elsewhere: Provider
) -> None:
    elsewhere.script = [Reply.json(shapes.images()) for _ in range(3)]

    async def test() -> None:
        async with host(home, elsewhere.url, at_once=2) as studio:
            client = studio.client("local")
            studio.lanes[0].go.clear()  # type: ignore[attr-defined]
            held = await client.submit("text-to-image", SMALL)
            slow = Reply.sse([b" "] * 40, pause=0.05)
            elsewhere.script = [slow, slow, slow]
            jobs = [await client.submit("text-to-image", ORDER) for _ in range(3)]
            await until(lambda: len(elsewhere.seen) == 2)
            await asyncio.sleep(0.3)
            assert len(elsewhere.seen) == 2, "no more at a time than the settings say"
            for job in jobs:
                await client.cancel(job.id)
            assert (await client.job(held.id)).state is not JobState.DONE
            studio.lanes[0].go.set()  # type: ignore[attr-defined]
            await finished(client, held.id)

    run(test)


def test_a_call_that_the_host_was_closed_over_is_made_again(
    home: Path, elsewhere: Provider
) -> None:
    elsewhere.script = [Reply.sse([b" "] * 600, pause=0.05)]

    async def test() -> None:
        async with host(home, elsewhere.url) as studio:
            job = await studio.client("local").submit("text-to-image", ORDER)
            await until(lambda: elsewhere.seen)
        async with host(home, elsewhere.url) as studio:
            done = await finished(studio.client("local"), job.id)
            assert done.state is JobState.DONE, done.error
        assert len(elsewhere.seen) == 2

    run(test)


def test_nothing_runs_elsewhere_unless_it_is_named(home: Path, elsewhere: Provider) -> None:
    async def test() -> None:
        async with host(home, elsewhere.url) as studio:
            studio.catalog.drop("espeak-ng")
            client = studio.client("local")
            with pytest.raises(Unavailable, match="No model for text-to-speech"):
                await client.submit("text-to-speech", {"text": "Hello."})

    run(test)
    assert not elsewhere.seen


def test_the_key_is_nowhere(
    home: Path, elsewhere: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    elsewhere.script = [error(f"bad key {KEY}", status=500), error(KEY, status=400)]
    made(home, elsewhere, "text-to-image", ORDER)
    made(home, elsewhere, "text-to-image", ORDER)
    assert elsewhere.seen
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in caplog.text
