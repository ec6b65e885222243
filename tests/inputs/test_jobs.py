"""Jobs with inputs: from the id in the request to the ingredient in the signed file."""

from __future__ import annotations

import asyncio
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.artifact import Artifact
from studio.client import Client
from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.families import Order
from studio.host import Host
from studio.job import JobState
from studio.provenance.manifest import read
from studio.uploads import Upload, upload_id
from tests.hosts import finished, run, until
from tests.inputs.studio import EDIT, editing_host, encoded, noise, write


async def made(client: Client, task: str, **values: Any) -> Artifact:
    job = await finished(client, (await client.submit(task, {**EDIT, **values})).id)
    assert job.state is JobState.DONE, job.error
    return await client.artifact(job.artifacts[0])


def array(order: Order, field: str) -> Any:
    (one,) = Draft.unspool(order.inputs[field]).arrays.values()
    return np.asarray(one)


@pytest.mark.parametrize(
    ("size", "asked", "drawn"),
    [
        ((128, 64), {}, (128, 64)),
        ((1000, 500), {}, (184, 88)),
        ((1, 1), {}, (64, 64)),
        ((100, 50), {"width": 200}, (200, 96)),
        ((5000, 10), {}, (256, 64)),
        ((100, 50), {"width": 72, "height": 80}, (72, 80)),
    ],
)
def test_a_size_left_open_is_the_pictures_as_far_as_the_model_can(
    home: Path,
    tmp_path: Path,
    size: tuple[int, int],
    asked: dict[str, int],
    drawn: tuple[int, int],
) -> None:
    async def test() -> None:
        host, _ = editing_host(home)
        async with host:
            client = host.client("ann")
            upload = await client.upload(write(tmp_path / "a.png", encoded(noise(*size))))
            job = await client.submit("edit", {**EDIT, "image": upload.id, **asked})
            assert (job.request["width"], job.request["height"]) == drawn

    run(test)


def test_a_field_takes_its_own_kind_only(home: Path, tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = editing_host(home)
        async with host:
            identity = upload_id("ann", "00")
            sound = Upload(identity, "audio", "audio/wav", 4, "00", "a.wav", seconds=1.0)
            host.inputs._uploads.keep("ann", write(tmp_path / "a.wav", b"RIFF"), sound)
            with pytest.raises(InvalidRequest, match=r"image takes a picture.*audio/wav"):
                await host.client("ann").submit("edit", {**EDIT, "image": identity})

    run(test)


def test_a_job_has_its_arrays_while_it_runs_and_no_longer(home: Path, tmp_path: Path) -> None:
    picture, mask = noise(), Image.new("L", (16, 8), 0)
    mask.paste(255, (8, 0, 16, 8))

    async def test() -> None:
        host, lane = editing_host(home)
        async with host:
            client = host.client("ann")
            image = await client.upload(write(tmp_path / "a.png", encoded(picture)))
            drawn = await client.upload(write(tmp_path / "m.png", encoded(mask)))
            lane.go.clear()
            values = {**EDIT, "image": image.id, "mask": drawn.id, "count": 2}
            jobs = [await client.submit("inpainting", values) for _ in range(2)]
            await until(lambda: lane.batches)
            (order,) = lane.batches[0]
            assert np.array_equal(array(order, "image"), np.asarray(picture))
            # Brought to the picture's size by the nearest pixel, so still of two values.
            assert np.array_equal(
                array(order, "mask"), np.kron(np.array([[0, 255]], np.uint8), np.ones((64, 32)))
            )
            folder = home / "inputs" / order.job
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            lane.go.set()
            for job in jobs:
                assert (await finished(client, job.id)).state is JobState.DONE
            assert list((home / "inputs").iterdir()) == []

    run(test)


def test_what_is_painted_counts_in_any_colour_and_nothing_at_all_is_an_error(
    home: Path, tmp_path: Path
) -> None:
    painted = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    painted.paste((0, 0, 0, 255), (0, 0, 32, 64))

    async def test() -> None:
        host, lane = editing_host(home)
        async with host:
            client = host.client("ann")
            image = await client.upload(write(tmp_path / "a.png", encoded(noise())))
            mask = await client.upload(write(tmp_path / "m.png", encoded(painted)))
            empty = await client.upload(
                write(tmp_path / "e.png", encoded(Image.new("RGBA", (64, 64), (9, 9, 9, 0))))
            )
            lane.go.clear()
            good = await client.submit("inpainting", {**EDIT, "image": image.id, "mask": mask.id})
            bad = await client.submit("inpainting", {**EDIT, "image": image.id, "mask": empty.id})
            await until(lambda: lane.batches)
            covered = array(lane.batches[0][0], "mask")
            assert (covered[:, :32] == 255).all()
            assert (covered[:, 32:] == 0).all()
            lane.go.set()
            assert (await finished(client, good.id)).state is JobState.DONE
            failed = await finished(client, bad.id)
            assert failed.error is not None
            assert (failed.error["error"], "nothing is painted" in failed.error["message"]) == (
                "InvalidRequest",
                True,
            )

    run(test)


def active(host: Host, artifact: Artifact) -> Any:
    path = host.provenance.store.path(artifact.id)
    with path.open("rb") as file:
        return read(file, artifact.media_type, host.provenance.keys.root_pem())


def test_an_edit_of_an_output_names_it_as_its_parent(home: Path, tmp_path: Path) -> None:
    async def test() -> None:
        host, _ = editing_host(home)
        async with host:
            client = host.client("ann")
            first = await made(client, "imagine", width=256, height=256)
            path = await client.fetch(first.id)
            stripped = write(tmp_path / "s.png", encoded(Image.open(path).convert("RGB")))
            copy = await client.upload(path)
            bare = await client.upload(stripped)
            assert (copy.parent, copy.manifest) == (first.id, "trusted")
            assert (bare.parent, bare.manifest) == (first.id, "absent"), "known by its mark"
            for image, manifests in ((first.id, 2), (copy.id, 2), (bare.id, 1)):
                edit = await made(client, "edit", image=image)
                assert edit.note.parents == (first.id,)
                report = active(host, edit)
                assert (report.state, report.manifests) == ("trusted", manifests)
                assert (await client.lineage(edit.id)).parents[0].artifact == first
            # And an edit of an edit has them all.
            again = await made(client, "edit", image=(await made(client, "edit", image=copy.id)).id)
            assert active(host, again).manifests == 3

    run(test)


def test_a_file_whose_manifest_is_broken_can_be_edited_all_the_same(
    home: Path, tmp_path: Path
) -> None:
    async def test() -> None:
        host, _ = editing_host(home)
        async with host:
            client = host.client("ann")
            picture = await made(client, "imagine", width=256, height=256)
            content = bytearray((await client.fetch(picture.id)).read_bytes())
            place = content.index(b"IDAT") - 4
            # One more chunk that says nothing: the picture is the same, the signature is not.
            content[place:place] = b"\0\0\0\1tEXtx\0\0\0\0"
            import zlib

            crc = zlib.crc32(b"tEXtx").to_bytes(4, "big")
            content[place : place + 13] = b"\0\0\0\1tEXtx" + crc
            upload = await client.upload(write(tmp_path / "b.png", bytes(content)))
            # The mark still says where it comes from.
            assert (upload.manifest, upload.parent) == ("invalid", picture.id)
            edit = await made(client, "edit", image=upload.id)
            assert active(host, edit).state == "trusted"
            assert edit.note.parents == (picture.id,)

    run(test)


def test_an_input_that_is_deleted_while_the_job_waits_ends_it(home: Path, tmp_path: Path) -> None:
    async def test() -> None:
        host, lane = editing_host(home)
        async with host:
            client = host.client("ann")
            first = await made(client, "imagine", width=64, height=64)
            lane.go.clear()
            ahead = await client.submit("imagine", EDIT)
            doomed = await client.submit("edit", {**EDIT, "image": first.id})
            await client.delete(first.id)
            lane.go.set()
            assert (await finished(client, ahead.id)).state is JobState.DONE
            error = (await finished(client, doomed.id)).error
            assert error is not None
            assert error["error"] == "NotFound"
            assert "image" in error["message"]
            assert error["hint"]

    run(test)


@pytest.mark.fault
def test_a_host_killed_with_its_inputs_open_goes_on(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a.png", encoded(noise()))
    script = "from tests.inputs.test_jobs import be_killed; be_killed()"
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(home), str(file)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    job = child.stdout.readline().strip()
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    child.stdout.close()
    assert list((home / "inputs").iterdir()), "it was killed too early"

    async def test() -> None:
        host, lane = editing_host(home)
        async with host:
            assert (await finished(host.client("ann"), job)).state is JobState.DONE
            assert lane.batches[0][0].inputs.keys() == {"image"}

    run(test)


def be_killed() -> None:
    """Open a job's inputs, say so, and wait for the end."""
    home, file = map(Path, sys.argv[1:3])

    async def main() -> None:
        host, lane = editing_host(home)
        async with host:
            client = host.client("ann")
            lane.go.clear()
            upload = await client.upload(file)
            job = await client.submit("edit", {**EDIT, "image": upload.id})
            await until(lambda: lane.batches)
            print(job.id, flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
