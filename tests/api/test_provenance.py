"""Anybody's file can be checked over HTTP, by the SDK that people already have."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import openai
import pytest
from PIL import Image

from studio.draft import Draft
from studio.job import Done
from studio.remote import RemoteClient
from tests.api.conftest import Server, serve
from tests.hosts import SMALL, heard, settings_for
from tests.provenance.conftest import CARD, new_job


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(settings_for(tmp_path_factory.mktemp("home"), token="t" * 16))


@pytest.fixture(scope="module")
def sdk(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="t" * 16, base_url=f"{server.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def output(server: Server) -> Path:
    """One output of the studio, as a file."""

    async def make() -> Path:
        client = server.host.client("local")
        job = await client.submit("text-to-image", {**SMALL, "width": 256, "height": 256})
        done = next(event for event in await heard(client, job.id) if isinstance(event, Done))
        return await client.fetch(done.ids[0])

    return asyncio.run_coroutine_threadsafe(make(), server.loop).result(30)


def test_the_sdk_hears_who_signed_and_what_is_marked(sdk: openai.OpenAI, output: Path) -> None:
    check = sdk.content_provenance_checks.create(file=output)
    assert check.object == "content_provenance_check"
    manifest, mark = check.results
    assert (manifest.type, manifest.outcome) == ("c2pa", "detected")
    assert manifest.validation_state == "trusted"
    assert manifest.model == "noise"
    assert manifest.issuer.startswith("Colophon")
    assert manifest.generated_at.endswith("+00:00")
    assert mark.type == "colophon-mark"
    assert check.model_extra["verdict"]["verdict"] == "signed"


def test_a_file_without_evidence_is_no_accusation(sdk: openai.OpenAI) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    check = sdk.content_provenance_checks.create(file=("red.png", file.getvalue()))
    assert [result.outcome for result in check.results] == ["not_detected", "not_detected"]
    assert check.results[0].validation_state == "not_present"


def test_a_statement_that_lay_beside_a_file_comes_with_it(
    server: Server, output: Path, tmp_path: Path
) -> None:
    provenance = server.host.provenance
    samples = np.random.default_rng(1).standard_normal((48_000, 1)).astype(np.float32) / 9
    made = provenance.sealer.seal(
        Draft("audio", 0, 1, {"samples": samples}, {"rate": 48_000}),
        job=replace(new_job(format="ogg"), task="text-to-music"),
        card=CARD,
        revision="embedded",
        batch=1,
        versions={},
    )
    media, companion = provenance.store.path(made.id), provenance.store.companion(made.id)
    assert companion is not None
    address = f"{server.url}/v1/provenance/check"
    with server.client("t" * 16) as client:
        for with_it, state in ((True, "trusted"), (False, "not_present")):
            files = {"file": media.read_bytes()}
            if with_it:
                files["manifest"] = companion.read_bytes()
            answer = client.post(address, files=files).json()
            assert answer["results"][0]["validation_state"] == state
        files = {"file": output.read_bytes() + b" ", "manifest": companion.read_bytes()}
        assert client.post(address, files=files).json()["verdict"]["verdict"] == "contradicted"

    async def ask() -> str:
        async with RemoteClient(server.url, server.host.private_token, owner="ann") as client:
            return (await client.verify(tmp_path / "copy.ogg")).outcome

    for source, name in ((media, "copy.ogg"), (companion, "copy.c2pa")):
        shutil.copy(source, tmp_path / name)
    assert asyncio.run(ask()) == "signed"


def test_bad_files_are_typed_errors(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as nothing:
        sdk.content_provenance_checks.create(file=("nothing.png", b""))
    assert "empty" in nothing.value.response.json()["message"]
    with pytest.raises(openai.UnprocessableEntityError):
        sdk.content_provenance_checks.create(file=("noise.png", b"\x01\x02\x03" * 100))


def test_the_other_address_says_the_same_and_wants_the_token(server: Server, output: Path) -> None:
    with server.client("t" * 16) as client, server.client() as stranger:
        address = f"{server.url}/v1/provenance/check"
        answer = client.post(address, files={"file": output.read_bytes()}).json()
        assert answer["results"][0]["validation_state"] == "trusted"
        assert stranger.post(address, files={"file": b"x"}).status_code == 401
