"""Walks between two prompts or two pictures, as films."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.families import Order, Spec
from studio.families.diffusers import Diffusers, Pipeline
from studio.testing import FamilyContract, Recorder
from tests.families import tiny

# The library's own: it calls numpy, torch and itself in ways that they have deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:diffusers",
    "ignore::FutureWarning:diffusers",
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A dark and a light picture of other shapes than the film's."""
    place = tmp_path_factory.mktemp("pictures")
    shown = {"image": np.full((48, 80, 3), 30, np.uint8), "image_2": np.full((80, 48, 3), 220)}
    return {
        name: Draft("image", 0, 0, {"pixels": pixels.astype(np.uint8)}).spool(place / name)
        for name, pixels in shown.items()
    }


def order(task: str, number: int = 0, inputs: dict[str, Path] | None = None, **more: Any) -> Order:
    request = {
        "prompt": f"thing {number}",
        "prompt_2": "other",
        "negative_prompt": "",
        "width": 64,
        "height": 64,
        "duration": 0.5,
        "fps": 8,
        "steps": 2,
        "guidance": 3.0,
        "strength": 0.5,
    }
    return Order("job", number, task, request | more, 100 + number, inputs or {})


class WalkContract(FamilyContract):
    family = Diffusers()
    task: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("models") / "tiny"
        tiny.stable_diffusion(folder)
        return Spec("tiny", folder, "float32", None, {"grid": 16})

    @pytest.fixture(autouse=True)
    def given(self, pictures: dict[str, Path]) -> None:
        self.pictures = pictures

    def order(self, number: int) -> Order:
        return order(self.task, number, self.pictures if self.task == "image-morphing" else {})

    def spoil(self, model: Any) -> None:
        with torch.no_grad():
            next(model._pipe.vae.decoder.parameters()).fill_(float("nan"))


class TestPromptTravel(WalkContract):
    task: ClassVar = "prompt-travel"


class TestImageMorphing(WalkContract):
    task: ClassVar = "image-morphing"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("sd")
    tiny.stable_diffusion(folder)
    spec = Spec("tiny", folder, "float32", None, {"grid": 16, "batch": 3})
    return Diffusers().load(spec, "cpu", "full")


def drawn(model: Pipeline, one: Order) -> Draft:
    (draft,) = model.generate([one], Recorder())
    return draft


def test_a_journey_begins_and_ends_as_the_two_prompts_would(model: Pipeline) -> None:
    film = drawn(model, order("prompt-travel", prompt="x", prompt_2="y z"))
    frames = film.arrays["frames"]
    assert (film.kind, frames.shape, film.facts["fps"]) == ("video", (4, 64, 64, 3), 8)
    ends = [("x", 100, frames[0]), ("y z", 103, frames[-1])]
    for prompt, seed, frame in ends:
        still = Order("job", 0, "text-to-image", {**order("x").request, "prompt": prompt}, seed)
        distance = np.abs(drawn(model, still).arrays["pixels"].astype(int) - frame).max()
        assert distance <= 1, f"it is not what {prompt!r} draws"
    assert (frames[1] != frames[0]).any()
    assert (frames[2] != frames[3]).any()


def test_a_morphing_begins_and_ends_as_edits_of_the_pictures_would(
    model: Pipeline, pictures: dict[str, Path]
) -> None:
    frames = drawn(model, order("image-morphing", 0, pictures)).arrays["frames"]
    assert frames.shape == (4, 64, 64, 3)
    for picture, frame in ((pictures["image"], frames[0]), (pictures["image_2"], frames[-1])):
        edit = order("image-to-image", 0, {"image": picture})
        distance = np.abs(drawn(model, edit).arrays["pixels"].astype(int) - frame).max()
        assert distance <= 1


def test_pictures_are_the_same_after_a_morphing(model: Pipeline, pictures: dict[str, Path]) -> None:
    plain = Order("job", 0, "text-to-image", order("x").request, 1)
    before = drawn(model, plain).digest()
    drawn(model, order("image-morphing", 0, pictures))
    assert drawn(model, plain).digest() == before


def test_a_class_that_cannot_edit_cannot_morph(tmp_path: Path, pictures: dict[str, Path]) -> None:
    tiny.pixart(tmp_path / "pixart")
    spec = Spec("tiny", tmp_path / "pixart", "float32", None, {})
    with pytest.raises(InvalidRequest, match="cannot do image-morphing"):
        drawn(Diffusers().load(spec, "cpu", "full"), order("image-morphing", 0, pictures))
