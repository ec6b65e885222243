"""The starters edit what they draw: a judge of their training reads what became of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge import flat
from PIL import Image

from studio.draft import Draft
from studio.families import Order, Spec
from studio.families.diffusers import Diffusers, Pipeline
from studio.testing import Recorder

pytestmark = [
    pytest.mark.starter,
    # The library's own, of the pipelines that it loads all at once.
    pytest.mark.filterwarnings("ignore::FutureWarning:diffusers"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers"),
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
]

FOLDER = Path(__file__).resolve().parents[2] / "studio" / "starter"


@pytest.fixture(scope="module", params=["pictures", "scenes"])
def model(request: pytest.FixtureRequest) -> Pipeline:
    spec = Spec(request.param, FOLDER / request.param, "float32", None, {"upscale": 4})
    return Diffusers().load(spec, "cpu", "full")


def draw(
    model: Pipeline, task: str, prompt: str, seed: int, strength: float = 0.7, **given: Any
) -> Any:
    request = {"prompt": prompt, "negative_prompt": "", "width": 512, "height": 512}
    request |= {"steps": 12, "guidance": 3.0, "strength": strength, "seed": seed, "count": 1}
    (draft,) = model.generate([Order("job", 0, task, request, seed, given)], Recorder())
    return draft.arrays["pixels"]


def seen(pixels: Any) -> tuple[flat.Seen, ...]:
    """Every piece, largest first, at the size that the model draws."""
    small = Image.fromarray(pixels).resize((128, 128), Image.Resampling.BOX)
    return flat.read(np.asarray(small)).pieces


def read(pixels: Any) -> flat.Seen:
    """The largest piece."""
    return seen(pixels)[0]


@pytest.mark.parametrize("seed", range(5, 10))
def test_another_colour_leaves_the_shape_where_it_is(
    model: Pipeline, tmp_path: Path, seed: int
) -> None:
    pixels = draw(model, "text-to-image", "a red circle, white background", seed)
    image = Draft("image", 0, 0, {"pixels": pixels}).spool(tmp_path)
    edited = draw(model, "image-to-image", "a blue circle, white background", seed, image=image)
    before, after = read(pixels), read(edited)
    assert (before.colour, after.colour) == ("red", "blue")
    assert abs(before.x - after.x) < 0.04
    assert abs(before.y - after.y) < 0.04
    assert after.area == pytest.approx(before.area, rel=0.25)


def test_paint_goes_where_the_mask_is(model: Pipeline, tmp_path: Path) -> None:
    """On an empty left half, beside a circle that stays."""
    prompt = "a red circle right, white background"
    pixels = draw(model, "text-to-image", prompt, 3)
    mask = np.zeros((512, 512), np.uint8)
    mask[:, :224] = 255
    inputs = {
        "image": Draft("image", 0, 0, {"pixels": pixels}).spool(tmp_path / "image"),
        "mask": Draft("image", 0, 0, {"mask": mask}).spool(tmp_path / "mask"),
    }
    assert read(pixels).x > 0.5
    words = "a green star left of a red circle, white background"
    painted = draw(model, "inpainting", words, 3, strength=1.0, **inputs)
    assert np.array_equal(painted[:, 224:], pixels[:, 224:])
    new = [one for one in seen(painted) if one.x < 0.45]
    assert [(one.colour, one.shape) for one in new] == [("green", "star")]


def test_neighbours_on_a_walk_are_alike(model: Pipeline) -> None:
    words = "a red circle, white background"
    request = {"prompt": words, "prompt_2": words, "negative_prompt": "", "count": 8}
    request |= {"width": 512, "height": 512, "steps": 8, "guidance": 3.0, "seed": 1}
    orders = [Order("job", place, "latent-walk", request, 1 + place, {}) for place in range(8)]
    drafts = model.generate(orders, Recorder())
    walk = np.stack([draft.arrays["pixels"] for draft in drafts]).astype(int)
    assert np.abs(np.diff(walk, axis=0)).mean() < np.abs(walk[0] - walk[-1]).mean() / 2
