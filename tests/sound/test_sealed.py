"""Sound from order to signed file, in every format, through the whole studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest
import soundfile

from studio.draft import Draft
from studio.errors import StudioError
from studio.provenance import Provenance, open_provenance
from studio.provenance.verdict import Outcome
from studio.settings import Settings
from studio.tasks.audio import AudioFormat
from tests.provenance.conftest import CARD, new_job


@pytest.fixture(scope="module")
def provenance(tmp_path_factory: pytest.TempPathFactory) -> Provenance:
    return open_provenance(Settings(home=tmp_path_factory.mktemp("home"), spare_bytes=0))


def chord(rate: int = 22_050, seconds: float = 6.0) -> np.ndarray[Any, Any]:
    """Plucked chords in stereo, float32 (n, 2)."""
    time = np.arange(round(seconds * rate)) / rate
    fall = np.exp(-3 * (time % 0.5))
    left, right = (
        sum(np.sin(2 * np.pi * step * base * time) / step for step in range(1, 9)) * fall
        for base in (220.0, 331.0)
    )
    noise = np.random.default_rng(3).normal(0, 0.01, (len(time), 2))
    return (0.15 * np.stack([left, right], axis=1) + noise).astype(np.float32)


def read(path: Path) -> tuple[np.ndarray[Any, Any], int]:
    """A finished file's samples, float32 (n, 2), and its rate; libsndfile does not read M4A."""
    if path.suffix != ".m4a":
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return samples, rate
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        return np.concatenate(frames, axis=1).T, int(container.streams.audio[0].rate)


def sealed(provenance: Provenance, draft: Draft, **request: Any) -> Path:
    artifact = provenance.sealer.seal(
        draft, job=new_job(**request), card=CARD, revision="r", batch=1, versions={}
    )
    return provenance.store.path(artifact.id)


@pytest.mark.parametrize("format_", get_args(AudioFormat))
def test_a_sound_leaves_in_every_format_with_manifest_mark_and_levels(
    provenance: Provenance, format_: str, tmp_path: Path
) -> None:
    draft = Draft("audio", 0, 7, {"samples": chord()}, {"rate": 22_050, "cues": []})
    path = sealed(provenance, draft, format=format_)
    artifact = provenance.store.get(path.stem)
    about = artifact.note.about
    assert -30 < about["loudness"] < -10
    assert about["clipped"] == 0
    assert abs(about["offset"]) < 0.01
    assert about["cues"] == []
    verdict = provenance.verifier.verify(path)
    assert verdict.outcome is Outcome.SIGNED, verdict
    # A copy without any metadata is still known by its mark.
    heard, rate = read(path)
    bare = tmp_path / "bare.wav"
    soundfile.write(bare, heard, rate)
    assert provenance.verifier.verify(bare).outcome is Outcome.MARKED


def test_a_sound_that_is_no_sound_is_withheld(provenance: Provenance) -> None:
    samples = chord()
    samples[1000] = np.nan
    before = list(provenance.store.folder.glob("??/*"))
    with pytest.raises(StudioError):
        sealed(
            provenance, Draft("audio", 0, 7, {"samples": samples}, {"rate": 22_050}), format="wav"
        )
    assert list(provenance.store.folder.glob("??/*")) == before


def test_silence_and_a_single_sample_are_sealed_with_a_weak_mark(provenance: Provenance) -> None:
    for samples in (np.zeros((22_050, 1), np.float32), np.full((1, 1), 0.5, np.float32)):
        draft = Draft("audio", 0, 7, {"samples": samples}, {"rate": 22_050})
        note = provenance.store.get(sealed(provenance, draft, format="wav").stem).note
        assert note.marks["audio"]["weak"]
        assert note.about["loudness"] is None
