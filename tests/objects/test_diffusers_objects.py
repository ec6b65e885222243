"""The objects' family keeps every family's promises, on both of the library's Shap-E pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.draft import Draft
from studio.errors import Cancelled, InvalidRequest, Unavailable
from studio.families import Order, Spec
from studio.families.diffusers_objects import DiffusersObjects, Objects
from studio.testing import FamilyContract, Recorder
from tests.objects import tiny


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spooled picture, as families get it."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    return Draft("image", 0, 0, {"pixels": pixels}).spool(tmp_path_factory.mktemp("picture"))


def order(number: int = 0, **request: Any) -> Order:
    given = {"prompt": f"thing {number}", "detail": 20, "steps": 3, "guidance": 3.0}
    return Order("job", number, "text-to-3d", given | request, seed=1000 + number)


class ObjectContract(FamilyContract):
    family = DiffusersObjects()
    build: Callable[[Path], None]

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("models") / "tiny"
        cls.build(folder)
        return Spec("tiny", folder, "float32", None, {})

    def order(self, number: int) -> Order:
        return order(number)

    def spoil(self, model: Any) -> None:
        with torch.no_grad():
            model._pipe.prior.proj_in.weight.fill_(float("nan"))


class TestShapE(ObjectContract):
    build = staticmethod(tiny.shap_e)


class TestShapEOfPictures(ObjectContract):
    build = staticmethod(tiny.shap_e_of_pictures)

    @pytest.fixture(autouse=True)
    def given(self, picture: Path) -> None:
        self.picture = picture

    def order(self, number: int) -> Order:
        request = {"detail": 20, "steps": 3, "guidance": 3.0}
        return Order("job", number, "image-to-3d", request, 1000 + number, {"image": self.picture})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny.shap_e(folder)
    return DiffusersObjects().load(Spec("tiny", folder, "float32", None, {}), "cpu", "full")


def sculpted(model: Objects, progress: Recorder | None = None, **request: Any) -> Draft:
    (draft,) = model.generate([order(**request)], progress or Recorder())
    return draft


def test_an_object_has_corners_faces_and_colours(model: Objects) -> None:
    arrays = sculpted(model).arrays
    vertices, faces, colours = (arrays[name] for name in ("vertices", "faces", "colours"))
    assert (vertices.dtype, faces.dtype, colours.dtype) == (np.float32, np.int32, np.uint8)
    assert len(vertices) == len(colours) > 100
    assert np.abs(vertices).max() <= 1.2
    assert np.unique(faces).tolist() == list(range(len(vertices)))
    assert len(np.unique(colours, axis=0)) > 50


def test_more_detail_makes_more_corners(model: Objects) -> None:
    coarse, fine = (len(sculpted(model, detail=cells).arrays["vertices"]) for cells in (16, 32))
    assert 3 * coarse < fine < 6 * coarse, "a surface has four times as many at half the distance"


def test_what_is_up_in_the_field_is_up_in_the_object(
    model: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's z becomes glTF's y, and its y points away."""
    found: list[Any] = []
    decode = model._pipe.shap_e_renderer.decode_to_mesh

    def kept(*given: Any) -> Any:
        found.append(decode(*given))
        return found[-1]

    monkeypatch.setattr(model._pipe.shap_e_renderer, "decode_to_mesh", kept)
    vertices = sculpted(model).arrays["vertices"]
    x, y, z = found[0].verts.numpy().T
    assert np.array_equal(vertices, np.stack([x, z, -y], axis=1))


def test_it_can_be_stopped_while_the_surface_is_cut(model: Objects) -> None:
    whole = Recorder()
    before = sculpted(model, whole, detail=64).digest()
    drawn, total = 5, 5 + 2
    assert whole.steps[-1] == (total, total), "Heun looks 5 times in 3 steps, then 64 calls by 32"
    progress = Recorder(stop_at=drawn + 1)
    with pytest.raises(Cancelled):
        sculpted(model, progress, detail=64)
    assert progress.steps[-1] == (drawn + 1, total)
    assert sculpted(model, detail=64).digest() == before


def spoilt(model: Objects, output: int, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the field's `output` is `value` everywhere."""
    renderer = model._pipe.shap_e_renderer
    forward = renderer.mlp.mlp[-1].forward

    def replaced(values: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = forward(values)
        answer[..., output] = value
        return answer

    monkeypatch.setattr(renderer.mlp.mlp[-1], "forward", replaced)


def test_a_colour_that_is_no_number_is_black(
    model: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(model, 3, float("nan"), monkeypatch)
    colours = sculpted(model).arrays["colours"]
    assert (colours[:, 0] == 0).all()
    assert colours[:, 1].any()


def test_nothing_with_a_surface_is_an_error(
    model: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(model, 0, -5.0, monkeypatch)
    with pytest.raises(InvalidRequest, match="surface"):
        sculpted(model)


def test_a_field_of_no_numbers_is_an_error(model: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt(model, 0, float("nan"), monkeypatch)
    with pytest.raises(Unavailable, match="no numbers"):
        sculpted(model)


def test_a_task_of_the_other_pipeline_is_refused(model: Objects, picture: Path) -> None:
    request = {"detail": 20, "steps": 2, "guidance": 3.0}
    given = Order("job", 0, "image-to-3d", request, 1, {"image": picture})
    with pytest.raises(InvalidRequest, match="cannot do image-to-3d"):
        list(model.generate([given], Recorder()))
