"""`studio reproduce`: what the starter models make is made again to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.cli.conftest import Shell, Up

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


@pytest.mark.parametrize("task", ORDERS)
def test_a_starter_model_gives_the_identical_draft_again(shell: Shell, task: str) -> None:
    made = shell.here("make", task, *ORDERS[task], "--out", "originals", "--json").json
    # The last of them, which a count of one would not make.
    report = shell.here("reproduce", made[-1]["path"], "--json").json
    assert report.get("identical") is True, report
    assert report["again"] != report["artifact"]
