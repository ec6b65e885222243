"""Measure a picture model: fixed prompts, fixed seeds, one picture per prompt, every picture
counted.

    python scripts/train_starter/evaluate.py --out model_cards/starter-pictures.eval.json
    python scripts/train_starter/evaluate.py --world full --out model_cards/starter-scenes.eval.json

Prompt number n and its noise depend on the seed and on n alone, so the first hundred prompts of a
long evaluation are the hundred of the test suite. Of whole scenes the report also has about as
much as a model can get: what the judge sees in true renders of the same scenes, as they are and
after a round trip through the model's autoencoder; the same of a thousand of any scenes, which is
what the gates of a training ask; what is left of it when people type "and", or other phrases; and
what the upscaler is worth.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judge import flat
from judge import scenes as whole
from measures import summarise
from PIL import Image
from stages import judging
from stages.autoencoder import round_trip
from stages.upscaler import SCALE
from world import captions, first, layout, paraphrases
from world.drawing import Picture
from world.render import render
from world.scene import Scene

from studio.draft import Draft
from studio.families import Spec
from studio.families.diffusers_enlarge import Enlarger
from studio.families.workshop import picture as workshop

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "studio" / "starter" / "pictures"
SCENES = ROOT / "studio" / "starter" / "scenes"
JUDGE = Path(whole.__file__).with_suffix(".safetensors")
SEED = 20_000
QUICK = 100
ON_SHEET = 64
STEPS = {"first": 12, "full": 20}
SOURCES = {
    "first": "flat shapes, fresh draws from the training distribution",
    "full": "scenes whose every pair of colour and object was withheld from training",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt with what a right picture shows, and the seed of its noise."""

    prompt: str
    scene: first.FlatScene | Scene
    seed: int


def _ask(world: str, seed: int) -> Question:
    rng = random.Random(seed)
    if world == "full":
        scene = layout.sample_scene(rng, withheld=True)
        return Question(captions.caption(scene, rng), scene, seed)
    sample = first.flat_sample(rng)
    assert sample.scene is not None
    return Question(sample.caption, sample.scene, seed)


def questions(count: int, seed: int = SEED, world: str = "first") -> list[Question]:
    """The first `count` prompts of the evaluation with this seed."""
    return [_ask(world, seed + number) for number in range(count)]


def load(folder: Path) -> Any:
    """The pipeline from a folder, in single precision: half precision is for storage."""
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def pictures(
    pipeline: Any, asked: list[Question], steps: int, guidance: float, batch: int = 10
) -> Iterator[Picture]:
    """One picture per question, in order; a batch changes speed, not content."""
    for start in range(0, len(asked), batch):
        group = asked[start : start + batch]
        drawn = pipeline(
            prompt=[question.prompt for question in group],
            generator=[torch.Generator().manual_seed(question.seed) for question in group],
            num_inference_steps=steps,
            guidance_scale=guidance,
            output_type="np",
        ).images
        yield from np.rint(np.clip(drawn, 0, 1) * 255).astype(np.uint8)


def judge(
    asked: list[Question], drawn: list[Picture], network: whole.SceneJudge | None = None
) -> list[dict[str, list[bool]]]:
    """The verdict on each picture; whole scenes need the trained judge."""
    verdicts = []
    for question, picture in zip(asked, drawn, strict=True):
        if isinstance(question.scene, first.FlatScene):
            verdicts.append(flat.score(question.scene, flat.read(picture)))
        else:
            assert network is not None
            (reading,) = whole.read(network, torch.from_numpy(picture[None]))
            verdicts.append(whole.score(question.scene, reading))
    return verdicts


def spoken(count: int, seed: int = SEED) -> dict[str, list[Question]]:
    """Questions as people put them: two groups with "and" between them; and with everything that
    `paraphrases` knows. Where nobody says how two groups stand, the usual way is asked for.
    """

    def put(number: int, pair: bool) -> Question:
        rng = random.Random(seed + number)
        while True:
            scene = layout.sample_scene(rng, withheld=True)
            if not pair:
                typed, _, scene = paraphrases.paraphrase(scene, rng)
                return Question(typed, scene, seed + number)
            if len(scene.groups) == 2:
                meant = replace(scene, relation=paraphrases.usual(scene))
                return Question(captions.caption(scene, rng, "and"), meant, seed + number)

    return {
        "and": [put(number, True) for number in range(count)],
        "typed": [put(number, False) for number in range(count)],
    }


def ceilings(
    asked: list[Question], vae: Any, network: whole.SceneJudge
) -> dict[str, dict[str, dict[str, float]]]:
    """The measures of true renders, and of what the autoencoder keeps of them."""
    rendered = [render(question.scene, whole.SIZE) for question in asked]
    decoded = round_trip(vae, torch.from_numpy(np.stack(rendered)), torch.device("cpu"))
    return {
        "renders": summarise(judge(asked, rendered, network)),
        "round_trips": summarise(judge(asked, list(decoded.numpy()), network)),
    }


def gates(vae: Any, network: whole.SceneJudge, count: int = 1000) -> dict[str, judging.Measures]:
    """What the gates of a training measure, of these weights."""
    scenes, rendered = judging.fresh(count, SEED)
    decoded = round_trip(vae, rendered, torch.device("cpu"))
    return {
        "renders": judging.verdicts(network, scenes, rendered),
        "round_trips": judging.verdicts(network, scenes, decoded),
    }


def enlarging(asked: list[Question], vae: Any, folder: Path) -> dict[str, dict[str, float]]:
    """What the upscaler and a bicubic filter make of round trips, beside the scenes drawn large.

    `decibels` is the peak signal-to-noise ratio against those, `step` the mean difference from one
    pixel to the next in levels of 255: soft edges have a small one. `seconds` are per picture.
    """
    scenes = [question.scene for question in asked if isinstance(question.scene, Scene)]
    true = np.stack([render(scene, whole.SIZE * SCALE) for scene in scenes]).astype(np.float32)
    small = torch.from_numpy(np.stack([render(scene, whole.SIZE) for scene in scenes]))
    decoded = round_trip(vae, small, torch.device("cpu")).numpy()
    enlarge = _enlarger(folder)
    enlarge(decoded[0])
    began = time.perf_counter()
    ours = np.stack([enlarge(picture) for picture in decoded])
    seconds = (time.perf_counter() - began) / len(ours)
    size = (whole.SIZE * SCALE,) * 2
    plain = np.stack(
        [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BICUBIC)) for one in decoded]
    )

    def step(pictures: np.ndarray) -> float:
        return round(float(np.abs(np.diff(pictures.astype(np.float32), axis=2)).mean()), 3)

    def decibels(pictures: np.ndarray) -> float:
        return round(float(20 * np.log10(255) - 10 * np.log10(np.mean((pictures - true) ** 2))), 2)

    return {
        "true": {"step": step(true)},
        "upscaler": {"decibels": decibels(ours), "step": step(ours), "seconds": round(seconds, 3)},
        "bicubic": {"decibels": decibels(plain), "step": step(plain)},
    }


def _enlarger(folder: Path) -> Enlarger:
    """What makes a model's pictures larger, as the studio does it."""
    return Enlarger(
        Spec("", folder, "float32", None, {"upscale": SCALE}), folder, "cpu", torch.float32
    )


def contact_sheet(asked: list[Question], drawn: list[Picture], folder: Path) -> Picture:
    """The pictures, enlarged as the studio does it, with their prompts under them."""
    enlarge = _enlarger(folder)
    drafts = {
        f"images.{number}": Draft("image", number, 0, {"pixels": enlarge(picture)})
        for number, picture in enumerate(drawn)
    }
    request = {
        "captions": [question.prompt for question in asked],
        "title": "",
        "columns": 8,
        "side": 240,
    }
    (sheet,) = workshop.sheet(request, drafts, lambda _: None)[0].values()
    return np.asarray(sheet)


def weights_hash(folder: Path) -> str:
    """One SHA-256 over every weight file, in the order of their names.

    The upscaler's does not count: what is measured is what the model draws, before it is enlarged.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        if path.parent.name == "upscaler":
            continue
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def others(folder: Path) -> dict[str, str]:
    """SHA-256 of what else a picture depends on, by the file's place."""
    named = ("scheduler/scheduler_config.json", "tokenizer/tokenizer.json")
    files = [*map(folder.joinpath, named), *(folder / "upscaler").iterdir()]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="default: the shipped model of that world")
    parser.add_argument("--world", choices=tuple(SOURCES), default="first")
    parser.add_argument("--judge", type=Path, default=JUDGE, help="its weights, for --world full")
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--steps", type=int, help="default: as many as the shipped model's card")
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheet", type=Path, help="where a picture of the first 64 goes")
    parser.add_argument("--out", type=Path, help="where the JSON goes; printed when absent")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    model = options.model or (SCENES if options.world == "full" else MODEL)
    steps = options.steps or STEPS[options.world]
    pipeline = load(model)
    network = whole.load(options.judge) if options.world == "full" else None
    asked = questions(options.prompts, options.seed, options.world)
    began = time.perf_counter()
    drawn = list(pictures(pipeline, asked, steps, options.guidance))
    seconds = time.perf_counter() - began
    verdicts = judge(asked, drawn, network)
    report = {
        "prompts": options.prompts,
        "world": options.world,
        "prompt_source": SOURCES[options.world],
        "seed": options.seed,
        "best_of": 1,
        "steps": steps,
        "guidance": options.guidance,
        "interval": "95 % Wilson",
        "pixels": int(drawn[0].shape[0]),
        "seconds_per_picture": round(seconds / options.prompts, 3),
        "threads": options.threads,
        "weights_sha256": weights_hash(model),
        "others_sha256": others(model),
        "torch": torch.__version__,
        "measures": summarise(verdicts),
        "first_hundred": summarise(verdicts[:QUICK]),
    }
    if network is not None:
        report["spoken"] = {
            name: summarise(
                judge(put, list(pictures(pipeline, put, steps, options.guidance)), network)
            )
            for name, put in spoken(2 * QUICK, options.seed).items()
        }
        report["ceilings"] = ceilings(asked, pipeline.vae, network)
        report["gates"] = gates(pipeline.vae, network)
        report["enlarging"] = enlarging(asked[:ON_SHEET], pipeline.vae, model)
    if options.sheet is not None:
        few = slice(ON_SHEET)
        sheet = contact_sheet(asked[few], drawn[few], model)
        Image.fromarray(sheet).save(options.sheet, quality=80)
    text = json.dumps(report, indent=2) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
