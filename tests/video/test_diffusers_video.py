"""The film family keeps every family's promises, on the real library's architectures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image

from studio.draft import Draft
from studio.errors import Cancelled, InvalidRequest, OutOfMemory, Unavailable
from studio.families import Order, Spec, diffusers_steps
from studio.families.diffusers_channels import ChannelFilmPipeline
from studio.families.diffusers_film import film_of
from studio.families.diffusers_video import DiffusersVideo, Films
from studio.testing import FamilyContract, Recorder
from tests.families import tiny as pictures
from tests.video import tiny, tiny_more

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
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A picture, a last picture and a film of 6 frames that gets lighter, as families get them."""
    place = tmp_path_factory.mktemp("inputs")
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (48, 80, 3), np.uint8)
    film = np.stack([np.full((40, 64, 3), 40 * number, np.uint8) for number in range(6)])
    drafts = {
        "image": Draft("image", 0, 0, {"pixels": picture}),
        "last_image": Draft("image", 0, 0, {"pixels": 255 - picture}),
        "video": Draft("video", 0, 0, {"frames": film}, {"fps": 6}),
    }
    return {name: draft.spool(place / name) for name, draft in drafts.items()}


def order(number: int = 0, task: str = "text-to-video", **request: Any) -> Order:
    given = {
        "prompt": f"film {number}",
        "negative_prompt": "",
        "width": 32,
        "height": 32,
        "duration": 0.625,
        "fps": 8,
        "steps": 3,
        "guidance": 3.0,
    }
    return Order("job", number, task, given | request, seed=1000 + number)


class FilmContract(FamilyContract):
    family = DiffusersVideo()
    build: Callable[[Path], None]
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, tmp_path_factory: pytest.TempPathFactory) -> Spec:
        folder = tmp_path_factory.mktemp("models") / "tiny"
        cls.build(folder)
        return Spec("tiny", folder, "float32", None, cls.options)

    def order(self, number: int) -> Order:
        return order(number)

    def spoil(self, model: Any) -> None:
        with torch.no_grad():
            next(model._pipe.vae.decoder.parameters()).fill_(float("nan"))


class FromPicture(FilmContract):
    @pytest.fixture(autouse=True)
    def given(self, inputs: dict[str, Path]) -> None:
        self.inputs = {"image": inputs["image"]}

    def order(self, number: int) -> Order:
        made = order(number, "image-to-video", motion=1.0)
        return replace(made, inputs=self.inputs)


FOUR = {"frames": {"step": 4, "plus": 1}}


class TestCogVideoX(FilmContract):
    build = staticmethod(tiny.cogvideox)
    options: ClassVar = {**FOUR, "grid": 16}


class TestCogVideoXOfPictures(FromPicture):
    build = staticmethod(tiny.cogvideox_of_pictures)
    options: ClassVar = {**FOUR, "grid": 16}


def animatediff(folder: Path) -> None:
    pictures.stable_diffusion(folder.parent / "base")
    tiny.motion_adapter(folder)


class TestAnimateDiff(FilmContract):
    build = staticmethod(animatediff)
    options: ClassVar = {"base": "base"}


class TestAnimateDiffOfAPicture(FromPicture):
    build = staticmethod(animatediff)
    options: ClassVar = {"base": "base"}


def channel_film(folder: Path) -> None:
    pictures.stable_diffusion(folder.parent / "base")
    tiny.channel_film(folder)


class TestChannelFilm(FilmContract):
    build = staticmethod(channel_film)
    options: ClassVar = {"base": "base", "frames": {"least": 5}}


class TestChannelFilmOfAPicture(FromPicture):
    build = staticmethod(channel_film)
    options: ClassVar = {"base": "base", "frames": {"least": 5}}


REFINED = {"strength": 0.5, "guidance": 2.0, "steps": 4}


class TestRefinedFilm(FilmContract):
    build = staticmethod(channel_film)
    options: ClassVar = {"base": "base", "frames": {"least": 5}, "refine": REFINED}


class TestRefinedFilmOfAPicture(FromPicture):
    build = staticmethod(channel_film)
    options: ClassVar = {"base": "base", "frames": {"least": 5}, "refine": REFINED}


class TestLtx(FilmContract):
    build = staticmethod(tiny.ltx)
    options: ClassVar = {"frames": {"step": 4, "plus": 1}, "grid": 32}


class TestLtxOfAPicture(FromPicture):
    build = staticmethod(tiny.ltx)
    options: ClassVar = {"frames": {"step": 4, "plus": 1}, "grid": 32}


class TestWan(FilmContract):
    build = staticmethod(tiny.wan)
    options: ClassVar = {**FOUR, "grid": 16}


class TestStableVideoDiffusion(FromPicture):
    build = staticmethod(tiny.stable_video_diffusion)
    options: ClassVar = {"arguments": {"decode_chunk_size": 2}}


class TestHunyuanVideo(FilmContract):
    build = staticmethod(tiny_more.hunyuan_video)
    options: ClassVar = {**FOUR, "grid": 16}


class TestHunyuanVideo15(FilmContract):
    build = staticmethod(tiny_more.hunyuan_video_15)
    options: ClassVar = {"frames": {"step": 2, "plus": 1}, "grid": 8}


@pytest.mark.filterwarnings("ignore:In CPU autocast")
class TestMochi(FilmContract):
    build = staticmethod(tiny_more.mochi)
    options: ClassVar = {"frames": {"step": 6, "plus": 1}, "grid": 16}


class TestLatte(FilmContract):
    build = staticmethod(tiny_more.latte)
    options: ClassVar = {"frames": {"least": 5}, "arguments": {"clean_caption": False}}


@pytest.mark.filterwarnings("ignore:The TextToVideoSDPipeline has been deprecated")
class TestModelScope(FilmContract):
    build = staticmethod(tiny_more.modelscope)


def wan_of_both(folder: Path) -> None:
    tiny_more.wan_of_pictures(folder, both=True)


@pytest.mark.parametrize(
    ("build", "task", "names"),
    [
        (tiny.cogvideox, "video-to-video", ("video",)),
        (tiny.wan, "video-to-video", ("video",)),
        (wan_of_both, "image-to-video", ("image", "last_image")),
        (tiny_more.wan_of_pictures, "video-extension", ("video",)),
    ],
)
def test_what_else_they_can_is_repeatable_and_stops_within_a_step(
    tmp_path: Path,
    inputs: dict[str, Path],
    build: Callable[[Path], None],
    task: str,
    names: tuple[str, ...],
) -> None:
    build(tmp_path / "tiny")
    model = load(tmp_path / "tiny", **FOUR, grid=16)
    given = {name: inputs[name] for name in names}
    one, other = (
        replace(order(number, task, motion=1.0, strength=0.7), inputs=given) for number in (0, 1)
    )
    before = frames_of(model, one)
    progress = Recorder(stop_at=1)
    with pytest.raises(Cancelled):
        frames_of(model, other, progress=progress)
    assert progress.steps[-1][0] == 1, "it went on after it was told to stop"
    assert (frames_of(model, one) == before).all()
    assert (frames_of(model, other) != before).any()


@pytest.mark.parametrize(
    ("build", "options", "task", "name"),
    [
        (animatediff, {"base": "base"}, "image-to-video", "image"),
        (tiny.ltx, {**FOUR, "grid": 32}, "image-to-video", "image"),
        (tiny.wan, {**FOUR, "grid": 16}, "video-to-video", "video"),
        (tiny.cogvideox, {**FOUR, "grid": 16}, "video-to-video", "video"),
    ],
)
def test_what_a_model_becomes_for_a_task_leaves_its_precision_alone(
    tmp_path: Path,
    inputs: dict[str, Path],
    build: Callable[[Path], None],
    options: dict[str, Any],
    task: str,
    name: str,
) -> None:
    """Some parts stay in float32, for the library has them so; none is turned into it."""
    build(tmp_path / "tiny")
    model = load(tmp_path / "tiny", "bfloat16", **options)
    before = _precisions(model)
    assert "torch.bfloat16" in before.values()
    given = replace(order(0, task, motion=1.0, strength=0.7), inputs={name: inputs[name]})
    assert frames_of(model, given).any()
    assert model._pipe is not model._own
    assert _precisions(model) == before


def _precisions(model: Films) -> dict[str, str]:
    parts = model._own.components.items()
    return {
        f"{name}.{which}": str(one.dtype)
        for name, part in parts
        if isinstance(part, torch.nn.Module)
        for which, one in part.named_parameters()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A motion adapter beside its base."""
    place = tmp_path_factory.mktemp("animatediff") / "adapter"
    animatediff(place)
    return place


def load(folder: Path, dtype: str = "float32", **options: Any) -> Films:
    return DiffusersVideo().load(Spec("tiny", folder, dtype, None, options), "cpu", "full")


@pytest.fixture(scope="module")
def animated(folder: Path) -> Films:
    return load(folder, base="base")


def frames_of(model: Films, *orders: Order, progress: Recorder | None = None) -> Any:
    (draft,) = model.generate(orders, progress or Recorder())
    return draft.arrays["frames"]


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Films:
    """A model whose films have five frames, all of them channels of one picture."""
    place = tmp_path_factory.mktemp("channels") / "film"
    channel_film(place)
    return load(place, base="base", frames={"least": 5})


def test_frames_that_are_given_are_held(channels: Films, inputs: dict[str, Path]) -> None:
    """What the decoder makes of a given picture is in the film, whatever is drawn beside it."""
    given = replace(order(0, "image-to-video", motion=1.0, steps=2), inputs=inputs)
    first = {"image": inputs["image"]}
    both, one = frames_of(channels, given), frames_of(channels, replace(given, inputs=first))
    other = frames_of(channels, replace(given, inputs=first, seed=5))
    assert len(both) == len(one) == 5
    assert (both[0] == one[0]).all()
    assert (one[0] == other[0]).all()
    assert (both[4] != one[4]).any()
    assert (one[4] != other[4]).any()
    turned = replace(given, inputs={"image": inputs["last_image"], "last_image": inputs["image"]})
    assert (frames_of(channels, turned)[4] == one[0]).all()


def test_a_film_goes_on_from_its_last_pictures(
    channels: Films, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    encode = ChannelFilmPipeline._latents_of

    def looking(pipe: Any, pictures: list[Image.Image], *more: Any) -> torch.Tensor:
        seen.extend(int(np.asarray(one)[0, 0, 0]) for one in pictures)
        return encode(pipe, pictures, *more)

    monkeypatch.setattr(ChannelFilmPipeline, "_latents_of", looking)
    asked = order(0, "video-extension", motion=1.0, fps=6, duration=0.8)
    given = replace(asked, inputs={"video": inputs["video"]})
    frames = frames_of(channels, given)
    assert seen == [80, 120, 160, 200]
    assert (frames[:6] == Draft.unspool(inputs["video"]).arrays["frames"]).all()
    assert len(frames) == 6 + 1, "four of five frames were known"


def test_a_film_of_another_length_than_it_draws_is_refused(channels: Films) -> None:
    with pytest.raises(InvalidRequest, match="5 frames"):
        frames_of(channels, order(duration=2.0))


@pytest.mark.parametrize(
    ("options", "asked", "shape"),
    [
        ({"frames": {"step": 4, "plus": 1}}, {"duration": 0.5}, (4, 32, 32, 3)),
        ({"frames": {"least": 6}}, {"duration": 0.25}, (2, 32, 32, 3)),
        ({"grid": 32}, {"width": 40, "height": 72, "duration": 0.25}, (2, 72, 40, 3)),
        ({"upscale": 2}, {"width": 72, "height": 64, "duration": 0.25}, (2, 64, 72, 3)),
    ],
)
def test_a_film_is_exactly_as_long_and_large_as_was_asked(
    folder: Path, options: dict[str, Any], asked: dict[str, Any], shape: tuple[int, ...]
) -> None:
    frames = frames_of(load(folder, base="base", **options), order(steps=1, **asked))
    assert (frames.shape, frames.dtype) == (shape, np.uint8)


def test_a_film_is_restyled_for_as_long_as_it_plays(
    animated: Films, inputs: dict[str, Path]
) -> None:
    given = order(0, "video-to-video", duration=2.0, fps=3, strength=0.7)
    progress = Recorder()
    frames = frames_of(animated, replace(given, inputs=inputs), progress=progress)
    assert len(frames) == 3, "six frames at 6 a second are three at 3 a second"
    assert progress.steps[-1] == (2, 2), "of three steps a strength of 0.7 leaves two"


def test_less_strength_and_less_motion_change_less(
    animated: Films, inputs: dict[str, Path]
) -> None:
    def distance(task: str, **more: float) -> float:
        named = {name: inputs[name] for name in ("image", "video")}
        given = replace(order(0, task, steps=10, **more), inputs=named)
        source = Draft.unspool(inputs["video"]).arrays["frames"][0]
        if task == "image-to-video":
            other = frames_of(animated, replace(given, request={**given.request, "motion": 0.12}))
            return float(np.abs(frames_of(animated, given).astype(int) - other).mean())
        drawn = frames_of(animated, given)[0].astype(int)
        return float(abs(drawn.mean() - source.mean()))

    assert distance("image-to-video", motion=0.2) < distance("image-to-video", motion=1.1)
    assert distance("video-to-video", strength=0.1) != distance("video-to-video", strength=0.9)


def test_one_model_does_one_task_after_another_and_each_as_before(
    animated: Films, inputs: dict[str, Path]
) -> None:
    first = frames_of(animated, order())
    named = {"image": inputs["image"]}
    frames_of(animated, replace(order(0, "image-to-video", motion=1.0), inputs=named))
    assert (frames_of(animated, order()) == first).all()


def test_a_last_picture_is_refused_where_the_model_cannot_end_there(
    animated: Films, inputs: dict[str, Path]
) -> None:
    given = {name: inputs[name] for name in ("image", "last_image")}
    with pytest.raises(InvalidRequest, match="cannot end"):
        frames_of(animated, replace(order(0, "image-to-video", motion=1.0), inputs=given))


def test_a_last_picture_changes_the_film_and_is_missed_where_it_is_needed(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    model = _wan(tmp_path / "both", both=True)
    first = {"image": inputs["image"]}
    one, other = (
        frames_of(model, replace(animated_order(), inputs={**first, "last_image": inputs[last]}))
        for last in ("last_image", "image")
    )
    assert (one != other).any()
    with pytest.raises(InvalidRequest, match="there is only one"):
        frames_of(model, replace(animated_order(), inputs=first))
    with pytest.raises(InvalidRequest, match="cannot end"):
        frames_of(
            _wan(tmp_path / "one"),
            replace(animated_order(), inputs={**first, "last_image": inputs["last_image"]}),
        )


def animated_order() -> Order:
    return order(0, "image-to-video", motion=1.0)


def _wan(folder: Path, both: bool = False) -> Films:
    tiny_more.wan_of_pictures(folder, both)
    return load(folder, **FOUR, grid=16)


def test_a_film_goes_on_at_its_size_with_its_sound(tmp_path: Path, animated: Films) -> None:
    """At 12 frames a second of its own, and 8 of the model's, it has 12."""
    heard = np.full((4000, 1), 0.5, np.float32)
    shown = np.random.default_rng(0).integers(0, 256, (6, 40, 64, 3), np.uint8)
    film = Draft("video", 0, 0, {"frames": shown, "samples": heard}, {"fps": 12, "rate": 8000})
    given = replace(order(0, "video-extension", motion=0.2), inputs={"video": film.spool(tmp_path)})
    (draft,) = animated.generate([given], Recorder())
    frames, samples = draft.arrays["frames"], draft.arrays["samples"]
    # Five are drawn; four of them are new, half a second.
    assert (frames.shape, draft.facts["fps"]) == ((6 + 6, 40, 64, 3), 12)
    assert (frames[:6] == shown).all()
    assert len(samples) / draft.facts["rate"] == pytest.approx(1.0)
    assert (samples[:4000] == heard).all()
    assert not samples[4000:].any()


def test_a_slow_film_that_goes_on_plays_as_fast_as_the_model_draws(
    tmp_path: Path, animated: Films
) -> None:
    shown = np.stack([np.full((32, 32, 3), 60 * number, np.uint8) for number in range(4)])
    film = Draft("video", 0, 0, {"frames": shown}, {"fps": 4}).spool(tmp_path)
    given = replace(order(0, "video-extension", motion=0.2), inputs={"video": film})
    (draft,) = animated.generate([given], Recorder())
    assert draft.facts["fps"] == 8
    assert (draft.arrays["frames"][:8:2] == shown).all()
    assert (draft.arrays["frames"][1:8:2] == shown).all()
    assert len(draft.arrays["frames"]) == 8 + 4


def test_a_picture_of_another_shape_is_cut_about_its_middle(tmp_path: Path) -> None:
    """A wide picture, red but for a green middle, is green in a square film."""
    pixels = np.zeros((32, 96, 3), np.uint8)
    pixels[..., 0], pixels[:, 32:64] = 200, (0, 200, 0)
    (fitted,) = film_of([Image.fromarray(pixels)], 1, (32, 32))
    assert (np.asarray(fitted)[:, 2:-2] == (0, 200, 0)).all()


def test_a_task_that_the_architecture_has_no_pipeline_for_is_refused(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    tiny.stable_video_diffusion(tmp_path / "svd")
    with pytest.raises(InvalidRequest, match="cannot do text-to-video"):
        frames_of(load(tmp_path / "svd"), order())


def test_a_motion_adapter_is_denoised_as_it_was_trained_and_not_as_its_base(
    folder: Path, animated: Films
) -> None:
    own = DDIMScheduler.load_config(folder.parent / "base" / "scheduler")
    config = animated._own.scheduler.config
    assert config.beta_schedule == "linear" != own["beta_schedule"]
    assert (config.clip_sample, config.timestep_spacing, config.steps_offset) == (
        False,
        "linspace",
        1,
    )
    assert config.beta_end == own["beta_end"]


def test_a_base_that_is_not_here_is_named(tmp_path: Path) -> None:
    tiny.motion_adapter(tmp_path / "adapter")
    with pytest.raises(Unavailable) as caught:
        load(tmp_path / "adapter", base="stable-diffusion-1.5")
    assert "studio models get stable-diffusion-1.5" in caught.value.hint


@pytest.fixture(scope="module")
def refined(tmp_path_factory: pytest.TempPathFactory) -> Films:
    """The same, whose frames the picture model draws anew, told of a film but not how it moves."""
    place = tmp_path_factory.mktemp("refined") / "film"
    channel_film(place)
    words = {"groups": {"motions": ["moves", "moves left"], "things": ["star"]}}
    (place / "vocabulary.json").write_text(json.dumps(words), encoding="utf-8")
    return load(place, base="base", frames={"least": 5}, refine=REFINED | {"without": "motions"})


def test_frames_that_are_given_are_not_refined(
    channels: Films, refined: Films, inputs: dict[str, Path]
) -> None:
    given = replace(order(0, "image-to-video", motion=1.0, steps=2), inputs=inputs)
    progress = Recorder()
    drawn, before = frames_of(refined, given, progress=progress), frames_of(channels, given)
    same = [(one == other).all() for one, other in zip(drawn, before, strict=True)]
    assert same == [True, False, False, False, True]
    assert progress.steps[-1] == (4, 4), "two of the film's, two of the refiner's"


def test_a_refiner_stops_within_a_step_and_is_as_good_as_before(refined: Films) -> None:
    before = frames_of(refined, order(steps=2))
    progress = Recorder(stop_at=3)
    with pytest.raises(Cancelled):
        frames_of(refined, order(steps=2), progress=progress)
    assert progress.steps[-1] == (3, 4)
    assert (frames_of(refined, order(steps=2)) == before).all()


def test_a_refiner_leaves_some_films_alone(
    refined: Films, channels: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refined._refine is not None
    monkeypatch.setattr(refined._refine, "_unless", ("boat",))
    left, drawn = (order(steps=2, prompt=prompt) for prompt in ("A Boat at sea", "boatswains"))
    progress = Recorder()
    assert (frames_of(refined, left, progress=progress) == frames_of(channels, left)).all()
    assert progress.steps[-1] == (2, 2)
    assert (frames_of(refined, drawn) != frames_of(channels, drawn)).any()


def test_a_refiner_that_computes_no_numbers_is_an_error(tmp_path: Path) -> None:
    channel_film(tmp_path / "film")
    model = load(tmp_path / "film", base="base", frames={"least": 5}, refine=REFINED)
    assert model._refine is not None
    next(model._refine._pipe.unet.parameters()).data.fill_(float("nan"))
    with pytest.raises(Unavailable, match="no numbers"):
        frames_of(model, order(steps=1))


def test_a_refiner_is_not_told_what_moves(refined: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refined._refine is not None
    pipe, told = refined._refine._pipe, []
    read = pipe.tokenizer.__class__.__call__

    def listening(self: Any, text: Any, *given: Any, **named: Any) -> Any:
        if isinstance(text, list):
            told.extend(text)
        return read(self, text, *given, **named)

    monkeypatch.setattr(pipe.tokenizer.__class__, "__call__", listening)
    frames_of(refined, order(prompt="a red star moves left over land"))
    assert set(told) == {"a red star over land", ""}


def test_previews_show_the_middle_of_the_film(
    animated: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusers_steps, "PREVIEW_SECONDS", 0.0)
    progress = Recorder()
    frames_of(animated, order(steps=2), progress=progress)
    assert progress.previews
    assert {(one.width, one.height) for one in progress.previews} == {(32, 32)}


def test_memory_that_runs_out_is_tried_again_once_others_made_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(folder, base="base")
    made, room = model._pipe.unet.forward, iter((True, False))
    failures = iter((True, False))

    def forward(*given: Any, **named: Any) -> Any:
        if next(failures, False):
            raise torch.OutOfMemoryError("injected")
        return made(*given, **named)

    progress = Recorder()
    monkeypatch.setattr(progress, "make_room", lambda: next(room))
    monkeypatch.setattr(model._pipe.unet, "forward", forward)
    assert len(frames_of(model, order(), progress=progress)) == 5
    failures = iter((True, True))
    with pytest.raises(OutOfMemory):
        frames_of(model, order(), progress=progress)
