"""`studio gallery`: the index comes back from the files, and the bin is emptied for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from studio.commands.gallery import gallery
from studio.gallery import Filter
from studio.provenance import Provenance
from tests.provenance.conftest import seal
from tests.provenance.pictures import flat


@pytest.fixture
def opened(another: Callable[..., Provenance], tmp_path: Path) -> Provenance:
    """An installation that stays open, as a running studio's does, while commands are run."""
    return another()


def run(opened: Provenance, *arguments: str, answer: str = "") -> str:
    home = str(opened.store.folder.parent)
    done = CliRunner().invoke(gallery, arguments, answer, {"STUDIO_HOME": home})
    assert done.exit_code == 0, done.output
    return done.output


def test_a_lost_index_comes_back_under_a_running_studio(opened: Provenance) -> None:
    kept = seal(opened, flat(1, 64), prompt="a secret wish")
    opened.store.keep(kept.id, starred=True)
    assert "1 outputs found" in run(opened, "rebuild")
    (found,) = opened.store.list("local", Filter(search="secret", starred=True), limit=9)
    assert found.note.request["prompt"] == "a secret wish"


def test_the_bin_is_emptied_when_that_is_confirmed(opened: Provenance) -> None:
    kept, gone = (seal(opened, flat(seed, 64)) for seed in (1, 2))
    opened.store.keep(gone.id, deleted=time.time() - 3600)
    assert "0 outputs are gone" in run(opened, "empty", "--days", "1", "--yes")
    home = str(opened.store.folder.parent)
    refused = CliRunner().invoke(gallery, ["empty"], "n\n", {"STUDIO_HOME": home})
    assert refused.exit_code == 1
    assert opened.store.contents("local").binned == 1
    assert "1 outputs are gone" in run(opened, "empty", answer="y\n")
    assert [one.id for one in opened.store.list("local", limit=9)] == [kept.id]
    assert opened.store.contents("local").binned == 0
    # The ledger keeps what it wrote.
    assert opened.ledger.check() == 2
