"""Stores full of artifacts, without the minutes that generating them would take."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.artifact import Artifact, Note, artifact_id
from studio.artifacts import ArtifactStore
from tests.provenance.conftest import another as another
from tests.provenance.conftest import provenance as provenance

#: When the first of them was made.
BEGAN = 1_700_000_000.0


def artifact(number: int, prompt: str, *, owner: str = "ann", **note: object) -> Artifact:
    """What sealing would have made of an order; a minute after the one before."""
    job = f"{number:032x}"
    values = {
        "job": job,
        "index": 0,
        "owner": "p",
        "task": "text-to-image",
        "card": "noise",
        "revision": "embedded",
        "request": {"prompt": prompt, "format": "png", "negative_prompt": "blurry"},
        "request_sha256": "0" * 64,
        "draft_sha256": "0" * 64,
        "seed": number,
        "parents": (),
        "marks": {},
        "batch": 1,
        "versions": {},
        "created": BEGAN + 60 * number,
        **note,
    }
    made = Note(**values)  # type: ignore[arg-type]
    identity = artifact_id(f"{owner}{job}", 0)
    return Artifact(identity, owner, "image", "image/png", 4, "0" * 64, made)


def write(store: ArtifactStore, one: Artifact) -> None:
    """Put the files in place as publishing does, without waiting for the disk each time."""
    folder = store.folder / one.id[:2]
    folder.mkdir(exist_ok=True)
    record = one.record()
    del record["keeping"]
    (folder / f"{one.id}.note.json").write_text(json.dumps(record))
    (folder / f"{one.id}.png").write_bytes(b"file")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ArtifactStore]:
    """An empty store."""
    opened = ArtifactStore(tmp_path / "artifacts")
    yield opened
    opened.close()


@pytest.fixture
def published(store: ArtifactStore) -> Callable[..., Artifact]:
    """Publishes: `published("a yellow star", owner="bob")`."""
    count = iter(range(1_000_000))

    def publish(prompt: str, **values: object) -> Artifact:
        with store.staging() as folder:
            media = folder / "media"
            media.write_bytes(b"file")
            return store.publish(artifact(next(count), prompt, **values), media)  # type: ignore[arg-type]

    return publish
