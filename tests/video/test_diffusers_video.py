"""The film family keeps every family's promises, on six architectures of the real library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from studio.draft import Draft
from studio.errors import InvalidRequest, OutOfMemory, Unavailable
from studio.families import Order, Spec, diffusers_steps
from studio.families.diffusers_video import DiffusersVideo, Films
from studio.testing import FamilyContract, Recorder
from tests.families import tiny as pictures
from tests.video import tiny

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
