"""The starter film: from an order to drafts, and the judge that measures it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.catalog import Catalog, card_folder
from studio.draft import Draft
from studio.families import Order, Spec
from studio.families.diffusers_video import DiffusersVideo, Films
from studio.fields import build
from studio.settings import Settings
from studio.tasks import TASKS
from studio.testing import Recorder

pytestmark = [
    pytest.mark.starter,
    pytest.mark.filterwarnings("ignore::FutureWarning:diffusers"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers"),
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Films:
    """The shipped model, as its own card has it loaded."""
    torch.set_num_threads(1)
    catalog = Catalog.open(Settings(home=tmp_path_factory.mktemp("home")))
    card = catalog["starter-film"]
    spec = Spec(card.name, catalog.folder(card), card.studio.dtype, None, card.studio.options)
    return DiffusersVideo().load(spec, "cpu", "full")


def film(model: Films, task: str, given: dict[str, Path] | None = None, **request: Any) -> Any:
    values = {"negative_prompt": "", "width": 512, "height": 512, "duration": 2.0, "fps": 8}
    values |= {"steps": 4, "guidance": 3.0, "motion": 1.0} | request
    (draft,) = model.generate([Order("job", 0, task, values, 7, given or {})], Recorder())
    return draft


def test_a_prompt_becomes_two_seconds_of_that_colour(model: Films) -> None:
    draft = film(model, "text-to-video", prompt="a red ball moves left on a white background")
    frames = draft.arrays["frames"]
    assert (frames.shape, frames.dtype) == ((16, 512, 512, 3), np.uint8)
    assert draft.facts["fps"] == 8
    red = (frames[..., 0] > 150) & (frames[..., 1:].max(axis=-1) < 110)
    assert (red.mean(axis=(1, 2)) > 0.01).sum() >= 12


def across(frames: np.ndarray, channel: int) -> np.ndarray:
    """How far right of the left border (0 to 1) what has this primary colour is, by frame."""
    others = [one for one in range(3) if one != channel]
    seen = (frames[..., channel] > 130) & (frames[..., others].max(axis=-1) < 120)
    places = np.arange(frames.shape[2])
    return (
        (seen.sum(axis=1) * places).sum(axis=1) / np.maximum(seen.sum(axis=(1, 2)), 1) / len(places)
    )


@pytest.mark.parametrize(("verb", "way"), [("moves left", -1), ("moves right", 1)])
def test_it_moves_as_it_was_told(model: Films, verb: str, way: int) -> None:
    draft = film(model, "text-to-video", prompt=f"a red square {verb}", steps=12)
    places = across(draft.arrays["frames"], 0)
    assert way * (places[-4:].mean() - places[:4].mean()) > 0.12


def test_a_shorter_film_is_the_beginning_of_a_longer_one(model: Films) -> None:
    long, short = (
        film(model, "text-to-video", prompt="a blue star rises", duration=seconds, steps=2)
        for seconds in (2.0, 0.5)
    )
    assert len(short.arrays["frames"]) == 4
    assert (short.arrays["frames"] == long.arrays["frames"][:4]).all()


def paper(x: int) -> np.ndarray:
    """A blue square on white paper, its middle `x` pixels right of the left border."""
    pixels = np.full((256, 256, 3), 248, np.uint8)
    pixels[80:176, x - 48 : x + 48] = (45, 85, 215)
    return pixels


def test_a_picture_is_set_in_motion_and_begins_as_it_is(model: Films, tmp_path: Path) -> None:
    image = Draft("image", 0, 0, {"pixels": paper(128)}).spool(tmp_path)
    prompt = "a blue square moves right"
    draft = film(model, "image-to-video", {"image": image}, prompt=prompt, steps=12)
    frames = draft.arrays["frames"]
    given = np.repeat(np.repeat(paper(128), 2, axis=0), 2, axis=1).astype(int)
    assert np.abs(frames[0] - given).mean() < 8
    places = across(frames, 2)
    assert abs(places[0] - 0.5) < 0.03
    assert places[-3:].mean() > 0.62


def test_a_film_leads_from_one_picture_to_another(model: Films, tmp_path: Path) -> None:
    ends = {"image": paper(72), "last_image": paper(180)}
    given = {
        name: Draft("image", 0, 0, {"pixels": pixels}).spool(tmp_path / name)
        for name, pixels in ends.items()
    }
    prompt = "a blue square moves right"
    places = across(
        film(model, "image-to-video", given, prompt=prompt, steps=12).arrays["frames"], 2
    )
    assert abs(places[0] - 72 / 256) < 0.03
    assert abs(places[-1] - 180 / 256) < 0.03
    assert 0.35 < places[7:9].mean() < 0.65


def test_a_film_goes_on_where_it_was_going(model: Films, tmp_path: Path) -> None:
    pixels = np.stack([paper(80 + 8 * number) for number in range(5)])
    video = Draft("video", 0, 0, {"frames": pixels}, {"fps": 8}).spool(tmp_path)
    prompt = "a blue square moves right"
    draft = film(model, "video-extension", {"video": video}, prompt=prompt, steps=12)
    frames = draft.arrays["frames"]
    assert frames.shape == (5 + 12, 256, 256, 3)
    assert (frames[:5] == pixels).all()
    places = across(frames, 2)
    assert places[-3:].mean() > places[4] + 0.08


def test_the_card_offers_what_the_weights_can() -> None:
    (card,) = (
        one for one in Catalog.open(Settings(home=card_folder())) if one.name == "starter-film"
    )
    request = build(TASKS["text-to-video"].request, {"prompt": "a red ball bounces"})
    values = card.narrow(TASKS["text-to-video"], request).model_dump()
    assert (values["duration"], values["fps"], values["width"]) == (2.0, 8, 512)
    assert "last_image" in {spec.name for spec in card.fields(TASKS["image-to-video"])}
