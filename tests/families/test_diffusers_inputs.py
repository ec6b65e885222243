"""Editing, inpainting and walking, on the pipeline classes that can do each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from studio.draft import Draft
from studio.errors import Cancelled, InvalidRequest
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

CLASSES = pytest.mark.parametrize(
    "build",
    [tiny.stable_diffusion, tiny.stable_diffusion_xl, tiny.flux],
    ids=lambda one: one.__name__,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sd")
    tiny.stable_diffusion(place)
    return place


def load(folder: Path, placement: str = "full", **options: Any) -> Pipeline:
    spec = Spec("tiny", folder, "float32", None, {"grid": 16, "batch": 3, **options})
    return Diffusers().load(spec, "cpu", placement)


def order(
    task: str, number: int = 0, inputs: Mapping[str, Path] | None = None, **more: Any
) -> Order:
    request = {
        "prompt": f"picture {number}",
        "negative_prompt": "",
        "width": 64,
        "height": 64,
        "steps": 4,
        "guidance": 3.0,
        "strength": 0.5,
        "seed": 1000,
        "count": 1,
        **more,
    }
    return Order("job", number, task, request, 1000 + number, inputs or {})


def spooled(place: Path, height: int = 64, width: int = 64, depth: int = 3) -> dict[str, Path]:
    """A picture of noise, and a mask over its right half."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, depth), dtype=np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = 255
    return {
        "image": Draft("image", 0, 0, {"pixels": pixels}).spool(place / "image"),
        "mask": Draft("image", 0, 0, {"mask": mask}).spool(place / "mask"),
    }


def draw(model: Pipeline, *orders: Order, progress: Recorder | None = None) -> list[Any]:
    drafts = model.generate(orders, progress or Recorder())
    return [draft.arrays["pixels"] for draft in drafts]


def given(inputs: Mapping[str, Path], name: str) -> Any:
    (array,) = Draft.unspool(inputs[name]).arrays.values()
    return np.asarray(array)


class EditContract(FamilyContract):
    """Every promise of a family, for the orders of one task on a given picture."""

    family = Diffusers()
    task: ClassVar[str] = "image-to-image"
    inputs: ClassVar[dict[str, Path]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("model")
        tiny.stable_diffusion(folder)
        cls.inputs = spooled(tmp_path_factory.mktemp("inputs"))
        return Spec("tiny", folder, "float32", None, {"batch": 3})

    def order(self, number: int) -> Order:
        return order(self.task, number, self.inputs)

    def spoil(self, model: Any) -> None:
        with torch.no_grad():
            next(model._pipe.vae.decoder.parameters()).fill_(float("nan"))


class TestImageToImage(EditContract):
    pass


class TestInpainting(EditContract):
    task: ClassVar = "inpainting"


class TestLatentWalk(EditContract):
    task: ClassVar = "latent-walk"

    def order(self, number: int) -> Order:
        return order(self.task, number, prompt="x", prompt_2="y", count=4)


@CLASSES
def test_an_edit_keeps_more_of_the_picture_the_weaker_it_is(
    build: Callable[[Path], None], tmp_path: Path
) -> None:
    build(tmp_path)
    inputs = spooled(tmp_path / "in")
    model = load(tmp_path)
    weak, strong, again = (
        draw(model, order("image-to-image", inputs=inputs, steps=10, strength=strength))[0]
        for strength in (0.1, 1.0, 0.1)
    )
    # The tiny models' own decoders know nothing, so the distance is to what they make of it.
    untouched = draw(model, order("image-to-image", inputs=inputs, steps=150, strength=0.1))[0]
    assert np.array_equal(weak, again)
    near, far = (np.abs(one.astype(int) - untouched).mean() for one in (weak, strong))
    assert near < far


@CLASSES
@pytest.mark.parametrize(("height", "width", "depth"), [(64, 64, 3), (90, 130, 4), (1, 1, 3)])
def test_outside_the_mask_every_pixel_stays(
    build: Callable[[Path], None], tmp_path: Path, height: int, width: int, depth: int
) -> None:
    build(tmp_path)
    inputs = spooled(tmp_path / "in", height, width, depth)
    (made,) = draw(load(tmp_path), order("inpainting", inputs=inputs, strength=1.0))
    picture, outside = given(inputs, "image"), given(inputs, "mask") == 0
    assert made.shape == picture.shape
    assert np.array_equal(made[outside], picture[outside])
    assert not np.array_equal(made[~outside], picture[~outside])
    if depth == 4:
        assert (made[~outside][:, 3] == 255).all()


@pytest.mark.parametrize(
    "build",
    [tiny.stable_diffusion, tiny.stable_diffusion_xl, tiny.flux, tiny.pixart],
    ids=lambda one: one.__name__,
)
def test_a_walk_begins_and_ends_as_the_two_prompts_would(
    build: Callable[[Path], None], tmp_path: Path
) -> None:
    build(tmp_path)
    quiet = {"use_resolution_binning": False, "clean_caption": False}
    model = load(tmp_path, arguments=quiet, batch=1)
    walk = draw(
        model, *(order("latent-walk", n, prompt="x", prompt_2="y z", count=3) for n in range(3))
    )
    (first,) = draw(model, order("text-to-image", prompt="x"))
    (last,) = draw(model, order("text-to-image", 2, prompt="y z"))
    assert np.array_equal(walk[0], first)
    assert np.array_equal(walk[2], last)
    for end in (first, last):
        assert not np.array_equal(walk[1], end)


@pytest.mark.parametrize("scheduler", ["EulerAncestralDiscreteScheduler", "LCMScheduler"])
def test_neighbours_on_a_walk_are_alike_where_every_step_adds_noise(
    folder: Path, scheduler: str
) -> None:
    model = load(folder, scheduler=scheduler, batch=1)
    words = {"prompt": "x", "prompt_2": "x", "count": 9}
    walk = np.stack(draw(model, *(order("latent-walk", n, **words) for n in range(9)))).astype(int)
    assert np.array_equal(walk[0], draw(model, order("text-to-image", prompt="x"))[0])
    assert np.array_equal(walk[8], draw(model, order("text-to-image", 8, prompt="x"))[0])
    step = np.abs(np.diff(walk, axis=0)).mean()
    assert step < np.abs(walk[0] - walk[8]).mean() / 2


def test_a_picture_of_another_shape_is_cut_and_not_stretched(folder: Path, tmp_path: Path) -> None:
    stripes = np.zeros((64, 256, 3), np.uint8)
    stripes[:, 96:160] = 255  # the middle, which is all that a square keeps
    inputs = {"image": Draft("image", 0, 0, {"pixels": stripes}).spool(tmp_path)}
    white = {
        "image": Draft("image", 0, 0, {"pixels": np.full((64, 64, 3), 255, np.uint8)}).spool(
            tmp_path / "white"
        )
    }
    model = load(folder)
    cut, whole = (draw(model, order("image-to-image", inputs=one))[0] for one in (inputs, white))
    assert np.array_equal(cut, whole)


def test_tasks_take_turns_with_one_copy_of_the_model(folder: Path, tmp_path: Path) -> None:
    inputs = spooled(tmp_path)
    model = load(folder)
    (before,) = draw(model, order("text-to-image"))
    parts = {id(part) for part in model._pipe.components.values() if part is not None}
    for task in ("image-to-image", "inpainting", "latent-walk", "image-to-image"):
        draw(model, order(task, inputs=inputs, prompt_2="y", count=2))
        assert {id(part) for part in model._pipe.components.values() if part is not None} == parts
    assert np.array_equal(draw(model, order("text-to-image"))[0], before)


@pytest.mark.parametrize("placement", ["group-offload", "model-offload"])
def test_other_placements_give_the_same_edit(folder: Path, tmp_path: Path, placement: str) -> None:
    inputs = spooled(tmp_path)
    edit, plain = order("image-to-image", inputs=inputs), order("text-to-image")
    model = load(folder)
    expected = [draw(model, one)[0] for one in (edit, plain)]
    model = load(folder, placement)
    with pytest.raises(Cancelled):
        draw(model, edit, progress=Recorder(stop_at=1))
    for made, wanted in zip([draw(model, one)[0] for one in (edit, plain)], expected, strict=True):
        assert np.array_equal(made, wanted)


@pytest.mark.parametrize(("steps", "strength", "made"), [(10, 0.5, 5), (4, 0.1, 1), (1, 1.0, 1)])
def test_only_the_steps_that_are_made_are_told(
    folder: Path, tmp_path: Path, steps: int, strength: float, made: int
) -> None:
    progress = Recorder()
    edit = order("image-to-image", inputs=spooled(tmp_path), steps=steps, strength=strength)
    draw(load(folder), edit, progress=progress)
    assert progress.steps[-1] == (made, made)


def test_a_class_that_cannot_edit_says_so(tmp_path: Path) -> None:
    tiny.pixart(tmp_path)
    inputs = spooled(tmp_path / "in")
    model = load(tmp_path)
    with pytest.raises(InvalidRequest, match="cannot do image-to-image"):
        draw(model, order("image-to-image", inputs=inputs))
