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


def test_a_shorter_film_is_the_beginning_of_a_longer_one(model: Films) -> None:
    long, short = (
        film(model, "text-to-video", prompt="a blue star rises", duration=seconds, steps=2)
        for seconds in (2.0, 0.5)
    )
    assert len(short.arrays["frames"]) == 4
    assert (short.arrays["frames"] == long.arrays["frames"][:4]).all()


def test_a_picture_is_set_in_motion_and_keeps_its_colours(model: Films, tmp_path: Path) -> None:
    pixels = np.full((256, 256, 3), 248, np.uint8)
    pixels[80:176, 80:176] = (45, 85, 215)
    image = Draft("image", 0, 0, {"pixels": pixels}).spool(tmp_path)
    draft = film(
        model, "image-to-video", {"image": image}, prompt="a blue square moves right", motion=0.5
    )
    frames = draft.arrays["frames"].astype(int)
    blue = (frames[..., 2] - frames[..., 0]) > 60
    assert (blue.mean(axis=(1, 2)) > 0.03).all()


def test_a_film_goes_on_in_its_own_colours(model: Films, tmp_path: Path) -> None:
    pixels = np.full((4, 256, 256, 3), 248, np.uint8)
    pixels[:, 80:176, 80:176] = (45, 85, 215)
    video = Draft("video", 0, 0, {"frames": pixels}, {"fps": 8}).spool(tmp_path)
    prompt = "a blue square moves right"
    draft = film(model, "video-extension", {"video": video}, prompt=prompt, motion=0.5)
    frames = draft.arrays["frames"].astype(int)
    assert frames.shape == (4 + 15, 256, 256, 3)
    blue = (frames[..., 2] - frames[..., 0]) > 60
    assert (blue.mean(axis=(1, 2)) > 0.03).all()
    assert (frames[-1] != frames[3]).any()


def test_the_card_offers_what_the_weights_can() -> None:
    (card,) = (
        one for one in Catalog.open(Settings(home=card_folder())) if one.name == "starter-film"
    )
    request = build(TASKS["text-to-video"].request, {"prompt": "a red ball bounces"})
    values = card.narrow(TASKS["text-to-video"], request).model_dump()
    assert (values["duration"], values["fps"], values["width"]) == (2.0, 8, 512)
