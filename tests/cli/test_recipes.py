"""Every recipe that ships runs on the starter models, and all it makes can be checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from studio.recipes import shipped
from tests.cli.conftest import Shell, Up

#: What is needed, or makes it quicker.
SETTINGS = {
    "augmented-set": ("caption=a red star", "picture=photo.png"),
    "picture-loop": ("seconds=4",),
}


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_recipe_runs(shell: Shell, up: Up, name: str) -> None:
    Image.effect_noise((256, 256), 80).convert("RGB").save(shell.folder / "photo.png")
    given = [part for setting in SETTINGS.get(name, ()) for part in ("--set", setting)]
    shell.run("recipe", "run", name, *given, "--out", name)
    folder: Path = shell.folder / name
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    recipe = shipped.recipe(name)
    assert {line["step"] for line in lines} == set(recipe.steps)
    outputs = recipe.outputs or tuple(recipe.steps)
    files = [str(folder / line["file"]) for line in lines if line["step"] in outputs]
    shell.run("verify", *files)
