"""A mark that an installed package brings goes in beside the studio's own, and leads back as well.

`plugin/` is such a package as an installer leaves it: a module, and metadata with an entry point.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.draft import Draft
from studio.errors import Unavailable
from studio.provenance import Provenance, open_provenance
from studio.provenance.marks import MarkKey
from studio.settings import Settings
from tests.provenance.conftest import seal
from tests.provenance.pictures import texture

PLUGIN = Path(__file__).parent / "plugin"
PICTURE = texture(5, roughness=1.8) // 2 + 64


@pytest.fixture
def provenance(tmp_path: Path) -> Iterator[Provenance]:
    """An installation that looks for packages when it first seals."""
    opened = open_provenance(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


def registered(folder: Path, mark: str) -> str:
    """A folder with the package, in which another of its classes is the entry point."""
    shutil.copytree(PLUGIN, folder)
    (folder / "dots-1.0.dist-info" / "entry_points.txt").write_text(
        f"[studio.marks]\nother = dots:{mark}\n"
    )
    return str(folder)


@pytest.mark.usefixtures("installed")
def test_an_installed_mark_is_used_and_the_ledger_says_so(provenance: Provenance) -> None:
    made = seal(provenance, PICTURE)
    mark = made.note.marks["image"]
    assert mark["alg"] == "org.colophon.lattice.v1"
    assert mark["also"] == ["org.example.dots.v1"]
    assert not mark["weak"]
    entry = provenance.ledger.by_mark(mark["id"])
    assert entry is not None
    assert entry.mark_also == ("org.example.dots.v1",)
    said = provenance.verifier.verify(provenance.store.path(made.id)).layers[0].details
    assert said["soft_bindings"] == {mark["alg"]: mark["id"], "org.example.dots.v1": mark["id"]}


@pytest.mark.usefixtures("installed")
def test_it_leads_back_where_our_own_is_gone(provenance: Provenance, tmp_path: Path) -> None:
    made = seal(provenance, PICTURE)
    with Image.open(provenance.store.path(made.id)) as picture:
        coarse = picture.resize((16, 16), Image.Resampling.BOX)
        coarse.resize(picture.size, Image.Resampling.NEAREST).save(tmp_path / "coarse.png")
    verdict = provenance.verifier.verify(tmp_path / "coarse.png")
    assert verdict.outcome == "marked"
    assert verdict.layers[1].details["alg"] == "org.example.dots.v1"
    assert verdict.layers[1].details["id"] == made.note.marks["image"]["id"]


@pytest.mark.usefixtures("installed")
def test_a_number_that_the_ledger_does_not_know_is_somebody_elses(
    provenance: Provenance, tmp_path: Path
) -> None:
    from dots import Dots

    draft = Draft("image", 0, 0, {"pixels": PICTURE})
    theirs = Dots([MarkKey("theirs", bytes(32))], tmp_path).embed(draft, 4711).draft
    Image.fromarray(np.asarray(theirs.arrays["pixels"])).save(tmp_path / "theirs.png")
    verdict = provenance.verifier.verify(tmp_path / "theirs.png")
    assert verdict.outcome == "none"
    assert verdict.layers[1].state == "absent"


def test_what_does_not_read_back_is_not_claimed(
    provenance: Provenance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(registered(tmp_path / "package", "Faded"))
    made = seal(provenance, PICTURE)
    mark = made.note.marks["image"]
    assert (mark["also"], mark["weak"]) == ([], False)
    said = provenance.verifier.verify(provenance.store.path(made.id)).layers[0].details
    assert said["soft_bindings"] == {mark["alg"]: mark["id"]}


@pytest.mark.parametrize(("mark", "reason"), [("Short", "16 bits"), ("Absent", "Absent")])
def test_a_mark_that_cannot_be_used_lets_nothing_out(
    provenance: Provenance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mark: str,
    reason: str,
) -> None:
    monkeypatch.syspath_prepend(registered(tmp_path / "package", mark))
    with pytest.raises(Unavailable, match=reason) as failed:
        seal(provenance, PICTURE)
    assert "package dots" in failed.value.hint
    assert not list((tmp_path / "home" / "artifacts").rglob("*.png"))
