"""A model's parts are as large as their files' headers say, in the precision they are used in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from studio.cards import Card
from studio.memory import need_of, sizes_of

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


def test_sizes_are_the_headers_in_the_precision_that_is_used(folder: Path) -> None:
    full = {"text_encoder": 1600, "text_encoder_2": 2400, "unet": 12000, "vae": 800}
    assert sizes_of(folder, "float32") == full
    assert sizes_of(folder, "bfloat16") == {name: size // 2 for name, size in full.items()}
    assert sizes_of(folder, "float16", "fp16")["vae"] == 5 * 10 * 2 + 3 * 8


def test_a_file_that_is_none_says_nothing(folder: Path) -> None:
    (folder / "unet" / "model.safetensors").write_bytes(b"no header at all")
    assert sizes_of(folder, "float32") == {}
    assert sizes_of(folder / "nowhere", "float32") == {}


def test_parts_are_as_large_as_their_files_or_as_the_card_says(folder: Path) -> None:
    need = need_of(CARD, [{}], sizes_of(folder, "float32"))
    assert {part.key: part.weights for part in need.parts} == {
        "a/encode": 4000,
        "a/denoise": 12000,
        "a/decode": 800,
    }
    assert need.working == 7_000_000
    assert need_of(CARD, [{}]).weights == 100_000_000
    other = need_of(CARD, [{}], {"decoder": 50, "text_encoder": 10})
    assert other.weights == 100_000_000, "a model of another kind is not judged by its folders"
