"""The diffusers family keeps every family's promises, on four architectures of the real library."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from studio.errors import Cancelled, InvalidRequest, OutOfMemory, Refused, Unavailable
from studio.families import Order, Spec, diffusers_steps
from studio.families.diffusers import Diffusers, Pipeline
from studio.testing import FamilyContract, Recorder
from tests.families import tiny

# The library's own: it calls numpy, torch and itself in ways that they have deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:diffusers",
    "ignore::FutureWarning:diffusers",
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning",
)

STARTER = Path(__file__).parents[2] / "studio" / "starter" / "pictures"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def order(number: int = 0, **request: Any) -> Order:
    given = {
        "prompt": f"picture {number}",
        "negative_prompt": "",
        "width": 64,
        "height": 64,
        "steps": 3,
        "guidance": 3.0,
    }
    return Order("job", number, "text-to-image", given | request, seed=1000 + number)


class DiffusersContract(FamilyContract):
    family = Diffusers()
    build: Callable[[Path], None]
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("model")
        cls.build(folder)
        return Spec("tiny", folder, "float32", None, {"batch": 3, **cls.options})

    def order(self, number: int) -> Order:
        return order(number)

    def spoil(self, model: Any) -> None:
        with torch.no_grad():
            next(model._pipe.vae.decoder.parameters()).fill_(float("nan"))


class TestStableDiffusion(DiffusersContract):
    build = staticmethod(tiny.stable_diffusion)


class TestStableDiffusionXL(DiffusersContract):
    build = staticmethod(tiny.stable_diffusion_xl)


class TestFlux(DiffusersContract):
    build = staticmethod(tiny.flux)
    options: ClassVar = {"grid": 16}


class TestPixArt(DiffusersContract):
    build = staticmethod(tiny.pixart)
    options: ClassVar = {"arguments": {"use_resolution_binning": False, "clean_caption": False}}


class TestStarter(DiffusersContract):
    """The embedded model: half-precision weights, its own vocabulary, drawn at 64 px."""

    options: ClassVar = {"upscale": 8}

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls) -> Spec:
        return Spec("starter-pictures", STARTER, "float32", None, {"batch": 3, **cls.options})

    def order(self, number: int) -> Order:
        return order(number, prompt="a red circle", width=512, height=512)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sd")
    tiny.stable_diffusion(place)
    return place


def load(folder: Path, dtype: str = "float32", **options: Any) -> Pipeline:
    return Diffusers().load(Spec("tiny", folder, dtype, None, options), "cpu", "full")


def draw(model: Pipeline, *orders: Order, progress: Recorder | None = None) -> list[Any]:
    drafts = model.generate(orders, progress or Recorder())
    return [draft.arrays["pixels"] for draft in drafts]


@pytest.mark.parametrize(
    ("options", "width", "height"),
    [({}, 64, 72), ({"grid": 16}, 72, 104), ({"upscale": 8}, 512, 520), ({"upscale": 2}, 136, 200)],
)
def test_the_picture_has_exactly_the_size_that_was_asked_for(
    folder: Path, options: dict[str, Any], width: int, height: int
) -> None:
    (pixels,) = draw(load(folder, **options), order(width=width, height=height, steps=1))
    assert pixels.shape == (height, width, 3)
    assert pixels.dtype == np.uint8


def test_an_enlarged_picture_is_the_drawn_one(folder: Path) -> None:
    (small,) = draw(load(folder), order())
    (large,) = draw(load(folder, upscale=4), order(width=256, height=256))
    back = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(back - small).mean() < 4


def test_orders_of_different_shape_run_in_one_batch(folder: Path) -> None:
    batch = [order(0), order(1, width=80), order(2, negative_prompt="x"), order(3, steps=2)]
    model, progress = load(folder, batch=8), Recorder()
    together = draw(model, *batch, progress=progress)
    assert [pixels.shape[1] for pixels in together] == [64, 80, 64, 64]
    assert progress.steps[-1] == (11, 11)
    for one, pixels in zip(batch, together, strict=True):
        assert np.array_equal(pixels, draw(model, one)[0])


def test_what_the_request_says_reaches_the_model(folder: Path) -> None:
    model = load(folder)
    (plain,) = draw(model, order())
    for change in ({"negative_prompt": "x"}, {"guidance": 9.0}, {"steps": 4}, {"prompt": "else"}):
        assert not np.array_equal(plain, draw(model, order(**change))[0]), change
    other = load(folder, scheduler="EulerAncestralDiscreteScheduler")
    assert not np.array_equal(plain, draw(other, order())[0])
    assert type(other._pipe.scheduler).__name__ == "EulerAncestralDiscreteScheduler"


def test_a_cards_negative_prompt_is_for_orders_without_one(tmp_path: Path) -> None:
    """Some pipelines guide by nothing without any."""
    tiny.flux(tmp_path)
    options = {"grid": 16, "batch": 2, "guidance": "true_cfg_scale"}
    model = load(tmp_path, **options, arguments={"negative_prompt": " "})
    assert model._arguments([order(0), order(1)])["negative_prompt"] == [" ", " "]
    assert model._arguments([order(0, negative_prompt="x")])["negative_prompt"] == ["x"]
    (little,) = draw(model, order(guidance=1.0))
    (much,) = draw(model, order(guidance=9.0))
    assert (little != much).any()
    without = load(tmp_path, **options)
    assert (draw(without, order(guidance=9.0))[0] == little).all()


def test_a_picture_that_is_withheld_costs_no_other_that_is_drawn_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In company nobody gets theirs, from there on; who asks again alone does."""
    model = load(folder, batch=2)
    made = model._draw

    def flagged(group: Any, follower: Any) -> Any:
        return made(group, follower)[0], ["bad" in one.request["prompt"] for one in group]

    monkeypatch.setattr(model, "_draw", flagged)
    bad, good = order(0, prompt="bad"), order(1)
    with pytest.raises(Refused, match="safety checker"):
        draw(model, bad, good)
    assert len(draw(model, good)) == 1
    with pytest.raises(Refused, match="safety checker"):
        draw(model, bad)


def test_previews_come_and_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (without,) = draw(load(folder), order(width=512, height=256))
    monkeypatch.setattr(diffusers_steps, "PREVIEW_SECONDS", 0.0)
    monkeypatch.setattr(diffusers_steps, "PREVIEW_SHARE", 1e9)
    progress = Recorder()
    (shown,) = draw(load(folder), order(width=512, height=256), progress=progress)
    assert np.array_equal(shown, without)
    assert [(one.width, one.height) for one in progress.previews] == [(128, 64)] * 3
    progress = Recorder()
    (shown,) = draw(load(folder), order(), progress=progress)
    last = np.frombuffer(progress.previews[-1].rgb, np.uint8).reshape(64, 64, 3)
    assert np.abs(last.astype(int) - shown).max() <= 1, "small pictures are shown as they are"


def test_a_preview_that_fails_costs_no_picture(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusers_steps, "PREVIEW_SECONDS", 0.0)
    (expected,) = draw(load(folder), order())
    model, progress = load(folder), Recorder()
    model._pipe.vae.register_to_config(shift_factor="no number")
    assert np.array_equal(draw(model, order(), progress=progress)[0], expected)
    assert progress.previews == []


def test_packed_latents_are_previewed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusers_steps, "PREVIEW_SECONDS", 0.0)
    monkeypatch.setattr(diffusers_steps, "PREVIEW_SHARE", 1e9)
    tiny.flux(tmp_path)
    progress = Recorder()
    draw(load(tmp_path, grid=16), order(width=96), progress=progress)
    assert [(one.width, one.height) for one in progress.previews] == [(96, 64)] * 3


@pytest.mark.parametrize("hooks", [("callback_on_step_end",), ("callback_on_step_end", "callback")])
def test_a_pipeline_without_a_hook_is_followed_and_stopped_all_the_same(
    folder: Path, hooks: tuple[str, ...]
) -> None:
    model = load(folder)
    (expected,) = draw(model, order())
    model._takes = {name: value for name, value in model._takes.items() if name not in hooks}
    progress = Recorder()
    assert np.array_equal(draw(model, order(), progress=progress)[0], expected)
    assert progress.steps[-1] == (progress.steps[0][1],) * 2
    with pytest.raises(Cancelled):
        draw(model, order(), progress=Recorder(stop_at=1))
    assert np.array_equal(draw(model, order())[0], expected)


def test_half_precision_weights_run_in_full_precision_on_a_processor(
    folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    half = Diffusers().load(Spec("tiny", folder, "float32", None, {}), "cpu", "full")
    half._pipe.to(dtype=torch.float16)
    half._pipe.save_pretrained(tmp_path, variant="fp16")
    spec = Spec("tiny", tmp_path, "float16", "fp16", {})
    model = Diffusers().load(spec, "cpu", "full")
    assert model._pipe.unet.dtype == torch.float32
    distance = np.abs(draw(model, order())[0].astype(int) - draw(load(folder), order())[0])
    assert distance.max() <= 3


class Canary:
    """A pickle that leaves a file when it is opened."""

    def __reduce__(self) -> Any:
        return Path("canary").write_text, ("opened",)


@pytest.mark.parametrize("part", ["unet", "text_encoder", "vae"])
def test_pickled_weights_are_refused_unopened(
    folder: Path, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = shutil.copytree(folder, tmp_path / "copy")
    for path in (place / part).glob("*.safetensors"):
        name = "pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"
        path.with_name(name).write_bytes(pickle.dumps(Canary()))
        path.unlink()
    with pytest.raises(Unavailable, match="pickle") as caught:
        load(place)
    assert "safetensors" in caught.value.hint
    assert not Path("canary").exists()


def damage_index(place: Path) -> None:
    (place / "model_index.json").write_text("[1")


def foreign_code(place: Path) -> None:
    index = json.loads((place / "model_index.json").read_text())
    index["unet"] = ["evil", "Net"]
    (place / "model_index.json").write_text(json.dumps(index))


def own_pipeline(place: Path) -> None:
    index = json.loads((place / "model_index.json").read_text())
    index["_class_name"] = ["evil", "Pipeline"]
    (place / "model_index.json").write_text(json.dumps(index))
    (place / "evil.py").write_text("open('canary', 'w')")


def cut_weights(place: Path) -> None:
    path = next((place / "unet").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-100])


def forged_header(place: Path) -> None:
    path = next((place / "unet").glob("*.safetensors"))
    path.write_bytes(b"\xff" * 7 + b"\x7f" + path.read_bytes()[8:])


def no_weights(place: Path) -> None:
    next((place / "vae").glob("*.safetensors")).unlink()


@pytest.mark.parametrize(
    "damage",
    [damage_index, foreign_code, own_pipeline, cut_weights, forged_header, no_weights],
)
def test_a_folder_that_is_wrong_is_unavailable(
    folder: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    place = shutil.copytree(folder, tmp_path / "copy")
    damage(place)
    with pytest.raises(Unavailable) as caught:
        load(place)
    assert caught.value.hint
    assert not Path("canary").exists()


def test_what_a_card_gets_wrong_is_said(folder: Path) -> None:
    with pytest.raises(Unavailable, match="NoScheduler"):
        load(folder, scheduler="NoScheduler")
    with pytest.raises(Unavailable, match="UNet2DModel"):
        load(folder, scheduler="UNet2DModel")
    with pytest.raises(InvalidRequest):
        draw(load(folder, arguments={"callback_on_step_end_tensor_inputs": ["nothing"]}), order())


@pytest.mark.parametrize("placement", ["group-offload", "model-offload"])
def test_other_placements_give_the_same_draft_even_after_a_cancel(
    folder: Path, placement: str
) -> None:
    """With the processor in the device's part; on a real device nobody has tried it here."""
    (expected,) = draw(load(folder), order())
    model = Diffusers().load(Spec("tiny", folder, "float32", None, {}), "cpu", placement)
    with pytest.raises(Cancelled):
        draw(model, order(), progress=Recorder(stop_at=1))
    assert np.array_equal(draw(model, order())[0], expected)
    model.unload()


def test_running_out_of_memory_is_said_and_the_model_stays_usable(folder: Path) -> None:
    model = load(folder)
    (expected,) = draw(model, order())
    decode = model._pipe.vae.decode
    model._pipe.vae.decode = lambda *_, **__: torch.empty(10**15)
    with pytest.raises(OutOfMemory) as caught:
        draw(model, order())
    assert "smaller" in caught.value.hint
    model._pipe.vae.decode = decode
    assert np.array_equal(draw(model, order())[0], expected)


def test_what_the_models_own_checker_flags_is_withheld(folder: Path) -> None:
    model = load(folder, batch=3)
    model._pipe.run_safety_checker = lambda pictures, *_: (pictures, [False, True, False])
    drafts = model.generate([order(0), order(1), order(2)], Recorder())
    assert next(drafts).index == 0
    with pytest.raises(Refused):
        next(drafts)


def test_an_editing_folder_draws_too(folder: Path, tmp_path: Path) -> None:
    place = shutil.copytree(folder, tmp_path / "copy")
    index = json.loads((place / "model_index.json").read_text())
    index["_class_name"] = "StableDiffusionImg2ImgPipeline"
    (place / "model_index.json").write_text(json.dumps(index))
    assert np.array_equal(draw(load(place), order())[0], draw(load(folder), order())[0])


def test_a_component_can_be_left_out(folder: Path, tmp_path: Path) -> None:
    place = shutil.copytree(folder, tmp_path / "copy")
    index = json.loads((place / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    (place / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(Unavailable):
        load(place)
    assert draw(load(place, without=["safety_checker"]), order())
