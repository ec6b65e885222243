"""`studio reproduce`: what the starter models make is made again to the last bit."""

from __future__ import annotations

import numpy as np
import soundfile
from PIL import Image

from tests.cli.conftest import Shell, Up


def _orders(shell: Shell) -> dict[str, tuple[str, ...]]:
    """A cheap order for every task that the starter models and the workshop can do."""
    picture, mask, sound = (
        str(shell.folder / name) for name in ("given.png", "mask.png", "given.wav")
    )
    quick = ("--steps", "2", "--format", "webp")
    return {
        "text-to-image": ("a red star", "--count", "2", *quick),
        "image-to-image": ("a blue star", "--image", picture, *quick),
        "inpainting": ("a star", "--image", picture, "--mask", mask, *quick),
        "latent-walk": ("a star", "--prompt-2", "a circle", "--count", "2", *quick),
        "text-to-music": ("calm piano", "--duration", "4"),
        "text-to-speech": ("First one. Then the other.", "--count", "2"),
        "audio-mastering": (sound, "--loudness", "-20"),
        "audio-mixing": (sound, "--music", sound),
        "image-lettering": (picture, "--text", "Hello"),
        "image-conversion": (picture, "--format", "webp"),
        "contact-sheet": (picture, picture),
        "image-to-text": (picture,),
        "visual-question-answering": (picture, "--question", "what is it"),
        "zero-shot-image-classification": (picture, "--labels", "a star,a moon"),
        "image-ranking": (picture, picture, "--prompt", "a star"),
        "film-assembly": (picture, "--seconds", "1", "--width", "256", "--height", "256"),
    }


def test_every_task_of_the_starter_models_gives_the_identical_draft_again(
    shell: Shell, up: Up
) -> None:
    Image.effect_noise((256, 256), 80).convert("RGB").save(shell.folder / "given.png")
    mask = Image.new("L", (256, 256))
    mask.paste(255, (64, 64, 192, 192))
    mask.save(shell.folder / "mask.png")
    time_ = np.arange(2 * 22_050) / 22_050
    soundfile.write(shell.folder / "given.wav", 0.3 * np.sin(440 * time_ * (1 + time_)), 22_050)
    for task, options in _orders(shell).items():
        made_ = shell.run("make", task, *options, "--out", "originals", "--json").json
        # The last of them, which a count of one would not make.
        report = shell.run("reproduce", made_[-1]["path"], "--json", status=None).json
        assert report.get("identical") is True, (task, report)
        assert report["again"] != report["artifact"], task
