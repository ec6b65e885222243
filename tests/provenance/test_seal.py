"""Sealing publishes a whole, signed output once, or nothing; whatever happens in between."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.artifact import Artifact, artifact_id
from studio.errors import SealFailed, Unavailable
from studio.provenance import Provenance
from tests.provenance.conftest import CARD, new_draft, new_job, seal, seal_edit
from tests.provenance.pictures import flat, texture

FORMATS = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}


def media_below(folder: Path) -> list[Path]:
    """Every file that anybody could take for an output, unfinished ones included."""
    return [path for path in folder.glob("??/*") if not path.name.endswith(".json")]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_sealed_file_is_what_its_note_says(provenance: Provenance, format_: str) -> None:
    pixels = flat(2)
    artifact = seal(provenance, pixels, format=format_)
    path = provenance.store.path(artifact.id)
    with Image.open(path) as picture:
        assert picture.size == (512, 512)
        assert Image.MIME[picture.format or ""] == artifact.media_type == FORMATS[format_]
    assert path.stat().st_size == artifact.size
    note = artifact.note
    assert note.draft_sha256 == new_draft(pixels).digest()
    assert note.seed == 7
    assert not note.marks["image"]["weak"]
    assert note.marks["image"]["psnr"] > 37
    assert note.owner != "local"
    secret_places = [path, path.with_name(f"{artifact.id}.note.json")]
    assert [oct(place.stat().st_mode)[-3:] for place in secret_places] == ["600", "600"]


def test_what_changed_the_output_is_in_its_note_and_outlives_the_studio(
    provenance: Provenance,
) -> None:
    how = ("decoded in tiles", "weights in 8 bits")
    made = provenance.sealer.seal(
        replace(new_draft(flat(1)), facts={"made with": list(how)}),
        job=new_job(),
        card=CARD,
        revision="embedded",
        batch=1,
        versions={},
    )
    assert made.note.made_with == how
    assert provenance.store.get(made.id).note.made_with == how
    record = made.record()
    del record["note"]["made_with"]
    assert Artifact.from_record(record).note.made_with == (), "a note of an earlier version"


def test_the_manifest_keeps_the_prompt_private(provenance: Provenance) -> None:
    artifact = seal(provenance, flat(1))
    content = provenance.store.path(artifact.id).read_bytes()
    for private in ("secret wish", artifact.id, artifact.note.job, "local"):
        assert private.encode() not in content
    assert b"trainedAlgorithmicMedia" in content
    assert b"a small-world starter model" in content
    assert len(content) < 600_000


def test_the_same_draft_has_the_same_digest_and_another_mark(provenance: Provenance) -> None:
    one, other = seal(provenance, flat(4)), seal(provenance, flat(4))
    assert one.note.draft_sha256 == other.note.draft_sha256
    assert one.note.marks["image"]["id"] != other.note.marks["image"]["id"]
    assert one.sha256 != other.sha256


def test_a_second_seal_returns_the_first_artifact(provenance: Provenance) -> None:
    job = new_job()

    def go(_: int) -> str:
        sealed = provenance.sealer.seal(
            new_draft(flat(3)), job=job, card=CARD, revision="embedded", batch=1, versions={}
        )
        return sealed.sha256

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(go, range(3)))) == 1
    assert provenance.store.of_job(job.id) == {0: artifact_id(job.id, 0)}


def test_an_edit_names_its_parent_as_ingredient(provenance: Provenance) -> None:
    parent = seal(provenance, texture(1))
    child = seal_edit(provenance, texture(2), parent)
    layer = provenance.verifier.verify(provenance.store.path(child.id)).layers[0]
    assert layer.state == "trusted"
    assert layer.details["manifests"] == 2
    assert provenance.ledger.by_sha256(child.sha256).parents == (parent.id,)


@pytest.mark.parametrize("painted", [texture(3), flat(4)], ids=["texture", "flat"])
def test_an_edit_of_a_marked_picture_reads_as_the_child(
    provenance: Provenance, painted: np.ndarray
) -> None:
    parent = seal(provenance, painted)
    with Image.open(provenance.store.path(parent.id)) as picture:
        pixels = np.array(picture)
    pixels[:256, :256] = texture(5)[:256, :256]
    child = seal_edit(provenance, pixels, parent)
    with Image.open(provenance.store.path(child.id)) as picture:
        finished = np.asarray(picture)
    found = provenance.sealer.media["image"].mark.detect(new_draft(finished), thorough=False)
    assert found
    assert f"{found.payload:012x}" == child.note.marks["image"]["id"]


def test_what_cannot_be_sealed_leaves_nothing(another: Callable[..., Provenance]) -> None:
    opened = another()
    leaf = opened.keys.folder / "leaf.pem"
    begin = b"-----BEGIN PRIVATE KEY"
    leaf.write_bytes(leaf.read_bytes().partition(begin)[0] + begin + b" that is no key at all")
    with pytest.raises(SealFailed) as failure:
        seal(opened, flat(1))
    assert "doctor" in failure.value.hint
    assert media_below(opened.store.folder) == []
    assert opened.ledger.check() == 0


CRASH = """
import os, signal, sys
from pathlib import Path
from studio.artifact import artifact_id
from studio.artifacts import ArtifactStore
from studio.errors import NotFound
from studio.job import Job
from studio.provenance import open_provenance
from studio.settings import Settings
from tests.provenance.conftest import CARD, new_draft
from tests.provenance.pictures import flat

job = Job("ab" * 16, "local", "text-to-image", CARD.name, {"format": "png"}, 0, 1.0)
identity = artifact_id(job.id, 0)


def attempt(home, stage):
    passed = 0

    def failing(call):
        def wrapper(*arguments, **options):
            nonlocal passed
            passed += 1
            if passed == stage:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)
        return wrapper

    provenance = open_provenance(Settings(home=home))
    # Every system call that publishing makes is a place where the machine may stop.
    os.fsync, os.replace, os.unlink = failing(os.fsync), failing(os.replace), failing(os.unlink)
    artifact = provenance.sealer.seal(
        new_draft(flat(1, 256)), job=job, card=CARD, revision="embedded", batch=1, versions={}
    )
    assert provenance.verifier.verify(provenance.store.path(artifact.id)).outcome == "signed"


def in_child(home, stage):
    child = os.fork()
    if child == 0:
        attempt(home, stage)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


stage = 0
while True:
    stage += 1
    home = Path(sys.argv[1]) / str(stage)
    if in_child(home, stage) == 0:
        break
    store = ArtifactStore(home / "artifacts")
    try:
        published = store.path(identity).read_bytes()
    except NotFound:
        published = None
    store.close()
    assert in_child(home, 0) == 0
    store = ArtifactStore(home / "artifacts")
    assert store.of_job(job.id) == {0: identity}
    assert published in (None, store.path(identity).read_bytes())
    for path in store.folder.glob("??/*"):
        os.utime(path, (0, 0))  # what is young may be somebody's at work, and stays
    store.rebuild()
    media = [p for p in store.folder.glob("??/*") if not p.name.endswith(".json")]
    assert media == [store.path(identity)]
    print("published" if published else "withheld")
    store.close()
"""


@pytest.mark.fault
def test_a_crash_between_any_two_stages_shows_no_half_output(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    seen = done.stdout.split()
    assert len(seen) >= 5
    # Once it is published, it stays published.
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"published", "withheld"}


def test_a_full_disk_says_so_and_the_job_can_go_on(another: Callable[..., Provenance]) -> None:
    opened = another()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    job = new_job()
    arguments = {"job": job, "card": CARD, "revision": "embedded", "batch": 1, "versions": {}}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        with pytest.raises(Unavailable) as failure:
            opened.sealer.seal(new_draft(texture(1)), **arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)
    assert failure.value.retry
    assert media_below(opened.store.folder) == []
    artifact = opened.sealer.seal(new_draft(texture(1)), **arguments)
    assert opened.store.path(artifact.id).is_file()


def test_a_nearly_full_disk_is_noticed_before_anything_is_written(
    another: Callable[..., Provenance], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = another()
    monkeypatch.setattr("studio.provenance.seal._RESERVE", 10**18)
    with pytest.raises(Unavailable, match="full"):
        seal(opened, flat(1))
    assert opened.ledger.check() == 0
    assert media_below(opened.store.folder) == []


def test_pictures_of_other_shapes_are_sealed(provenance: Provenance) -> None:
    for pixels in (texture(3, 256, 640), flat(1, 64), np.dstack([flat(2), flat(1)[..., 0]])):
        for format_ in FORMATS:
            artifact = seal(provenance, pixels, format=format_)
            with Image.open(provenance.store.path(artifact.id)) as picture:
                assert picture.size == pixels.shape[1::-1]
