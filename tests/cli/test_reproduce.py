"""`studio reproduce`: what the starter models make is made again to the last bit."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.artifact import Artifact
from tests.cli.conftest import Shell, Up
from ui.copies import copies

PICTURE, MASK, SOUND = "given.png", "mask.png", "given.wav"
QUICK = ("--steps", "2", "--format", "webp")
#: A cheap order for every task that the starter models and the workshop can do.
ORDERS = {
    "text-to-image": ("a red star", "--count", "2", *QUICK),
    "image-to-image": ("a blue star", "--image", PICTURE, *QUICK),
    "inpainting": ("a star", "--image", PICTURE, "--mask", MASK, *QUICK),
    "latent-walk": ("a star", "--prompt-2", "a circle", "--count", "2", *QUICK),
    "text-to-music": ("calm piano", "--duration", "4"),
    "text-to-speech": ("First one. Then the other.", "--count", "2"),
    "audio-mastering": (SOUND, "--loudness", "-20"),
    "audio-mixing": (SOUND, "--music", SOUND),
    "image-lettering": (PICTURE, "--text", "Hello"),
    "image-conversion": (PICTURE, "--format", "webp"),
    "contact-sheet": (PICTURE, PICTURE),
    "image-to-text": (PICTURE,),
    "visual-question-answering": (PICTURE, "--question", "what is it"),
    "zero-shot-image-classification": (PICTURE, "--labels", "a star,a moon"),
    "image-ranking": (PICTURE, PICTURE, "--prompt", "a star"),
    "film-assembly": (PICTURE, "--seconds", "1", "--width", "256", "--height", "256"),
}


@pytest.fixture(scope="module", autouse=True)
def given(shell: Shell, up: Up) -> None:
    """The files that the orders name, and a studio that keeps its models loaded."""
    Image.effect_noise((256, 256), 80).convert("RGB").save(shell.folder / PICTURE)
    mask = Image.new("L", (256, 256))
    mask.paste(255, (64, 64, 192, 192))
    mask.save(shell.folder / MASK)
    time = np.arange(2 * 22_050) / 22_050
    soundfile.write(shell.folder / SOUND, 0.3 * np.sin(440 * time * (1 + time)), 22_050)


#: Orders whose outputs are only made together.
TOGETHER = {
    "stems": ("text-to-music", "calm piano", "--duration", "2", "--stems"),
    "walk": ("latent-walk", "a star", "--prompt-2", "a circle", "--count", "3", "--exact", *QUICK),
}


@pytest.mark.parametrize("task", ORDERS)
def test_a_starter_model_gives_the_identical_draft_again(shell: Shell, task: str) -> None:
    made = shell.here("make", task, *ORDERS[task], "--out", "originals", "--json").json
    # The last of them, which a count of one would not make.
    report = shell.here("reproduce", made[-1]["path"], "--json").json
    assert report.get("identical") is True, report
    assert report["again"] != report["artifact"]


@pytest.mark.parametrize("order", TOGETHER)
def test_one_of_several_that_are_made_together_is_made_again(shell: Shell, order: str) -> None:
    made = shell.here("make", *TOGETHER[order], "--out", order, "--json").json
    # One in the middle, whose own seed is not the order's.
    report = shell.here("reproduce", made[1]["path"], "--json").json
    assert report["identical"] is True
    before = noted(shell, made[1]["id"])
    _, make, task, *fields = shlex.split(copies(before, "http://127.0.0.1")["cli"])
    copied = shell.here(make, task, "--json", *fields).json
    assert len(copied) == len(made)
    after = noted(shell, copied[1]["id"])
    assert after.id != before.id
    assert after.note.draft_sha256 == before.note.draft_sha256


def noted(shell: Shell, identity: str) -> Artifact:
    """An output, as the note beside it describes it."""
    (note,) = (shell.home / "artifacts").glob(f"??/{identity}.note.json")
    return Artifact.from_record(json.loads(note.read_text(encoding="utf-8")))
