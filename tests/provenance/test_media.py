"""Every kind of content, in every format that a task offers, leaves signed and is known again."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import soundfile
import trimesh

from studio.artifact import Artifact
from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.formats import EXTENSIONS, FORMATS
from studio.provenance import Provenance
from studio.provenance.fingerprint import NEAR, distance, sound_fingerprint, text_fingerprint
from studio.tasks import TASKS
from studio.tasks.request import Kind
from tests.provenance.conftest import CARD, new_job
from tests.provenance.pictures import flat

RATE = 44_100
WORDS = "A colophon says how, where and by whom.\n"


def melody(seed: int, seconds: float = 6, rate: int = RATE) -> np.ndarray:
    """Plucked notes over a little noise: float32 (n, 2)."""
    random = np.random.default_rng(seed)
    sound = random.standard_normal(int(seconds * rate)) * 0.02
    for note in range(int(seconds * 4) - 2):
        pitch = 220 * 2 ** (random.integers(0, 24) / 12)
        time = np.arange(rate // 2) / rate
        tones = sum(np.sin(2 * np.pi * pitch * tone * time) / tone for tone in range(1, 6))
        begin = note * rate // 4
        sound[begin : begin + len(time)] += np.exp(-3 * time) * tones
    return np.repeat(sound[:, None] / np.abs(sound).max() * 0.6, 2, axis=1).astype(np.float32)


def film(seconds: int, side: int = 288, fps: int = 12) -> np.ndarray:
    """A drawing through which a camera moves: uint8 (frames, side, side, 3)."""
    drawing = flat(5)
    assert drawing.shape[0] >= side + seconds * fps
    return np.stack([drawing[at : at + side, at : at + side] for at in range(seconds * fps)])


def ring(thick: float) -> dict[str, np.ndarray]:
    """A coloured ring that lies askew, as a mesh's arrays."""
    mesh = trimesh.creation.torus(1, thick / 2, 24, 12)
    turned = mesh.vertices @ trimesh.transformations.euler_matrix(0.3, 0.7, 0.2)[:3, :3]
    return {
        "vertices": turned.astype(np.float32),
        "faces": np.asarray(mesh.faces, np.int32),
        "colours": np.full((len(turned), 3), (200, 80, 40), np.uint8),
    }


def draft_of(kind: str) -> Draft:
    """One draft of this kind."""
    match kind:
        case "image":
            return Draft("image", 0, 1, {"pixels": flat(2)})
        case "audio":
            return Draft("audio", 0, 1, {"samples": melody(1)}, {"rate": RATE})
        case "video":
            sound = {"samples": melody(3, 4), "frames": film(4)}
            return Draft("video", 0, 1, sound, {"fps": 12, "rate": RATE})
        case "mesh":
            return Draft("mesh", 0, 1, ring(0.4))
        case _:
            return Draft("text", 0, 1, {}, {"text": WORDS})


def seal(provenance: Provenance, draft: Draft, task: str, format_: str) -> Artifact:
    """`draft`, sealed as the only output of a new job of `task`."""
    return provenance.sealer.seal(
        draft,
        job=replace(new_job(format=format_), task=task),
        card=CARD,
        revision="embedded",
        batch=1,
        versions={},
    )


@pytest.mark.parametrize("task", TASKS)
def test_whatever_a_task_makes_leaves_signed(provenance: Provenance, task: str) -> None:
    kind = TASKS[task].makes
    offered = get_args(TASKS[task].request.model_fields["format"].annotation)
    # Every one of them is sealed below.
    assert {(kind, format_) for format_ in offered} <= set(FORMATS)
    artifact = seal(provenance, draft_of(kind), task, offered[0])
    path = provenance.store.path(artifact.id)
    assert path.suffix == f".{FORMATS[kind, offered[0]].extension}"
    assert provenance.verifier.verify(path).outcome == "signed"


@pytest.mark.parametrize(("kind", "format_"), FORMATS)
def test_every_format_is_signed_in_itself_or_beside_it(
    provenance: Provenance, tmp_path: Path, kind: Kind, format_: str
) -> None:
    target = FORMATS[kind, format_]
    assert EXTENSIONS[target.media_type] == target.extension
    artifact = seal(provenance, draft_of(kind), "text-to-image", format_)
    published = provenance.store.path(artifact.id)
    companion = provenance.store.companion(artifact.id)
    assert (companion is None) == target.embeds
    alone = tmp_path / f"alone.{target.extension}"
    shutil.copy(published, alone)
    without = provenance.verifier.verify(alone)
    assert without.outcome == (
        "signed"
        if target.embeds
        else "fingerprint"
        if target.kind in ("text", "mesh")
        else "marked"
    )
    if companion:
        shutil.copy(companion, f"{alone}.c2pa")
        assert provenance.verifier.verify(alone).outcome == "signed"
        alone.write_bytes(alone.read_bytes() + b" ")
        assert provenance.verifier.verify(alone).outcome == "contradicted"


def test_a_sound_made_anew_from_its_samples_is_still_marked(
    provenance: Provenance, tmp_path: Path
) -> None:
    artifact = seal(provenance, draft_of("audio"), "text-to-music", "wav")
    samples, rate = soundfile.read(provenance.store.path(artifact.id), always_2d=True)
    soundfile.write(tmp_path / "again.mp3", samples[rate:], rate)
    verdict = provenance.verifier.verify(tmp_path / "again.mp3")
    assert verdict.outcome == "marked"
    assert verdict.layers[1].details["id"] == artifact.note.marks["audio"]["id"]
    assert "a sound made here" in verdict.sentence


def test_rates_that_a_format_lacks_become_the_next(provenance: Provenance) -> None:
    for rate, format_, wanted in ((22_050, "opus", 24_000), (96_000, "mp3", 48_000)):
        draft = Draft("audio", 0, 1, {"samples": melody(2, rate=rate)}, {"rate": rate})
        artifact = seal(provenance, draft, "text-to-music", format_)
        info = soundfile.info(provenance.store.path(artifact.id))
        assert info.samplerate == wanted
        assert info.duration == pytest.approx(6, abs=0.2)
        assert not artifact.note.marks["audio"]["weak"]


def test_the_mark_of_a_parent_is_told_from_none(provenance: Provenance) -> None:
    silent = Draft("audio", 0, 1, {"samples": np.zeros((RATE, 1), np.float32)}, {"rate": RATE})
    mark = seal(provenance, silent, "text-to-music", "wav").note.marks["audio"]
    assert mark["weak"]
    assert mark["foreign"] == ""
    assert (
        seal(provenance, draft_of("image"), "text-to-image", "png").note.marks["image"]["foreign"]
        == ""
    )


def test_words_are_known_again_whatever_case_and_spaces(
    provenance: Provenance, tmp_path: Path
) -> None:
    seal(provenance, draft_of("text"), "text-to-image", "md")
    copy = tmp_path / "copy.txt"
    copy.write_text(WORDS.upper().replace(" ", "  "))
    assert provenance.verifier.verify(copy).outcome == "fingerprint"
    copy.write_text(WORDS.replace("where", "when"))
    assert provenance.verifier.verify(copy).outcome == "none"
    assert text_fingerprint(" \n") == b""


def test_the_very_file_is_known_without_the_statement_beside_it(
    provenance: Provenance, tmp_path: Path
) -> None:
    artifact = seal(provenance, Draft("text", 0, 1, {}, {"text": "Yes."}), "text-to-image", "txt")
    copy = tmp_path / "copy.txt"
    copy.write_bytes(provenance.store.path(artifact.id).read_bytes())
    verdict = provenance.verifier.verify(copy)
    assert verdict.outcome == "fingerprint"
    assert "exactly these bytes was made here" in verdict.sentence


def test_sound_fingerprints_tell_sounds_apart_and_not_versions() -> None:
    prints = [sound_fingerprint(melody(seed), RATE) for seed in range(6)]
    between = [distance(a, b) for i, a in enumerate(prints) for b in prints[:i]]
    assert min(between) > NEAR
    file = io.BytesIO()
    soundfile.write(file, melody(0) * 0.5, RATE, format="MP3")
    file.seek(0)
    again, _ = soundfile.read(file, dtype="float32", always_2d=True)
    assert distance(prints[0], sound_fingerprint(again, RATE)) <= NEAR
    assert sound_fingerprint(np.zeros((RATE * 2, 1), np.float32), RATE) == b""


def wav(samples: np.ndarray, rate: int = RATE, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", **options)
    return file.getvalue()


NOTHING = {
    "silence": wav(np.zeros((RATE, 2))),
    "one sample": wav(np.zeros((1, 1))),
    "no numbers": wav(np.full((RATE, 1), np.nan), subtype="FLOAT"),
    "text called png": b"I am a picture",
}
WRONG = {
    "no samples": wav(np.zeros((0, 1))),
    "too slow": wav(np.zeros((4_000, 1)), 4_000),
    "mp3 of junk": b"\xff\xfb" + bytes(range(256)) * 99,
    "ogg of junk": b"OggS" + bytes(range(256)) * 99,
    "flac of junk": b"fLaC" + bytes(range(256)) * 99,
    "cut wav": wav(np.zeros((RATE, 1)))[:20],
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_holds_nothing_says_nothing(provenance: Provenance, tmp_path: Path, name: str) -> None:
    (tmp_path / "given.png").write_bytes(NOTHING[name])
    assert provenance.verifier.verify(tmp_path / "given.png").outcome == "none"


@pytest.mark.parametrize("name", WRONG)
def test_unusable_sounds_get_a_clear_error(
    provenance: Provenance, tmp_path: Path, name: str
) -> None:
    (tmp_path / "given.wav").write_bytes(WRONG[name])
    with pytest.raises(InvalidRequest, match="sound") as failure:
        provenance.verifier.verify(tmp_path / "given.wav")
    assert failure.value.hint


def test_of_ten_hours_only_the_beginning_is_heard(provenance: Provenance, tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8_000, 1) as sound:
        for _ in range(600):
            sound.write(np.zeros(8_000 * 60, np.int16))
    assert provenance.verifier.verify(tmp_path / "long.flac").outcome == "none"


def test_opening_provenance_leaves_the_sound_libraries_out(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from studio.provenance import open_provenance;"
        "from studio.settings import Settings; open_provenance(Settings(home=Path(sys.argv[1])));"
        "print(*{'soundfile', 'av', 'trimesh', 'scipy.signal'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
