"""A hidden mark is left out only where somebody attested it, and never the signed manifest too."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from studio.checkup import examine
from studio.commands.keys import keys as command
from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.provenance import Provenance
from studio.provenance.attestation import Attestation, attest, attestations, unmarked
from studio.provenance.verdict import Outcome
from tests.provenance.conftest import seal
from tests.provenance.pictures import texture

TASK = "text-to-image"


def waive(opened: Provenance, *, marked: bool = False) -> Attestation:
    return attest(
        opened.keys, opened.ledger, TASK, marked=marked, by="Ann Operator", reason="a test chart"
    )


def test_an_attested_task_goes_without_the_mark_and_everything_says_so(
    another: Callable[..., Provenance],
) -> None:
    opened = another()
    waive(opened)
    made = seal(opened, texture(1))
    assert made.note.marks == {}
    assert made.note.made_with == ("no hidden mark, as Ann Operator attested",)
    verdict = opened.verifier.verify(opened.store.path(made.id))
    assert verdict.outcome is Outcome.SIGNED
    mark = next(layer for layer in verdict.layers if layer.name == "mark")
    assert (mark.state, "attested" in mark.summary) == ("absent", True)
    assert b"c2pa.soft-binding" not in opened.store.path(made.id).read_bytes()
    found = [one for one in examine(opened.sealer.settings) if one.name == "hidden mark"]
    assert "Ann Operator" in found[0].message
    waive(opened, marked=True)
    assert "image" in seal(opened, texture(2)).note.marks
    assert opened.ledger.check() == 4


def test_an_attestation_outlives_rotation_and_no_change(another: Callable[..., Provenance]) -> None:
    opened = another()
    said = waive(opened)
    opened.keys.rotate("Colophon")
    assert unmarked(opened.keys, opened.ledger) == {TASK: said}
    root = opened.keys.root_pem()
    assert said.holds(root)
    assert not replace(said, reason="another").holds(root)
    assert not replace(said, task="inpainting").holds(root)
    assert not said.holds(another("elsewhere").keys.root_pem())


def test_a_forged_row_leaves_the_mark_in(another: Callable[..., Provenance]) -> None:
    opened = another()
    said = waive(opened)
    opened.ledger.record({"attestation": {**vars(said), "task": "inpainting"}})
    assert list(unmarked(opened.keys, opened.ledger)) == [TASK]
    with sqlite3.connect(opened.sealer.settings.home / "ledger.sqlite") as database:
        database.execute("DROP TRIGGER entries_stay")
        database.execute("UPDATE entries SET body = replace(body, 'chart', 'whim')")
    database.close()
    assert attestations(opened.keys, opened.ledger) == []
    assert "image" in seal(opened, texture(1)).note.marks
    with pytest.raises(Unavailable, match="row 1"):
        opened.ledger.check()


def test_people_attest_list_and_revoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))

    def call(*arguments: str):  # type: ignore[no-untyped-def]
        return CliRunner().invoke(command, arguments)

    assert call("attest", "imagine", "--by", "Ann", "--reason", "a chart").exit_code == 0
    assert call("revoke", TASK, "--by", "Ben").exit_code == 0
    said = json.loads(call("attestations", "--json").stdout)
    assert [(one["task"], one["marked"], one["by"]) for one in said] == [
        (TASK, False, "Ann"), (TASK, True, "Ben"),
    ]  # fmt: skip
    assert "marked again, says Ben" in call("attestations").stdout
    assert isinstance(call("attest", "x", "--by", "A", "--reason", "b").exception, NotFound)
    blank = call("attest", TASK, "--by", "Ann", "--reason", " ")
    assert isinstance(blank.exception, InvalidRequest)


def test_a_key_that_is_kept_elsewhere_signs(
    another: Callable[..., Provenance], tmp_path: Path
) -> None:
    held = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "held.pem").write_bytes(
        held.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "public.pem").write_bytes(
        held.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    (tmp_path / "signer.py").write_text(
        "import sys\n"
        "from cryptography.hazmat.primitives import hashes, serialization\n"
        "from cryptography.hazmat.primitives.asymmetric import ec\n"
        "key = serialization.load_pem_private_key(open(sys.argv[1], 'rb').read(), None)\n"
        "claim = sys.stdin.buffer.read()\n"
        "sys.stdout.buffer.write(key.sign(claim, ec.ECDSA(hashes.SHA256())))\n"
    )
    signer = f"{sys.executable} {tmp_path / 'signer.py'} {tmp_path / 'held.pem'}"
    before = another()
    old = seal(before, texture(1))
    before.keys.rotate("Colophon", tmp_path / "public.pem")
    assert b"PRIVATE" not in (before.keys.folder / "leaf.pem").read_bytes()
    with pytest.raises(Unavailable, match="nothing says who signs"):
        seal(before, texture(2))
    opened = another(signer=signer)
    made = seal(opened, texture(2))
    for artifact in (old, made):
        verdict = opened.verifier.verify(opened.store.path(artifact.id))
        assert verdict.outcome is Outcome.SIGNED
    assert waive(opened).holds(opened.keys.root_pem())
    with pytest.raises(Unavailable, match="did not sign") as refused:
        seal(another(signer=f"{sys.executable} -c 1/0"), texture(3))
    assert "ZeroDivisionError" in refused.value.message
    with pytest.raises(InvalidRequest, match="no PEM public key"):
        opened.keys.rotate("Colophon", tmp_path / "held.pem")


def test_openssl_is_such_a_signer(another: Callable[..., Provenance], tmp_path: Path) -> None:
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True
    )
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    opened = another(signer=f"openssl dgst -sha256 -sign {key}")
    opened.keys.rotate("Colophon", public)
    path = opened.store.path(seal(opened, texture(1)).id)
    assert opened.verifier.verify(path).outcome is Outcome.SIGNED
