"""A sound whose file cannot hold a manifest leaves with it beside the file."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Shell


def test_a_sound_is_made_saved_with_its_manifest_and_verified(shell: Shell) -> None:
    order = ("make", "compose", "calm piano", "--duration", "4", "--format", "ogg")
    (record,) = shell.run(*order, "--out", "music", "--json").json
    path = Path(record["path"])
    assert (shell.folder / f"{path}.c2pa").is_file()
    (verdict,) = shell.run("verify", str(path), "--json").json
    assert verdict["verdict"] == "signed"
    (shell.folder / f"{path}.c2pa").unlink()
    (verdict,) = shell.run("verify", str(path), "--json").json
    assert verdict["verdict"] == "marked"
