"""One installation with real keys for the whole folder; each test seals its own jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import numpy as np
import pytest

from studio.artifact import Artifact
from studio.cards import Card
from studio.draft import Draft
from studio.job import Job
from studio.provenance import Provenance, open_provenance
from studio.provenance.manifest import Ingredient
from studio.settings import Settings

CARD = Card.parse(
    "small-world",
    """---
license: apache-2.0
studio:
  title: Small world
  family: diffusers
  tasks: [text-to-image]
  source: {path: starter/pictures}
  memory: {weights: 10, working: 100}
  notice: a small-world starter model
---
For tests.
""",
)


def new_job(**request: object) -> Job:
    """An accepted job with an id of its own."""
    return Job(
        id=token_hex(16),
        owner="local",
        task="text-to-image",
        card=CARD.name,
        request={
            "prompt": "a secret wish",
            "text": "a secret wish",
            "language": "en",
            "format": "png",
            **request,
        },
        priority=0,
        created=1.0,
    )


def new_draft(pixels: np.ndarray, index: int = 0) -> Draft:
    """A picture as a family would hand it over."""
    return Draft("image", index, 7, {"pixels": pixels})


def seal(provenance: Provenance, pixels: np.ndarray, **request: object) -> Artifact:
    """`pixels`, sealed as the only output of a new job."""
    return provenance.sealer.seal(
        new_draft(pixels),
        job=new_job(**request),
        card=CARD,
        revision="embedded",
        batch=1,
        versions={"torch": "0"},
    )


def seal_edit(provenance: Provenance, pixels: np.ndarray, parent: Artifact) -> Artifact:
    """`pixels`, sealed as what was made of `parent`."""
    quoted = Ingredient(provenance.store.path(parent.id), parent.media_type, artifact=parent.id)
    return provenance.sealer.seal(
        new_draft(pixels),
        job=new_job(),
        card=CARD,
        revision="embedded",
        ingredients=[quoted],
        batch=1,
        versions={},
    )


@pytest.fixture(scope="session")
def provenance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provenance]:
    """An installation that the whole run shares; tests leave its keys alone."""
    opened = open_provenance(Settings(home=tmp_path_factory.mktemp("home")))
    yield opened
    opened.close()


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[..., Provenance]]:
    """Opens installations of the test's own: `another("b", max_pixels=100)`."""
    opened = []

    def open_one(name: str = "home", **settings: object) -> Provenance:
        provenance = open_provenance(Settings(home=tmp_path / name, **settings))
        opened.append(provenance)
        return provenance

    yield open_one
    for provenance in opened:
        provenance.close()


@pytest.fixture
def replace_settings() -> Callable[..., Provenance]:
    """The same installation with other settings."""

    def replaced(provenance: Provenance, **changes: object) -> Provenance:
        settings = provenance.verifier.settings.model_copy(update=changes)
        verifier = dataclasses.replace(provenance.verifier, settings=settings)
        return dataclasses.replace(provenance, verifier=verifier)

    return replaced
