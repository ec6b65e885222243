"""When memory runs out: less at a time, the same picture, and no step made twice for nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.draft import Draft
from studio.errors import OutOfMemory
from studio.families import Order, Spec
from studio.families.diffusers import Diffusers, Pipeline
from studio.testing import Recorder
from tests.families import tiny

SIDE = 256

# The library's own notice about configurations as old as the models of that time.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


class Machine(Recorder):
    """A progress whose other models can be evicted `others` times."""

    def __init__(self, others: int = 0) -> None:
        super().__init__()
        self.others = others

    def make_room(self) -> bool:
        self.others -= 1
        return self.others >= 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tiny")
    tiny.stable_diffusion(place)
    return place


def load(folder: Path, placement: str = "full", batch: int = 4) -> Pipeline:
    spec = Spec("tiny", folder, "float32", None, {"batch": batch})
    return Diffusers().load(spec, "cpu", placement)


def orders(count: int) -> list[Order]:
    request = {"prompt": "a", "width": SIDE, "height": SIDE, "steps": 2, "guidance": 2.0}
    return [
        Order("job", index, "text-to-image", request | {"count": count, "seed": 7}, 7 + index)
        for index in range(count)
    ]


def draw(model: Pipeline, count: int, machine: Recorder | None = None) -> list[Draft]:
    return list(model.generate(orders(count), machine or Recorder()))


def pixels(drafts: list[Draft]) -> Any:
    return np.stack([draft.arrays["pixels"] for draft in drafts]).astype(int)


def fail(module: Any, name: str, when: Callable[[torch.Tensor], bool]) -> list[tuple[int, ...]]:
    """Let `module.name` run out of memory `when` it says; the shapes that it did compute."""
    plain, done = getattr(module, name), []

    def limited(first: torch.Tensor, *rest: Any, **named: Any) -> Any:
        if when(first):
            raise torch.OutOfMemoryError("CUDA out of memory. (injected)")
        done.append(tuple(first.shape))
        return plain(first, *rest, **named)

    setattr(module, name, limited)
    return done


def test_a_decoder_without_memory_takes_one_picture_at_a_time(folder: Path) -> None:
    expected = pixels(draw(load(folder), 2))
    model = load(folder)
    model._previews = False
    steps = fail(model._pipe.unet, "forward", lambda _: False)
    decoded = fail(model._pipe.vae.decoder, "forward", lambda z: z.shape[0] > 1)
    drafts = draw(model, 2)
    assert len(steps) == 2, "denoising was repeated"
    assert [shape[0] for shape in decoded] == [1, 1]
    assert np.abs(pixels(drafts) - expected).max() <= 1
    assert drafts[0].facts == {}


def test_a_decoder_with_less_memory_takes_tiles_and_says_so(folder: Path) -> None:
    expected = pixels(draw(load(folder), 1))
    model = load(folder)
    model._previews = False
    steps = fail(model._pipe.unet, "forward", lambda _: False)
    whole = []

    def too_large(z: torch.Tensor) -> bool:
        whole.append(z.shape[-1] >= SIDE // 8)
        return whole[-1]

    fail(model._pipe.vae.decoder, "forward", too_large)
    drafts = draw(model, 1)
    assert len(steps) == 2, "denoising was repeated"
    assert drafts[0].facts == {"made with": ["decoded in tiles"]}
    # Tiles are normalised each for itself, so they differ; seams are blended.
    assert np.abs(pixels(drafts) - expected).mean() <= 12
    whole.clear()
    draw(model, 1)
    assert not any(whole), "it forgot what this shape needs"


def test_eviction_comes_first_and_may_be_enough(folder: Path) -> None:
    expected = pixels(draw(load(folder), 2))
    model, machine = load(folder), Machine(others=1)
    model._previews = False
    fail(model._pipe.vae.decoder, "forward", lambda _: machine.others > 0)
    drafts = draw(model, 2, machine)
    assert (pixels(drafts) == expected).all()
    assert drafts[0].facts == {}


def test_a_preview_without_memory_is_left_out_and_evicts_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.families.diffusers_steps.PREVIEW_SECONDS", 0.0)
    expected = draw(load(folder), 1)
    model, machine = load(folder), Machine(others=1)
    # A preview is decoded smaller than the picture.
    tried = []
    fail(model._pipe.vae.decoder, "forward", lambda z: tried.append(z) or z.shape[-1] < SIDE // 8)
    assert (pixels(draw(model, 1, machine)) == pixels(expected)).all()
    assert machine.others == 1
    assert machine.previews == []
    assert len(tried) > 1, "no preview was tried"


def test_a_denoiser_without_memory_takes_half_the_batch(folder: Path) -> None:
    expected = pixels(draw(load(folder), 4))
    model = load(folder)
    # With guidance, the denoiser sees every picture twice.
    steps = fail(model._pipe.unet, "forward", lambda x: x.shape[0] > 4)
    assert np.abs(pixels(draw(model, 4)) - expected).max() <= 1
    assert [shape[0] for shape in steps] == [4, 4, 4, 4]
    steps.clear()
    refused = fail(model._pipe.unet, "forward", lambda x: x.shape[0] > 4 and pytest.fail("again"))
    draw(model, 4)
    assert len(refused) == 4


def test_what_never_fits_is_a_typed_error_and_the_model_lives_on(folder: Path) -> None:
    expected = pixels(draw(load(folder), 1))
    model = load(folder)
    full = [True]
    fail(model._pipe.unet, "forward", lambda _: full[0])
    with pytest.raises(OutOfMemory, match="tiny"):
        draw(model, 2)
    full[0] = False
    assert (pixels(draw(model, 1)) == expected).all()


def test_weights_in_8_bits_draw_nearly_the_same_and_say_so(folder: Path) -> None:
    model = load(folder, "quantised")
    stored = {weight.dtype for weight in model._pipe.unet.parameters()}
    assert torch.float8_e4m3fn in stored
    drafts = draw(model, 1)
    assert drafts[0].facts == {"made with": ["weights in 8 bits"]}
    assert np.abs(pixels(drafts) - pixels(draw(load(folder), 1))).mean() <= 12


def test_other_errors_pass_through(folder: Path) -> None:
    model = load(folder)
    model._previews = False

    def broken(_: torch.Tensor) -> bool:
        raise RuntimeError("something else")

    fail(model._pipe.vae.decoder, "forward", broken)
    with pytest.raises(RuntimeError, match="something else"):
        draw(model, 1)


def test_models_share_their_encoders_and_decoders_but_no_denoiser(
    folder: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(folder, twin)
    for place in (folder, twin):
        digests = {
            f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
            for path in place.glob("*/*.safetensors")
        }
        (place / "lock.json").write_text(json.dumps({"sha256": digests}))
    alone = draw(load(twin), 1)[0].arrays["pixels"]
    family = Diffusers()
    first = family.load(Spec("first", folder, "float32", None, {}), "cpu", "full")
    second = family.load(Spec("second", twin, "float32", None, {}), "cpu", "full")
    assert second._pipe.vae is first._pipe.vae
    assert second._pipe.text_encoder is first._pipe.text_encoder
    assert second._pipe.unet is not first._pipe.unet
    moved = family.load(Spec("moved", twin, "float32", None, {}), "cpu", "group-offload")
    assert moved._pipe.vae is not first._pipe.vae
    first.unload()
    assert np.array_equal(draw(second, 1)[0].arrays["pixels"], alone)
    kept = weakref.ref(second._pipe.vae)
    second.unload()
    moved.unload()
    assert kept() is None, "what no model holds is gone"
