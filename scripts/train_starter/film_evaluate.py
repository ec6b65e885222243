"""Measure the film model: fixed prompts, fixed seeds, one film per prompt, every film counted.

    python scripts/train_starter/film_evaluate.py --out model_cards/starter-film.eval.json

Films are made as the studio makes them, by its family and as the card says, but not enlarged. No
pair of colour and thing that a prompt asks for was in any film of training. With `--from-pictures`
the picture model draws what the prompt shows, and the film begins with that. `--renders` measures
the judge itself, on films that the world's own program drew.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from evaluate import MODEL, ROOT, weights_hash
from evaluate import load as load_pictures
from film import FRAMES, SIZE
from judge import moving
from measures import summarise
from PIL import Image
from world import motion
from world.drawing import Picture

from studio.cards import Card
from studio.draft import Draft
from studio.families import Model, Order, Spec
from studio.families.diffusers_video import DiffusersVideo
from studio.testing import Recorder

FILM = MODEL.with_name("film")
CARD = ROOT / "model_cards" / "starter-film.md"
FPS = 8
SEED = 30_000
ON_SHEET = 16


def questions(count: int, seed: int = SEED) -> list[motion.Film]:
    """The first `count` prompts of the evaluation with this seed."""
    return [motion.sample(random.Random(seed + number), withheld=True) for number in range(count)]


def load(folder: Path = FILM, refined: bool = True) -> Model:
    """The film model in `folder` as its card has it, but for the size; perhaps not refined."""
    options: dict[str, Any] = {**Card.read(CARD).studio.options, "upscale": 1, "base": str(MODEL)}
    if not refined:
        del options["refine"]
    return DiffusersVideo().load(Spec("film", folder, "float32", None, options), "cpu", "full")


def shoot(
    model: Model, prompt: str, seed: int, steps: int, guidance: float, picture: Picture | None
) -> np.ndarray:
    """One film, uint8 (frames, size, size, 3), that begins with the picture, if there is one."""
    request = {
        "prompt": prompt,
        "negative_prompt": "",
        "width": SIZE,
        "height": SIZE,
        "duration": FRAMES / FPS,
        "fps": FPS,
        "steps": steps,
        "guidance": guidance,
        "motion": 1.0,
    }
    with TemporaryDirectory() as folder:
        task, inputs = "text-to-video", {}
        if picture is not None:
            task = "image-to-video"
            given = Draft("image", 0, 0, {"pixels": picture}).spool(Path(folder))
            inputs["image"] = given
        order = Order("evaluation", 0, task, request, seed, inputs)
        (draft,) = model.generate([order], Recorder())
    return np.asarray(draft.arrays["frames"])


def first_picture(pipeline: Any, film: motion.Film, seed: int) -> Picture:
    """What the picture model draws of the film's subject, as its card has it drawn."""
    drawn = pipeline(
        film.subject,
        num_inference_steps=12,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(seed),
    ).images[0]
    return np.asarray(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=FILM)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--from-pictures", action="store_true", help="measure image-to-video")
    parser.add_argument("--unrefined", action="store_true", help="as they are before refining")
    parser.add_argument("--sheet", type=Path, help="where a picture of the first films goes")
    parser.add_argument("--renders", action="store_true", help="judge drawn films, not made ones")
    parser.add_argument("--out", type=Path, help="where the JSON goes; printed when absent")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    model = None if options.renders else load(options.model, not options.unrefined)
    pictures = load_pictures(MODEL) if options.from_pictures else None
    asked = questions(options.prompts, options.seed)
    verdicts, flickers, shown, began = [], [], [], time.perf_counter()
    for number, film in enumerate(asked):
        if model is None:
            frames = film.render(FRAMES, SIZE)
        else:
            seed = options.seed + number
            first = None if pictures is None else first_picture(pictures, film, seed)
            frames = shoot(model, film.caption, seed, options.steps, options.guidance, first)
        shown.append(np.concatenate(list(frames[::3]), axis=1))
        verdicts.append(moving.score(film.scene, frames))
        flickers.append(moving.flicker(frames))
    seconds = time.perf_counter() - began
    report = {
        "prompts": options.prompts,
        "prompt_source": "films whose pair of colour and thing was withheld from training",
        "seed": options.seed,
        "best_of": 1,
        "from_pictures": options.from_pictures,
        "frames": FRAMES,
        "steps": options.steps,
        "guidance": options.guidance,
        "interval": "95 % Wilson",
        "seconds_per_film": round(seconds / options.prompts, 2),
        "threads": options.threads,
        "refined": not options.unrefined,
        "weights_sha256": "" if model is None else weights_hash(options.model),
        # Which refine the frames, and draw the first of them.
        "pictures_sha256": weights_hash(MODEL),
        "torch": torch.__version__,
        "flicker_levels": {
            "mean": round(float(np.mean(flickers)), 2),
            "highest": round(float(np.max(flickers)), 2),
        },
        "measures": summarise(verdicts),
    }
    if options.sheet is not None:
        Image.fromarray(np.concatenate(shown[:ON_SHEET])).save(options.sheet)
    text = json.dumps(report, indent=2) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
