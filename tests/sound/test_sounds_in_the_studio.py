"""Listening, speaking and effects, from requests to signed files, through the whole studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio import Studio
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
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("studio") / "home"
    (home / "model_cards").mkdir(parents=True)
    for name, (family, task, build) in MODELS.items():
        card = CARD.format(name=name, family=family, task=task)
        (home / "model_cards" / f"{name}.md").write_text(card)
        (home / "models" / name).mkdir(parents=True)
        build(home / "models" / name)
    with Studio(settings_for(home)) as opened:
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
