"""Melodies, continued pieces and morphs, from files to signed files, through the whole studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from studio import Studio
from studio.errors import InvalidRequest, Unavailable
from studio.hub import look
from studio.provenance.verdict import Outcome
from tests.hosts import settings_for
from tests.sound.test_transformers_audio import musicgen, tone
from tests.sound.test_transformers_codec import codec

CARD = """---
license: mit
studio:
  title: {name}
  family: transformers-{family}
  tasks: [{task}]
  source: {{by_hand: It is built here.}}
  memory: {{weights: 1, working: 1}}
  options: {{window: 2.4}}
---
Random weights.
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("studio") / "home"
    (home / "model_cards").mkdir(parents=True)
    for name, family, task in (
        ("follower", "audio", "text-to-music"),
        ("squeezer", "codec", "audio-morphing"),
        ("missing", "codec", "audio-morphing"),
    ):
        card = CARD.format(name=name, family=family, task=task)
        (home / "model_cards" / f"{name}.md").write_text(card)
    musicgen(home / "models" / "follower", melody=True)
    codec(home / "models" / "squeezer")
    with Studio(settings_for(home)) as opened:
        yield opened


@pytest.fixture(scope="module")
def hummed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hummed") / "hummed.flac"
    soundfile.write(path, tone(220, 1.5, 44_100), 44_100)
    return path


def test_the_model_that_follows_a_melody_is_chosen(studio: Studio, hummed: Path) -> None:
    """The composer, which comes first where there is none, lacks ears."""
    (made,) = studio.make("compose", prompt="a waltz", duration=1.0, melody=hummed)
    assert made.card == "follower"
    assert studio.verify(made.path).outcome is Outcome.SIGNED
    with pytest.raises(InvalidRequest, match="melody: Starter music cannot do that"):
        studio.make("compose", prompt="a waltz", melody=hummed, model="starter-music")
    (longer,) = studio.make("compose", prompt="on", duration=1.0, continue_from=made.artifact.id)
    samples, rate = soundfile.read(longer.path)
    assert (len(samples), rate) == (32_000, 16_000)


def test_one_sound_becomes_another(studio: Studio, hummed: Path) -> None:
    made = studio.make("morph", audio=hummed, target=hummed, count=3)
    assert [soundfile.info(result.path).frames for result in made] == [24_000] * 3
    assert all(studio.verify(result.path).outcome is Outcome.SIGNED for result in made)


def test_what_is_brought_by_hand_says_how(studio: Studio, hummed: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        studio.make("morph", audio=hummed, target=hummed, model="missing")
    assert caught.value.hint == "It is built here."
    (card,) = (model.card for model in studio.cards() if model.card.name == "missing")
    with pytest.raises(InvalidRequest, match="missing is brought by hand"):
        look(card)
