"""`studio verify` and `studio keys` as a person or a script calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from studio.commands.audit import audit
from studio.commands.keys import keys
from studio.commands.lineage import lineage
from studio.commands.verify import verify
from studio.errors import NotFound
from studio.provenance import Provenance, open_provenance
from studio.settings import Settings
from tests.provenance.conftest import seal, seal_edit
from tests.provenance.pictures import flat, texture


@pytest.fixture
def mine(home: Path) -> Iterator[Provenance]:
    """The installation that the commands find."""
    opened = open_provenance(Settings(home=home))
    yield opened
    opened.close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(verify, [str(argument) for argument in arguments])


def test_each_outcome_has_its_exit_status(mine: Provenance, tmp_path: Path) -> None:
    signed = mine.store.path(seal(mine, flat(1)).id)
    with Image.open(signed) as picture:
        picture.save(tmp_path / "marked.png")
    Image.fromarray(texture(50)).save(tmp_path / "none.png")
    (tmp_path / "contradicted.png").write_bytes(signed.read_bytes() + b"x")
    (tmp_path / "unusable.png").write_bytes(b"\x89PNG, and then nothing")
    expected = {"marked": 0, "none": 3, "contradicted": 4, "unusable": 2}
    files = [signed]
    # Each file joins the ones before it: the gravest finding decides.
    for name, status in expected.items():
        files.append(tmp_path / f"{name}.png")
        result = run("--json", *files)
        assert result.exit_code == status
        records = json.loads(result.stdout)
        assert [record["file"] for record in records] == [str(file) for file in files]
    assert [record["verdict"] for record in records] == [
        "signed", "marked", "none", "contradicted", None,
    ]  # fmt: skip
    assert records[0].keys() == {"file", "verdict", "sentence", "layers"}
    assert records[-1]["error"] == "InvalidRequest"
    assert "unusable.png" in result.stderr


def test_people_read_a_sentence_and_a_line_per_layer(mine: Provenance) -> None:
    path = mine.store.path(seal(mine, flat(1)).id)
    lines = run(path).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "manifest", "mark", "fingerprint", "ledger",
    ]  # fmt: skip
    explained = run(path, "--explain").stdout
    assert "pointer, not proof" in " ".join(explained.split())
    assert "authentic" not in explained
    assert "human" not in explained


def test_what_a_file_was_made_from_is_listed_with_its_own_state(mine: Provenance) -> None:
    parent = seal(mine, flat(1))
    child = mine.store.path(seal_edit(mine, texture(2), parent).id)
    record = json.loads(run(child, "--json").stdout)[0]
    (made_from,) = record["layers"][0]["details"]["ingredients"]
    assert (made_from["relation"], made_from["state"]) == ("parentOf", "valid")
    assert made_from["title"]
    assert "parentOf, valid: " in run(child).stdout


def test_keys_are_shown_without_their_secrets(mine: Provenance, tmp_path: Path) -> None:
    def call(*arguments: str) -> Result:
        return CliRunner().invoke(keys, arguments)

    record = json.loads(call("show", "--json").stdout)
    assert record["root_sha256"] == mine.keys.root_fingerprint()
    assert len(record["mark_keys"]) == 1
    shown = call("show").stdout
    assert mine.keys.marks()[0].secret.hex() not in shown
    assert "PRIVATE" not in shown
    assert call("rotate").exit_code == 0
    assert len(json.loads(call("show", "--json").stdout)["mark_keys"]) == 2
    assert call("export-root", str(tmp_path / "root.pem")).exit_code == 0
    assert (tmp_path / "root.pem").read_text() == call("export-root").stdout
    assert call("trust", str(tmp_path / "root.pem")).exit_code == 0
    assert isinstance(call("trust", str(tmp_path / "missing")).exception, NotFound)


def test_keys_can_be_made_before_anything_else(home: Path) -> None:
    assert not isinstance(CliRunner().invoke(keys, ["show"]).exception, SystemExit)
    result = CliRunner().invoke(keys, ["init"])
    assert result.exit_code == 0
    assert (home / "keys" / "leaf.pem").is_file()


def test_lineage_is_a_tree_of_parents_and_children(mine: Provenance) -> None:
    parent = seal(mine, flat(1))
    child = seal_edit(mine, texture(2), parent)
    told = CliRunner().invoke(lineage, [child.id]).stdout
    assert told.splitlines()[1:] == [
        "made from:",
        f"  {parent.id}  text-to-image  small-world  seed 7",
    ]
    record = json.loads(CliRunner().invoke(lineage, ["--json", parent.id]).stdout)
    assert record["artifact"] == parent.id
    assert [one["artifact"] for one in record["children"]] == [child.id]
    assert isinstance(CliRunner().invoke(lineage, ["0" * 32]).exception, NotFound)


def test_a_person_is_erased_and_the_chain_still_holds(mine: Provenance) -> None:
    made = seal(mine, flat(1))
    result = CliRunner().invoke(audit, ["erase", made.owner])
    assert result.exit_code == 0
    assert "1 rows, all as they were written" in result.stdout
    assert mine.ledger.pseudonym(made.owner) != made.note.owner
    assert isinstance(CliRunner().invoke(audit, ["erase", "nobody"]).exception, NotFound)
