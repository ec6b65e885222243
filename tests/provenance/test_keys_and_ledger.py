"""Keys stay private and readable through rotation; the ledger notices every change."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.provenance import Provenance
from studio.provenance.fingerprint import NEAR, distance, fingerprint
from studio.provenance.keys import Keys
from studio.provenance.ledger import Entry, Ledger
from studio.provenance.verdict import Outcome
from tests.provenance.conftest import seal
from tests.provenance.pictures import flat, jpeg, resized, texture

ENTRY = Entry(
    artifact="a",
    kind="image",
    media_type="image/png",
    sha256="s",
    draft_sha256="d",
    mark="0123456789ab",
    mark_alg="alg",
    mark_key="key",
    mark_weak=False,
    fingerprint="00" * 32,
    signing_key="leaf",
    owner="somebody",
    task="text-to-image",
    card="card",
    revision="embedded",
    parents=(),
    created=1.0,
)


def test_only_the_owner_can_read_the_keys(provenance: Provenance) -> None:
    folder = provenance.keys.folder
    assert oct(folder.stat().st_mode)[-3:] == "700"
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"root.key", "leaf.pem", "marks.json", "secret"}
    assert {oct(path.stat().st_mode)[-3:] for path in files} == {"600"}


def test_old_outputs_verify_after_rotation(another: Callable[..., Provenance]) -> None:
    before = another()
    old = seal(before, texture(1))
    before.keys.rotate("Colophon")
    after = another()
    new = seal(after, texture(2))
    for opened, artifact in ((after, old), (after, new)):
        path = opened.store.path(artifact.id)
        assert opened.verifier.verify(path).outcome == "signed"
        with Image.open(path) as picture:
            stripped = path.with_name("stripped.png")
            picture.save(stripped)
        verdict = opened.verifier.verify(stripped)
        assert verdict.outcome == "marked"
        assert verdict.layers[1].details["id"] == artifact.note.marks["image"]["id"]
    assert old.note.marks["image"]["key"] != new.note.marks["image"]["key"]
    assert old.note.versions["signing-key"] != new.note.versions["signing-key"]


def test_without_the_roots_key_sealing_works_and_rotation_says_why_not(
    another: Callable[..., Provenance],
) -> None:
    opened = another()
    (opened.keys.folder / "root.key").unlink()
    assert not opened.keys.root_key_is_here()
    seal(opened, flat(1, 64))
    with pytest.raises(Unavailable, match="root"):
        opened.keys.rotate("Colophon")


def test_a_lost_file_never_makes_a_new_identity(another: Callable[..., Provenance]) -> None:
    before = another()
    old = seal(before, texture(1))
    root, leaf = before.keys.root_fingerprint(), before.keys.folder / "leaf.pem"
    leaf.unlink()
    with pytest.raises(Unavailable, match="leaf"):
        before.keys.create("Colophon")
    before.keys.rotate("Colophon")
    assert before.keys.root_fingerprint() == root
    assert another().verifier.verify(before.store.path(old.id)).outcome is Outcome.SIGNED


def test_an_interrupted_beginning_begins_again(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    keys.create("Colophon")
    (keys.folder / "leaf.pem").unlink()
    (keys.folder / ".making").touch()
    keys.create("Colophon")
    assert keys.signing().private.startswith(b"-----BEGIN PRIVATE KEY")
    assert not (keys.folder / ".making").exists()


def test_only_a_root_can_be_trusted(provenance: Provenance, tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("hello")
    with pytest.raises(InvalidRequest):
        provenance.keys.trust(tmp_path / "text.pem")
    with pytest.raises(InvalidRequest, match="no root"):
        provenance.keys.trust(provenance.keys.folder / "leaf.pem")
    with pytest.raises(NotFound):
        provenance.keys.trust(tmp_path / "missing.pem")


def test_keys_are_made_once_however_many_start_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from studio.provenance.keys import Keys\n"
        "keys = Keys(Path(sys.argv[1])); keys.create('x'); print(keys.root_fingerprint())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "keys")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({process.communicate()[0] for process in running}) == 1
    assert Keys(tmp_path / "keys").exist


def open_ledger(path: Path) -> Ledger:
    return Ledger(path, b"k" * 32)


def test_rows_are_found_by_mark_file_and_likeness(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    assert ledger.nearest(bytes(32)) is None
    for place in range(20):
        ledger.append(
            dataclasses.replace(
                ENTRY,
                artifact=f"a{place}",
                mark=f"{place:012x}",
                sha256=f"s{place}",
                fingerprint=os.urandom(32).hex(),
            )
        )
    assert ledger.by_mark(f"{7:012x}").artifact == "a7"
    assert ledger.by_sha256("s8").artifact == "a8"
    assert ledger.by_mark("ffffffffffff") is None
    wanted = bytearray.fromhex(ledger.by_sha256("s9").fingerprint)
    wanted[3] ^= 0b101
    entry, bits = ledger.nearest(bytes(wanted))
    assert (entry.artifact, bits) == ("a9", 2)
    ledger.append(dataclasses.replace(ENTRY, artifact="late", fingerprint=bytes(wanted).hex()))
    assert ledger.nearest(bytes(wanted))[0].artifact == "late"
    ledger.close()


def test_a_lost_torn_or_foreign_index_is_made_anew(tmp_path: Path) -> None:
    place, index = tmp_path / "ledger.sqlite", tmp_path / "ledger.prints"
    ledger, other = open_ledger(place), open_ledger(tmp_path / "other.sqlite")
    prints = [os.urandom(32) for _ in range(3)]
    for number, print_ in enumerate(prints):
        ledger.append(dataclasses.replace(ENTRY, artifact=str(number), fingerprint=print_.hex()))
        other.append(dataclasses.replace(ENTRY, fingerprint=os.urandom(32).hex()))
    assert ledger.nearest(prints[1])[0].artifact == "1"
    other.nearest(prints[1])
    whole = index.read_bytes()
    for spoiled in (b"", whole[:-7], (tmp_path / "other.prints").read_bytes(), whole * 2):
        index.write_bytes(spoiled)
        for number, print_ in enumerate(prints):
            found, bits = ledger.nearest(print_)
            assert (found.artifact, bits) == (str(number), 0)
    index.unlink()
    assert ledger.nearest(prints[2])[0].artifact == "2"
    assert index.read_bytes() == whole
    ledger.close()
    other.close()


def test_after_an_older_ledger_is_put_back_none_of_the_new_rows_is_missed(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite"
    ledger = open_ledger(place)

    def append(artifact: str) -> bytes:
        print_ = os.urandom(32)
        ledger.append(dataclasses.replace(ENTRY, artifact=artifact, fingerprint=print_.hex()))
        return print_

    kept = append("kept")
    ledger.close()
    backup = place.read_bytes()
    ledger = open_ledger(place)
    assert ledger.nearest(append("lost"))[0].artifact == "lost"
    ledger.close()
    place.write_bytes(backup)
    ledger = open_ledger(place)
    fresh = [append(f"new {number}") for number in range(2)]
    for number, print_ in enumerate(fresh):
        assert ledger.nearest(print_)[0].artifact == f"new {number}"
    assert ledger.nearest(kept)[0].artifact == "kept"
    ledger.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET body = replace(body, 'card', 'cart') WHERE seq = 2",
        "UPDATE entries SET mark = 'ffffffffffff' WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 2",
        "INSERT INTO entries SELECT 9, mark, sha256, artifact, fingerprint, body, chain "
        "FROM entries WHERE seq = 2",
    ],
)
def test_every_change_breaks_the_chain(tmp_path: Path, change: str) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(path)
    for place in range(4):
        ledger.append(dataclasses.replace(ENTRY, artifact=str(place)))
    assert ledger.check() == 4
    ledger.close()
    with sqlite3.connect(path) as database:
        if not change.startswith("INSERT"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                database.execute(change)
        database.executescript("DROP TRIGGER entries_stay; DROP TRIGGER entries_remain;")
        database.execute(change)
    database.close()
    reopened = open_ledger(path)
    with pytest.raises(Unavailable, match="row"):
        reopened.check()
    reopened.close()


def test_a_damaged_ledger_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable, match=r"ledger\.sqlite is damaged"):
        open_ledger(path)
    assert path.read_bytes() == b"no database" * 1000


def test_a_long_label_still_makes_a_chain_that_verifies(another: Callable[..., Provenance]) -> None:
    opened = another(label="A studio with an extraordinarily long name, even for a studio, really")
    path = opened.store.path(seal(opened, flat(1)).id)
    assert opened.verifier.verify(path).outcome == "signed"


def test_forgetting_a_person_leaves_the_chain_whole(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    name = ledger.pseudonym("ann")
    assert ledger.pseudonym("ann") == name
    ledger.append(dataclasses.replace(ENTRY, owner=name))
    ledger.forget("ann")
    assert ledger.pseudonym("ann") != name
    assert ledger.check() == 1
    with pytest.raises(NotFound, match="nobody called ben"):
        ledger.forget("ben")
    ledger.close()


def test_fingerprints_tell_pictures_apart() -> None:
    pictures = [texture(seed) for seed in range(6)]
    prints = [fingerprint(pixels) for pixels in pictures]
    for place, pixels in enumerate(pictures):
        for changed in (jpeg(pixels, 50), resized(pixels, 0.5)):
            assert distance(prints[place], fingerprint(changed)) <= NEAR
        for other in prints[place + 1 :]:
            assert distance(prints[place], other) > 90
    with_alpha = np.dstack([pictures[0], np.full((512, 512), 255, np.uint8)])
    assert fingerprint(with_alpha) == prints[0]
