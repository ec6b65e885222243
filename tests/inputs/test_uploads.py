"""Uploads: what is taken, what is refused, whose it is, and when it goes."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.draft import Draft
from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.host import Host
from studio.remote import RemoteClient
from tests.api.conftest import Server, server  # noqa: F401 - a fixture
from tests.hosts import finished, run, settings_for
from tests.inputs.studio import EDIT, PICTURES, editing_host, encoded, noise, write


def kept(home: Path) -> list[Path]:
    return [path for path in (home / "uploads").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_arrives_as_plain_pixels(
    home: Path, tmp_path: Path, name: str
) -> None:
    make, first, last, shape = PICTURES[name]

    async def test() -> None:
        host, lane = editing_host(home)
        async with host:
            client = host.client("ann")
            upload = await client.upload(write(tmp_path / "a.bin", make()), name="mine")
            assert (upload.height, upload.width) == shape[:2]
            kind = "video" if name == "moving" else "image"
            assert (upload.kind, upload.name, upload.parent) == (kind, "mine", None)
            lane.go.clear()
            job = await client.submit("edit", {**EDIT, "image": upload.id})
            opened = host.inputs.open(job)
            pixels: Any = Draft.unspool(opened.drafts["image"]).arrays["pixels"]
            assert (pixels.shape, pixels.dtype) == (shape, np.uint8)
            assert np.abs(pixels[0, 0].astype(int) - first).max() <= 2
            assert np.abs(pixels[-1, -1].astype(int) - last).max() <= 2
            lane.go.set()
            done = await finished(client, job.id)
            assert (await client.verify(await client.fetch(done.artifacts[0]))).outcome == "signed"

    run(test)


def cut_short() -> bytes:
    whole = encoded(noise(200, 200))
    return whole[: len(whole) // 2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello, I am a text\n" * 20, "is needed here"),
        (cut_short(), "damaged"),
        (encoded(Image.new("1", (9000, 9000))), "pixels"),
        (os.urandom(2_000_001), "longer"),
    ],
)
def test_what_cannot_be_used_is_refused_and_not_kept(
    home: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    async def test() -> None:
        host, _ = editing_host(home, max_upload_bytes=2_000_000)
        async with host:
            with pytest.raises(InvalidRequest, match=words) as caught:
                await host.client("ann").upload(write(tmp_path / "x.png", content))
            assert caught.value.hint
            assert kept(home) == []

    run(test)


def test_what_is_no_file_is_refused(home: Path, tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = editing_host(home)
        async with host:
            client = host.client("ann")
            with pytest.raises(InvalidRequest):
                await client.upload(tmp_path)
            with pytest.raises(InvalidRequest):
                await client.upload(Path("/dev/zero"))
            with pytest.raises(NotFound):
                await client.upload(tmp_path / "nothing")

    run(test)


def test_the_same_file_is_the_same_upload_and_nobody_elses(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a.png", encoded(noise()))

    async def test() -> None:
        host, _ = editing_host(home, max_uploads=1)
        async with host:
            ann, bob = host.client("ann"), host.client("bob")
            upload = await ann.upload(file)
            assert await ann.upload(write(tmp_path / "b.png", file.read_bytes())) == upload
            assert (await bob.upload(file)).id != upload.id
            assert {stat.S_IMODE(path.stat().st_mode) for path in kept(home)} == {0o600}
            with pytest.raises(Unavailable, match="1 uploads"):
                await ann.upload(write(tmp_path / "c.png", encoded(noise(seed=2))))
            for other in (upload.id, "0" * 32, "../../jobs.sqlite", "x"):
                with pytest.raises(NotFound) as caught:
                    await bob.submit("edit", {**EDIT, "image": other})
                assert "neither" in caught.value.message

    run(test)


def test_what_nobody_uses_vanishes_unless_a_job_waits_for_it(home: Path, tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = editing_host(home)
        async with host:
            client = host.client("ann")
            idle, needed, fresh = [
                await client.upload(write(tmp_path / "a.png", encoded(noise(seed=seed))))
                for seed in range(3)
            ]
            lane.go.clear()
            job = await client.submit("edit", {**EDIT, "image": needed.id})
            for path in kept(home):
                if fresh.id not in path.name:
                    os.utime(path, (1, 1))
            now = time.time()
            assert host.inputs.sweep(now, await host.jobs.unfinished()) == 1
            left = {path.stem for path in kept(home)}
            assert left == {needed.id, fresh.id}
            assert idle.id not in left
            lane.go.set()
            await finished(client, job.id)
            # What a job has used is kept as long again.
            assert host.inputs.sweep(now, await host.jobs.unfinished()) == 0
            assert host.inputs.sweep(now + 8 * 24 * 3600, await host.jobs.unfinished()) == 2
            assert kept(home) == []

    run(test)


def test_what_a_crash_left_without_a_record_counts_against_nobody(
    home: Path, tmp_path: Path
) -> None:
    async def test() -> None:
        host, _ = editing_host(home)
        async with host:
            client = host.client("ann")
            upload = await client.upload(write(tmp_path / "a.png", encoded(noise(seed=1))))
        (record,) = (path for path in kept(home) if path.suffix)
        record.rename(tmp_path / "record")
        async with editing_host(home)[0]:
            assert kept(home) == []
        assert upload.id == record.stem

    run(test)


def test_what_is_described_is_remarked_on_and_not_the_id_of_a_picture(
    home: Path, tmp_path: Path
) -> None:
    async def test() -> None:
        async with Host(settings_for(home)) as host:
            client = host.client("ann")
            upload = await client.upload(write(tmp_path / "a.png", encoded(noise(64, 64))))
            order = {"prompt": "a red wombat moves left", "image": upload.id}
            job = await client.submit("animate", {**order, "model": "starter-film"})
            assert [remark.word for remark in job.remarks] == ["wombat"]
            await client.cancel(job.id)

    run(test)


def test_over_http_it_is_the_same(server: Server, tmp_path: Path) -> None:  # noqa: F811
    file = write(tmp_path / "a.png", encoded(noise()))

    async def test() -> None:
        async with RemoteClient(server.url, server.host.private_token, owner="ann") as client:
            upload = await client.upload(file, name="../a name")
            assert (upload.width, upload.height, upload.size) == (64, 64, file.stat().st_size)
            assert "/" not in upload.name
            assert await client.upload(file) == upload
            with pytest.raises(NotFound):
                await client.upload(tmp_path / "nothing")
            with pytest.raises(InvalidRequest, match="is needed here"):
                await client.upload(write(tmp_path / "b", b"text"))
            with pytest.raises(InvalidRequest, match="larger"):
                await client.upload(write(tmp_path / "c", bytes(1_100_000)))

    run(test)
