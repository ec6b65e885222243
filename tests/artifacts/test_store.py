"""The store keeps what was published, by id, and finds it again from the files alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from studio.artifacts import ArtifactStore
from studio.errors import NotFound
from studio.provenance import Provenance
from tests.provenance.conftest import CARD, new_draft, new_job, seal
from tests.provenance.pictures import flat


def test_pages_go_from_new_to_old_without_gaps(another: Callable[..., Provenance]) -> None:
    opened = another()
    made = [seal(opened, flat(seed, 64)).id for seed in range(5)]
    first = opened.store.list("local", limit=2)
    second = opened.store.list("local", limit=2, before=first[-1].id)
    third = opened.store.list("local", limit=2, before=second[-1].id)
    assert [artifact.id for artifact in first + second + third] == made[::-1]
    assert opened.store.list("somebody else", limit=9) == []
    assert len(opened.store.list("local", limit=9)) == 5


def test_the_index_comes_back_from_the_files(another: Callable[..., Provenance]) -> None:
    opened = another()
    job = new_job()
    for index in range(3):
        opened.sealer.seal(
            new_draft(flat(index, 64), index),
            job=job,
            card=CARD,
            revision="embedded",
            batch=3,
            versions={},
        )
    before = opened.store.list("local", limit=9)
    folder = opened.store.folder
    for damage in (b"", b"this is no database at all" * 500):
        for path in folder.glob("index.sqlite*"):
            path.unlink()
        if damage:
            (folder / "index.sqlite").write_bytes(damage)
        store = ArtifactStore(folder)
        assert store.list("local", limit=9) == before
        assert store.of_job(job.id) == opened.store.of_job(job.id)
        store.close()


def test_deleted_means_gone_and_the_ledger_remembers(another: Callable[..., Provenance]) -> None:
    opened = another()
    artifact = seal(opened, flat(1, 64))
    opened.sealer.preview(artifact.id)
    opened.store.keep(artifact.id, deleted=1.0)
    assert opened.store.empty(before=2.0) == 1
    for look in (opened.store.get, opened.store.path, opened.sealer.preview):
        with pytest.raises(NotFound):
            look(artifact.id)
    assert list(opened.store.folder.glob("??/*")) == []
    entry = opened.ledger.by_mark(artifact.note.marks["image"]["id"])
    assert entry is not None
    assert entry.artifact == artifact.id


def test_a_preview_is_small_made_once_and_says_what_it_is(
    another: Callable[..., Provenance],
) -> None:
    opened = another()
    artifact = seal(opened, flat(1, 640))
    path = opened.sealer.preview(artifact.id)
    with Image.open(path) as preview:
        assert (preview.format, preview.size) == ("WEBP", (256, 256))
        assert b"trainedAlgorithmicMedia" in preview.info["xmp"]
        assert b"Preview of an AI-generated work" in preview.info["xmp"]
    before = path.stat()
    assert opened.sealer.preview(artifact.id) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert before.st_mode & 0o077 == 0
    # It is no output: nothing lists it, and nothing takes it for one.
    assert opened.store.rebuild() == 1
    assert [one.id for one in opened.store.list("local", limit=9)] == [artifact.id]


@pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "a" * 32, "é" * 32, "a/b" * 40])
def test_unknown_and_malicious_ids_are_not_found(provenance: Provenance, name: str) -> None:
    with pytest.raises(NotFound):
        provenance.store.get(name)
