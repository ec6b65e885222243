"""What makes pipelines faster: what is exact always, the rest where a card asks, and then said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.errors import Unavailable
from studio.families import Order, Spec
from studio.families.diffusers import Diffusers, Pipeline
from studio.families.diffusers_speed import Embeddings
from studio.testing import Recorder
from tests.families import tiny
from tests.families.test_diffusers import order

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning:diffusers", "ignore::UserWarning:torch"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("flux")
    tiny.flux(folder)
    return folder


def load(folder: Path, placement: str = "full", **options: Any) -> Pipeline:
    spec = Spec("tiny", folder, "float32", None, {"grid": 16, "batch": 2, **options})
    return Diffusers().load(spec, "cpu", placement)


def draw(model: Pipeline, *orders: Order) -> list[Any]:
    return list(model.generate(orders, Recorder()))


def pixels(model: Pipeline, *orders: Order) -> list[Any]:
    return [draft.arrays["pixels"] for draft in draw(model, *orders)]


def test_a_prompt_is_encoded_once_and_the_pictures_are_the_same(folder: Path) -> None:
    model, fresh = load(folder), load(folder)
    calls: list[object] = []
    model._pipe.text_encoder_2.register_forward_pre_hook(lambda *call: calls.append(call))
    first = pixels(model, order(0))
    again = pixels(model, order(0), order(1, prompt="picture 0", steps=2))
    assert np.array_equal(again[0], first[0])
    assert len(calls) == 1, "the same words in other steps and with another seed"
    other = pixels(model, order(2))
    assert len(calls) == 2
    assert np.array_equal(other[0], pixels(fresh, order(2))[0])
    assert "encode_prompt" not in vars(model._pipe)


def test_embeddings_are_forgotten_in_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.families.diffusers_speed._REMEMBERED_BYTES", 1)
    model = load(folder)
    for number in range(3):
        draw(model, order(number))
    assert len(model._embeddings._known) == 1


def test_embeddings_in_lists_are_counted_and_copied_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Z-Image has a list of them, one for each prompt, and takes such a list."""

    class Pipe:
        def encode_prompt(self, prompt: str, prompt_embeds: Any = None) -> Any:
            return prompt_embeds or [torch.ones(4)], []

    pipe, embeddings = Pipe(), Embeddings()
    with embeddings.of(pipe):
        for _ in range(2):
            ((first,), _) = pipe.encode_prompt("a")
            assert first.tolist() == [1, 1, 1, 1]
            first.zero_()
        given = [torch.arange(4096.0), torch.arange(4096.0)]
        given[1][2000] = 0
        one, other = (pipe.encode_prompt("a", [each])[0][0] for each in given)
        assert not torch.equal(one, other)
        monkeypatch.setattr("studio.families.diffusers_speed._REMEMBERED_BYTES", 20)
        pipe.encode_prompt("b")
    assert len(embeddings._known) == 1


def test_a_backend_of_attention_is_taken_and_said(folder: Path) -> None:
    plain, other = load(folder), load(folder, attention="_native_math")
    (draft,) = draw(other, order(0))
    assert draft.facts["made with"] == ["attention _native_math"]
    processors = {p._attention_backend for p in other._pipe.transformer.attn_processors.values()}
    assert [backend.value for backend in processors] == ["_native_math"]
    (same,) = pixels(plain, order(0))
    assert np.abs(draft.arrays["pixels"].astype(int) - same).max() <= 1
    assert "made with" not in draw(plain, order(0))[0].facts


def test_a_cache_that_skips_work_is_taken_said_and_begins_anew_each_time(folder: Path) -> None:
    model = load(folder, cache={"kind": "FirstBlockCache", "threshold": 10.0})
    (first,) = draw(model, order(0, steps=6))
    assert first.facts["made with"] == ["FirstBlockCache"]
    draw(model, order(1, steps=6))
    (again,) = draw(model, order(0, steps=6))
    assert np.array_equal(first.arrays["pixels"], again.arrays["pixels"])
    assert not np.array_equal(first.arrays["pixels"], pixels(load(folder), order(0, steps=6))[0])


def test_compiled_blocks_make_the_same_picture(folder: Path) -> None:
    model = load(folder, compile={"backend": "eager"})
    (draft,) = draw(model, order(0))
    assert draft.facts["made with"] == ["compiled blocks"]
    assert all(b._compiled_call_impl for b in model._pipe.transformer.transformer_blocks)
    (same,) = pixels(load(folder), order(0))
    assert np.abs(draft.arrays["pixels"].astype(int) - same).max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "telepathy"},
        {"attention": "flash_hub"},
        {"cache": {"kind": "NoSuchCache"}},
        {"cache": {"kind": "FirstBlockCache", "depth": 3}},
        {"cache": {"threshold": 3}},
        {"compile": {"backend": "no such thing"}},
    ],
    ids=str,
)
def test_what_cannot_be_is_said_when_it_is_loaded(folder: Path, options: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="as its card asks"):
        load(folder, **options)


def test_a_denoiser_that_takes_no_cache_says_so(tmp_path: Path) -> None:
    tiny.stable_diffusion(tmp_path)
    with pytest.raises(Unavailable, match="as its card asks"):
        load(tmp_path, cache={"kind": "FirstBlockCache"})
