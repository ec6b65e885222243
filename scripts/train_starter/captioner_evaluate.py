"""Measure the captioner: fixed pictures, every answer counted.

    python scripts/train_starter/captioner_evaluate.py --out model_cards/starter-captioner.eval.json

Three sets: fresh renders, with a description and every question of each; the same renders, soft as
the picture model's autoencoder makes them; and pictures that the picture model drew, on which the
judge of flat shapes, which has learned nothing from anybody, is the truth.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import torch
from judge import flat
from measures import summarise
from PIL import Image
from stages.autoencoder import round_trip
from world import first, questions
from world.drawing import Picture

MODEL = evaluate.ROOT / "studio" / "starter" / "captioner"
SEED = 80_000
Verdict = dict[str, list[bool]]


class Captioner:
    """The shipped model, as the studio's family asks it."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self._processor = AutoProcessor.from_pretrained(folder)
        self._model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        self._model.eval()

    @torch.inference_mode()
    def answers(self, asked: Sequence[tuple[Picture, str]], batch: int = 50) -> list[str]:
        """What it says to each picture and question."""
        said: list[str] = []
        for start in range(0, len(asked), batch):
            turns: list[list[dict[str, Any]]] = [
                [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "image": Image.fromarray(picture)},
                            {"type": "text", "text": text},
                        ],
                    }
                ]
                for picture, text in asked[start : start + batch]
            ]
            read = self._processor.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=True, return_dict=True,
                return_tensors="pt", processor_kwargs={"padding": True},
            )  # fmt: skip
            made = self._model.generate(**read, max_new_tokens=40, do_sample=False)
            told = made[:, read["input_ids"].shape[1] :]
            said += self._processor.tokenizer.batch_decode(told, skip_special_tokens=True)
        return said


def described(
    captioner: Captioner, drawn: Sequence[first.Sample], seen: np.ndarray
) -> list[Verdict]:
    """Of every picture's description, which attributes are right; of two shapes either may be
    named first."""
    said = captioner.answers([(picture, questions.DESCRIBE) for picture in seen])
    verdicts = []
    for sample, text in zip(drawn, said, strict=True):
        told = questions.attributes(questions.described(sample))
        read = questions.attributes(text)
        truths = [told, questions.turned(told)] if told.get("relation") else [told]
        truth = max(truths, key=lambda truth: sum(read.get(n) == v for n, v in truth.items()))
        right = {name: [read.get(name) == value] for name, value in truth.items() if value}
        flat_list = [one for values in right.values() for one in values]
        verdicts.append({**right, "attributes": flat_list, "all": [read == truth]})
    return verdicts


def answered(
    captioner: Captioner, drawn: Sequence[first.Sample], seen: np.ndarray
) -> list[Verdict]:
    """Of every picture's questions, which are answered rightly, by what they are about."""
    rng = random.Random(SEED)
    asked = [(place, one) for place, sample in enumerate(drawn)
             for one in questions.questions(sample, rng)]  # fmt: skip
    said = captioner.answers([(seen[place], one.text) for place, one in asked])
    verdicts = []
    for (_, one), text in zip(asked, said, strict=True):
        right = [text.strip() == one.answer]
        verdicts.append({one.about: right, "answers": right})
    return verdicts


def of_the_model(captioner: Captioner, count: int) -> list[Verdict]:
    """Of pictures that the picture model drew: what of the description the judge sees as well."""
    asked = evaluate.questions(count, SEED)
    drawn = list(evaluate.pictures(evaluate.load(evaluate.MODEL), asked, 12, 3.0))
    said = captioner.answers([(picture, questions.DESCRIBE) for picture in drawn])
    verdicts = []
    for picture, text in zip(drawn, said, strict=True):
        read = questions.attributes(text)
        shapes = [
            first.Shape(read.get(f"kind{n}", ""), read.get(f"colour{n}", ""), 0.5, 0.5, 0.2)
            for n in ("", "_2")[: 2 if read.get("relation") else 1]
        ]
        scene = first.FlatScene(tuple(shapes), read.get("background", ""), read.get("relation", ""))
        verdict = flat.score(scene, flat.read(picture))
        verdict["attributes"] = [
            one for name in ("background", "count", "colour", "shape") for one in verdict[name]
        ]
        verdicts.append(verdict)
    return verdicts


def soft(seen: np.ndarray) -> np.ndarray:
    """The pictures as the picture model's autoencoder gives them back."""
    from diffusers import AutoencoderTiny

    coder = AutoencoderTiny.from_pretrained(evaluate.MODEL / "vae", dtype=torch.float32).eval()
    return np.asarray(round_trip(coder, torch.from_numpy(seen), torch.device("cpu")))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--drawn", type=int, default=200)
    parser.add_argument("--out", type=Path, help="where the JSON goes; printed when absent")
    options = parser.parse_args()

    torch.set_num_threads(1)
    captioner = Captioner(options.model)
    rng = random.Random(SEED)
    samples = [first.sample(rng) for _ in range(options.pictures)]
    seen = np.stack([sample.render(128) for sample in samples])
    captioner.answers([(seen[0], questions.DESCRIBE)])
    began = time.perf_counter()
    for picture in seen[:10]:
        captioner.answers([(picture, questions.DESCRIBE)])
    seconds = (time.perf_counter() - began) / 10
    report = {
        "pictures": options.pictures,
        "drawn_by_the_picture_model": options.drawn,
        "seed": SEED,
        "interval": "95 % Wilson",
        "seconds_per_picture": round(seconds, 3),
        "weights_sha256": evaluate.weights_hash(options.model),
        "torch": torch.__version__,
        "measures": {
            "renders, described": summarise(described(captioner, samples, seen)),
            "renders, asked": summarise(answered(captioner, samples, seen)),
            "soft renders, described": summarise(described(captioner, samples, soft(seen))),
            "the picture model's own": summarise(of_the_model(captioner, options.drawn)),
        },
    }
    text = json.dumps(report, indent=2) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
