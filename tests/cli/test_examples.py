"""The scripts that people copy run as they are, and everything they make can be checked."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Shell

# A studio is running, as on a machine that is in use: no example has to load its models anew.
pytestmark = pytest.mark.usefixtures("up")

EXAMPLES = Path(__file__).parents[2] / "scripts" / "examples"


def example(shell: Shell, name: str, *arguments: str) -> None:
    """Run one of the examples to its end."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_asset_pack(shell: Shell) -> None:
    example(shell, "asset_pack", "star", "--out", "icons")
    icons = sorted((shell.folder / "icons").rglob("*.png"))
    assert {icon.parent.name for icon in icons} == {"flat", "outline", "watercolor", "pixel-art"}
    shell.run("verify", *map(str, icons))


def test_an_augmented_set(shell: Shell) -> None:
    photos = shell.folder / "photos"
    photos.mkdir()
    Image.new("RGB", (300, 200), "navy").save(photos / "blue-sea.png")
    Image.new("RGB", (200, 300), "green").save(photos / "hill.jpg")
    (photos / "hill.txt").write_text("a green hill\n")
    example(shell, "augment", "photos", "--times", "2", "--out", "set")
    with (shell.folder / "set" / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == ["blue sea"] * 3 + ["a green hill"] * 3
    for row in rows:
        with Image.open(shell.folder / "set" / row["file_name"]) as picture:
            picture.load()
    assert "4 variations" in (shell.folder / "set" / "README.md").read_text()


def test_a_grid(shell: Shell) -> None:
    example(shell, "grid", "a red star", "a <b>blue</b> moon", "--seeds", "1", "--out", "grid")
    page = (shell.folder / "grid" / "index.html").read_text(encoding="utf-8")
    pictures = list((shell.folder / "grid").glob("*.png"))
    assert len(pictures) == 2
    assert all(f'src="{picture.name}"' in page for picture in pictures)
    assert "<b>blue" not in page


def test_a_narrated_story(shell: Shell) -> None:
    (shell.folder / "story.txt").write_text("a red circle: There was a boat.\n\nIt went far.\n")
    example(shell, "narrated_story", "story.txt", "--side", "256", "--out", "film")
    (film,) = (shell.folder / "film").glob("*.mp4")
    shell.run("verify", str(film))
    assert len(shell.run("verify", str(film), "--json").out.split("componentOf")) == 6


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_says_how_it_is_called(script: Path) -> None:
    done = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert f"scripts/examples/{script.name}" in script.read_text(encoding="utf-8")
