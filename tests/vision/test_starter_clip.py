"""The shipped CLIP, through the whole studio: from a file to a signed answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from studio import Studio
from studio.provenance.verdict import Outcome
from studio.settings import Settings
from tests.hosts import settings_for

RED, BLUE = (220, 40, 40), (40, 70, 220)


def drawn(place: Path, shape: str, colour: tuple[int, int, int]) -> Path:
    """A shape in the middle of white paper, as the starter's world has them."""
    picture = Image.new("RGB", (256, 256), "white")
    pencil = ImageDraw.Draw(picture)
    getattr(pencil, shape)((64, 64, 192, 192), fill=colour)
    picture.save(place)
    return place


@pytest.fixture
def settings(home: Path) -> Settings:
    return settings_for(home)


def test_a_picture_is_classified_and_pictures_are_ranked(
    settings: Settings, tmp_path: Path
) -> None:
    circle = drawn(tmp_path / "circle.png", "ellipse", RED)
    square = drawn(tmp_path / "square.png", "rectangle", BLUE)
    labels = ["a red circle", "a blue square", "a yellow star", "a moon over the sea at night"]
    with Studio(settings) as studio:
        (told,) = studio.make(
            "classify", image=circle, labels=labels, format="json", model="starter-clip"
        )
        found = json.loads(told.path.read_text())
        assert found[0]["label"] == "a red circle"
        assert found[0]["score"] > 0.9
        assert studio.verify(told.path).outcome is Outcome.SIGNED
        (ranked,) = studio.make(
            "rank", images=[circle, square], prompt="a blue square", format="json"
        )
        ids = [one["image"] for one in json.loads(ranked.path.read_text())]
        assert ids == [studio.upload(square).id, studio.upload(circle).id]
