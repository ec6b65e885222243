"""What a model takes, by what its family can: wholes are not moved in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from studio.cards import Card
from studio.catalog import card_folder
from studio.families.diffusers_memory import dtype_of
from studio.memory import Need, Part, Room, Stage, components_of, fit, need_of, room_of
from studio.memory.plan import rungs

GB = 1_000_000_000


def card(name: str) -> Card:
    """One of the studio's own cards."""
    return Card.read(card_folder() / f"{name}.md")


def test_a_model_that_its_family_has_as_a_whole_is_whole_somewhere() -> None:
    mistral = card("mistral-7b")
    placements = {size: fit(mistral, room_of(size * GB, 32 * GB)).placement for size in (8, 12, 16)}
    assert placements == {8: "cpu", 12: "cpu", 16: "full"}
    assert fit(mistral, room_of(12 * GB, 32 * GB)).host_bytes > 14.5 * GB
    assert fit(mistral, room_of(12 * GB, 8 * GB)).placement is None
    assert fit(card("sdxl-base-1.0"), room_of(8 * GB, 32 * GB)).placement == "group-offload"


@pytest.mark.parametrize("fastest", ["full", "model-offload", "quantised", "cpu"])
def test_a_whole_has_two_rungs(fastest: str) -> None:
    part = Part("a", GB, GB // 10, GB // 2)
    stage = Stage("denoise", ("a",), 0)
    need = Need("a", (part,), (stage,), fastest, quantisable=True, offloads=False)
    expected = ("full", "cpu") if fastest == "full" else ("cpu",)
    assert rungs(need, Room(GB, GB, GB)) == expected
    assert rungs(need, Room(GB, GB, GB, shared=True)) == ("full",)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_processor_takes_what_the_libraries_compute_in_there(dtype: str) -> None:
    mistral = card("mistral-7b")
    block = mistral.studio.model_copy(update={"dtype": dtype})
    need = need_of(Card(mistral.name, block, {}, ""), [{}])
    wider = dtype_of(dtype, "cpu").itemsize / getattr(torch, dtype).itemsize
    assert need.doubled().weights == wider * need.weights


def test_weights_in_eight_bits_have_a_byte_each(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    weights = {
        "a": torch.zeros(30, 10).to(torch.float8_e4m3fn),
        "b": torch.zeros(20, 10).to(torch.float8_e5m2),
        "c": torch.zeros(10, 10, dtype=torch.bool),
        "d": torch.zeros(5, dtype=torch.int64),
        "e": torch.zeros(7),
    }
    save_file(weights, tmp_path / "unet" / "model.safetensors")
    (part,) = components_of(tmp_path, "bfloat16").values()
    assert part.size == 300 + 200 + 100 + 5 * 8 + 7 * 2
