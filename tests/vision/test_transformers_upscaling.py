"""Swin2SR: larger pictures and films from the library's real class, on a tiny configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution

from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.families import Family, Model, Order, Spec, transformers_upscaling
from studio.families.transformers_upscaling import TransformersUpscaling, Upscaler
from studio.testing import FamilyContract, Recorder


def build(folder: Path) -> Spec:
    """A network that makes pictures twice as large, with weights that draw something."""
    torch.manual_seed(3)
    config = Swin2SRConfig(
        image_size=16, embed_dim=12, depths=[1], num_heads=[2], window_size=8, upscale=2
    )
    model = Swin2SRForImageSuperResolution(config)
    model.save_pretrained(folder)
    return Spec("tiny", folder, "float32", None, {})


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Noise that is soft enough to be a picture."""
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, channels))
    return drawn.astype(np.uint8)


class TestSwin2SR(FamilyContract):
    family: ClassVar[Family] = TransformersUpscaling()

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        cls.place = tmp_path_factory.mktemp("swin2sr")
        return build(cls.place / "tiny")

    place: ClassVar[Path]

    def order(self, number: int) -> Order:
        draft = Draft("image", number, 0, {"pixels": picture(24, 20, seed=number)})
        given = {"image": draft.spool(self.place / "inputs")}
        return Order("job", number, "image-upscaling", {"factor": 2.0}, number, given)

    def spoil(self, model: Model) -> None:
        assert isinstance(model, Upscaler)
        next(model._model.parameters()).data.fill_(float("nan"))


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The tiny network in memory."""
    return TransformersUpscaling().load(
        build(tmp_path_factory.mktemp("upscaler") / "tiny"), "cpu", "full"
    )


def made(model: Model, place: Path, factor: float, given: Draft) -> Draft:
    """What the model makes of that."""
    field, task = ("image", "image-upscaling")
    if given.kind == "video":
        field, task = ("video", "video-upscaling")
    inputs = {field: given.spool(place)}
    (draft,) = model.generate([Order("job", 0, task, {"factor": factor}, 0, inputs)], Recorder())
    return draft


@pytest.mark.parametrize(
    ("shape", "factor", "size"),
    [
        ((24, 20, 3), 2.0, (48, 40, 3)),
        ((24, 20, 4), 1.5, (36, 30, 4)),
        ((24, 20, 3), 3.0, (72, 60, 3)),
        ((5, 3, 3), 2.0, (10, 6, 3)),
        ((1, 1, 3), 4.0, (4, 4, 3)),
        ((150, 300, 3), 2.0, (300, 600, 3)),
    ],
)
def test_it_is_as_large_as_was_asked(
    upscaler: Model,
    tmp_path: Path,
    shape: tuple[int, int, int],
    factor: float,
    size: tuple[int, ...],
) -> None:
    pixels: Any = made(
        upscaler, tmp_path, factor, Draft("image", 0, 0, {"pixels": picture(*shape)})
    ).arrays["pixels"]
    assert (pixels.shape, pixels.dtype) == (size, np.uint8)


def test_tiles_meet_without_a_seam(upscaler: Model, tmp_path: Path) -> None:
    """What a tile draws at its border, it draws as if there were none."""
    pixels = picture(40, 280)
    whole: Any = made(upscaler, tmp_path / "a", 2.0, Draft("image", 0, 0, {"pixels": pixels}))
    part = made(upscaler, tmp_path / "b", 2.0, Draft("image", 0, 0, {"pixels": pixels[:, 96:176]}))
    border = slice(2 * 118, 2 * 138)
    inner = slice(2 * (118 - 96), 2 * (138 - 96))
    apart = np.abs(
        whole.arrays["pixels"][:, border].astype(int) - part.arrays["pixels"][:, inner].astype(int)
    )
    assert apart.max() <= 1


def test_a_film_keeps_its_rate_and_its_sound(upscaler: Model, tmp_path: Path) -> None:
    frames = np.stack([picture(9, 17, seed=number) for number in range(3)])
    heard = np.zeros((300, 1), np.float32)
    film = Draft("video", 0, 0, {"frames": frames, "samples": heard}, {"fps": 10, "rate": 1000})
    draft = made(upscaler, tmp_path, 2.0, film)
    assert draft.arrays["frames"].shape == (3, 18, 34, 3)
    assert (draft.arrays["samples"] == heard).all()
    assert draft.facts == {"fps": 10, "rate": 1000}


def test_what_is_too_much_to_draw_is_refused(
    upscaler: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers_upscaling, "_MOST", 4 * 24 * 20 - 1)
    with pytest.raises(InvalidRequest, match="too many"):
        made(upscaler, tmp_path, 1.25, Draft("image", 0, 0, {"pixels": picture(24, 20)}))


def test_nothing_becomes_larger_than_it_can_be(upscaler: Model, tmp_path: Path) -> None:
    wide = Draft("image", 0, 0, {"pixels": np.zeros((8, 4000, 3), np.uint8)})
    with pytest.raises(InvalidRequest, match="longest side") as caught:
        made(upscaler, tmp_path, 4.0, wide)
    assert "2.05 times" in caught.value.hint
