"""How a trained model lies in its folder: as the studio loads it."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import vocabulary


def save(model: Any, folder: Path, *beside: Any, known: dict[str, list[str]] | None = None) -> None:
    """The model in half precision with what belongs `beside` it, its tokenizer for instance, and
    the words that are `known` to it; put in its place when whole.
    """
    made = folder.with_name("making")
    shutil.rmtree(made, ignore_errors=True)
    for one in (*beside, copy.deepcopy(model).half()):
        one.save_pretrained(made)
    if known is not None:
        (made / "vocabulary.json").write_text(vocabulary.document(known), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)
