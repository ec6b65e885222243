"""A sound whose file cannot hold a manifest leaves with it beside the file."""

from __future__ import annotations

from pathlib import Path

import mido

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


def test_a_pieces_notes_are_written_down(shell: Shell) -> None:
    order = ("make", "compose", "calm piano", "--duration", "2", "--out", "music", "--json")
    (record,) = shell.run(*order).json
    shell.run("midi", record["id"], "--out", "piece.mid")
    file = mido.MidiFile(shell.folder / "piece.mid")
    assert sum(message.type == "note_on" for track in file.tracks for message in track) > 3
    assert shell.run("midi", record["id"], "--format", "abc").out.startswith("%abc-2.1")
    assert "<svg" in shell.run("midi", record["id"], "--format", "svg").out
