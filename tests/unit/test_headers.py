"""A model's parts are as large as their files' headers say, in the precision they are used in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from studio.cards import Card
from studio.memory import Component, components_of, need_of

CARD = Card.parse(
    "a",
    """---
license: mit
studio:
  title: A
  family: diffusers
  tasks: [text-to-image]
  source: {path: starter/pictures}
  memory: {weights: 100, working: 7}
---
""",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in {"unet": 300, "vae": 20, "text_encoder": 40, "text_encoder_2": 60}.items():
        (tmp_path / name).mkdir()
        save_file({"w": torch.zeros(size, 10)}, tmp_path / name / "model.safetensors")
    (tmp_path / "scheduler").mkdir()
    save_file(
        {"w": torch.zeros(5, 10, dtype=torch.float16), "n": torch.zeros(3, dtype=torch.int64)},
        tmp_path / "vae" / "model.fp16.safetensors",
    )
    return tmp_path


def sizes(folder: Path, dtype: str, variant: str | None = None) -> dict[str, int]:
    return {name: part.size for name, part in components_of(folder, dtype, variant).items()}


def test_sizes_are_the_headers_in_the_precision_that_is_used(folder: Path) -> None:
    full = {"text_encoder": 1600, "text_encoder_2": 2400, "unet": 12000, "vae": 800}
    assert sizes(folder, "float32") == full
    assert sizes(folder, "bfloat16") == {name: size // 2 for name, size in full.items()}
    assert sizes(folder, "float16", "fp16")["vae"] == 5 * 10 * 2 + 3 * 8


def test_a_file_that_is_none_says_nothing(folder: Path) -> None:
    (folder / "unet" / "model.safetensors").write_bytes(b"no header at all")
    assert components_of(folder, "float32") == {}
    assert components_of(folder / "nowhere", "float32") == {}


def test_parts_are_as_large_as_their_files_or_as_the_card_says(folder: Path) -> None:
    need = need_of(CARD, [{}], components_of(folder, "float32"))
    assert sorted(part.weights for part in need.parts) == [800, 1600, 2400, 12000]
    weights = {part.key: part.weights for part in need.parts}
    assert {stage.name: sum(weights[key] for key in stage.parts) for stage in need.stages} == {
        "encode": 4000,
        "denoise": 12000,
        "decode": 800,
    }
    assert need.working == 7_000_000
    assert need_of(CARD, [{}]).weights == 100_000_000
    other = need_of(CARD, [{}], {"decoder": Component(50, "d"), "text_encoder": Component(10, "t")})
    assert other.weights == 100_000_000, "a model of another kind is not judged by its folders"


def test_equal_components_are_one_part_whatever_model_they_belong_to(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    twin = tmp_path_factory.mktemp("twin") / "model"
    shutil.copytree(folder, twin)
    mine, theirs = components_of(folder, "float32"), components_of(twin, "float32")
    assert mine["vae"].identity != theirs["vae"].identity, "nobody knows that the copies are equal"
    for place, own in ((folder, "1"), (twin, "2")):
        digests = {"vae/model.safetensors": "f00", "text_encoder/model.safetensors": own}
        (place / "lock.json").write_text(json.dumps({"sha256": digests}))
    mine, theirs = components_of(folder, "float32"), components_of(twin, "float32")
    assert mine["vae"].identity == theirs["vae"].identity
    assert mine["text_encoder"].identity != theirs["text_encoder"].identity
    assert components_of(twin, "bfloat16")["vae"].identity != theirs["vae"].identity
    (twin / "vae" / "config.json").write_text("{}")
    assert components_of(twin, "float32")["vae"].identity != mine["vae"].identity
