"""Listening, speaking and effects, from requests to signed files, through the whole studio."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from studio import Studio
from studio.commands.subtitles import subtitles
from studio.errors import InvalidRequest
from studio.provenance.verdict import Outcome
from tests.hosts import settings_for
from tests.sound.test_effects import stable_audio
from tests.sound.test_listening import tone, whisper
from tests.sound.test_voices import vits

# The library's own codec is built with what torch will drop some day.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")

CARD = """---
license: mit
studio:
  title: {name}
  family: {family}
  tasks: [{task}]
  source: {{by_hand: It is built here.}}
  memory: {{weights: 1, working: 1}}
---
Random weights.
"""
MODELS = {
    "listener": ("transformers-listening", "automatic-speech-recognition", whisper),
    "reader": ("transformers-speech", "text-to-speech", vits),
    "noises": ("diffusers-audio", "text-to-audio", stable_audio),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio") / "home"


@pytest.fixture(scope="module")
def studio(place: Path) -> Iterator[Studio]:
    (place / "model_cards").mkdir(parents=True)
    for name, (family, task, build) in MODELS.items():
        card = CARD.format(name=name, family=family, task=task)
        (place / "model_cards" / f"{name}.md").write_text(card)
        (place / "models" / name).mkdir(parents=True)
        build(place / "models" / name)
    with Studio(settings_for(place)) as opened:
        yield opened


def test_what_is_said_is_heard_and_signed(studio: Studio) -> None:
    (spoken,) = studio.make("speak", text="a red boat. and a sea.", model="reader")
    assert [cue["text"] for cue in spoken.artifact.note.about["cues"]] == [
        "a red boat.", "and a sea.",
    ]  # fmt: skip
    (heard,) = studio.make("transcribe", audio=spoken.artifact.id, model="listener", language="de")
    note = heard.artifact.note
    assert note.about["language"] == "de"
    assert heard.path.read_text().strip() == " ".join(cue["text"] for cue in note.about["cues"])
    assert note.parents == (spoken.artifact.id,)
    assert studio.verify(heard.path).outcome is Outcome.SIGNED


def filmed(path: Path, sound: Path | None) -> Path:
    """A black film with that sound, sample by sample, or with none."""
    with av.open(str(path), "w") as container:
        seen = container.add_stream("libx264", rate=10)
        seen.width, seen.height, seen.pix_fmt = 64, 64, "yuv420p"
        if sound is not None:
            samples, rate = soundfile.read(sound, dtype="int16")
            heard = container.add_stream("pcm_s16le", rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
            container.mux(heard.encode(frame))
        for _ in range(10):
            container.mux(seen.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(seen.encode(None))
    return path


def test_a_film_is_heard_like_its_sound_and_gets_subtitles(
    studio: Studio, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spoken,) = studio.make("speak", text="a red boat.", model="reader")
    film = filmed(tmp_path / "film.mov", spoken.path)
    alike = {"model": "listener", "language": "de", "seed": 3}
    (of_sound,) = studio.make("transcribe", audio=spoken.path, **alike)
    (of_film,) = studio.make("transcribe", audio=film, **alike)
    assert of_film.path.read_text() == of_sound.path.read_text()
    assert of_film.artifact.note.about["cues"] == of_sound.artifact.note.about["cues"]
    assert studio.verify(of_film.path).outcome is Outcome.SIGNED
    monkeypatch.setenv("STUDIO_HOME", str(place))
    shown = CliRunner().invoke(subtitles, [of_film.artifact.id, "--format", "vtt"])
    assert shown.output.startswith("WEBVTT\n\nNOTE This transcript is AI-generated.")
    assert " --> " in shown.output


def test_a_film_without_sound_cannot_be_heard(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no sound in this film") as refused:
        studio.make("transcribe", audio=filmed(tmp_path / "mute.mp4", None), model="listener")
    assert "speaks" in refused.value.hint


def test_a_sound_of_the_asked_length_is_signed(studio: Studio) -> None:
    (made,) = studio.make(
        "sound", prompt="rain on tin", duration=1.5, loopable=True, steps=2, model="noises"
    )
    assert soundfile.info(made.path).frames == 12_000
    assert made.artifact.note.about["loop"]
    assert studio.verify(made.path).outcome is Outcome.SIGNED


def test_what_cannot_be_heard_is_refused(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(16_000), 16_000)
    with pytest.raises(InvalidRequest, match="nothing can be heard"):
        studio.make("transcribe", audio=path, model="listener")
    soundfile.write(path, np.zeros(1), 16_000)
    with pytest.raises(InvalidRequest):
        studio.make("transcribe", audio=path, model="listener")
    soundfile.write(tmp_path / "said.mp3", tone(1.0), 16_000)
    whole = (tmp_path / "said.mp3").read_bytes()
    (tmp_path / "torn.mp3").write_bytes(whole[:40] + b"\0" * 400)
    with pytest.raises(InvalidRequest):
        studio.make("transcribe", audio=tmp_path / "torn.mp3", model="listener")
