"""Measure the starter composer: fixed held-out requests, one piece each, every piece counted.

    cd scripts/train_starter
    python -m music.evaluate --out ../../model_cards/starter-music.eval.json

Half of the requests say what they want in fields, half in a sentence. Tempo, metre and key are read
from the notes by `judge`, which knows nothing of the request but roughly where to look for the
tempo. The same requests carried out by the generator show what a perfect pupil would reach.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measures import summarise

from music import judge, sheets
from music.generator import compose
from studio.draft import Draft
from studio.families import Order, Spec
from studio.families.starter_music.arrange import arrange
from studio.families.starter_music.family import StarterMusic
from studio.families.starter_music.plan import GENRES, MOODS, fit
from studio.families.starter_music.synthesiser import CEILING, RATE
from studio.families.starter_music.theory import METRES, MODES, TONICS, parse_key
from studio.job import Preview
from studio.score import Score

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "studio" / "starter" / "music"
SEED = 7_000_000_000  # far from the numbers of the course
QUICK = 12


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and what a right piece is."""

    request: dict[str, Any]
    genre: str
    mood: str
    metre: str
    key: str
    tempo: int
    seconds: float
    loop: bool
    seed: int


def questions(count: int, seed: int = SEED) -> list[Question]:
    """The first `count` requests: genres, moods, metres, keys and tempos in all combinations."""
    return [_question(random.Random(seed + number), seed + number) for number in range(count)]


def _question(rng: random.Random, seed: int) -> Question:
    genre, mood = rng.choice(list(GENRES)), rng.choice(MOODS)
    metre = rng.choice(GENRES[genre].metres)
    key = f"{rng.choice(TONICS)} {rng.choice(('major', 'minor', rng.choice(list(MODES))))}"
    low, high = GENRES[genre].tempo
    tempo, seconds = rng.randint(low, high), float(rng.choice((8, 10, 12, 16, 20, 30)))
    loop = rng.random() < 0.2
    request: dict[str, Any] = {"duration": seconds, "loopable": loop}
    if rng.random() < 0.5:
        request |= {
            "prompt": "music",
            "genre": genre,
            "mood": mood,
            "metre": metre,
            "key": key,
            "tempo": float(tempo),
        }
    else:
        request["prompt"] = f"a {mood} {genre} piece in {key}, {metre}, at {tempo} bpm"
    return Question(request, genre, mood, metre, key, tempo, seconds, loop, seed)


class Silent:
    """Progress that nobody watches."""

    def step(self, done: int, total: int, previews: Sequence[Preview | None] = ()) -> None:
        """Nothing."""

    def text(self, order: int, delta: str) -> None:
        """Nothing."""


def compose_all(
    folder: Path, asked: list[Question], options: dict[str, float]
) -> Iterator[tuple[Question, Draft, float]]:
    """One draft per question, with the seconds it took."""
    model = StarterMusic().load(
        Spec("starter-music", folder, "float32", None, options), "cpu", "full"
    )
    for question in asked:
        order = Order("evaluation", 0, "text-to-music", question.request, question.seed)
        began = time.perf_counter()
        draft = next(iter(model.generate([order], Silent())))
        yield question, draft, time.perf_counter() - began


def weights_hash(folder: Path) -> str:
    """The SHA-256 of the weights, as the training log names it."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def verdict(question: Question, draft: Draft) -> dict[str, list[bool]]:
    """What is right about one piece."""
    samples, score = draft.arrays["samples"], Score.from_record(draft.facts["score"])
    seconds = len(samples) / RATE
    bar = METRES[question.metre].beats * 60 / question.tempo
    end = max(score.seconds(note.start + note.length) for note in score.notes)
    long = abs(seconds - question.seconds) <= (bar / 2 + 0.01 if question.loop else 1 / RATE)
    offset = np.abs(samples.mean(axis=0)).max()
    answers = {
        "tempo": abs(judge.tempo(score, question.tempo * 1.07) / question.tempo - 1) <= 0.03,
        "metre": judge.metre(score) == question.metre,
        "key": (found := judge.key(score)).tonic == parse_key(question.key).tonic,
        "key and mode": found == parse_key(question.key),
        "length": long and seconds - max(1.3, bar) <= end <= seconds + 0.01,
        "no stuck notes": not judge.stuck(score, seconds),
        "no clipping, no offset": bool(
            np.abs(samples).max() <= CEILING and offset < 1e-3 and np.isfinite(samples).all()
        ),
    }
    answers["tempo, key, mode, metre and length"] = all(
        answers[name] for name in ("tempo", "key and mode", "metre", "length")
    )
    return {name: [right] for name, right in answers.items()}


def taught(question: Question) -> Score:
    """The same request carried out by the generator."""
    plan = fit(
        question.genre,
        question.mood,
        question.metre,
        parse_key(question.key),
        question.tempo,
        question.seconds,
        question.loop,
    )
    ensemble = dict(
        zip(("melody", "accompaniment", "bass"), GENRES[question.genre].ensemble, strict=True)
    )
    bars = compose(random.Random(question.seed), plan)
    return arrange(plan, bars, question.seconds, ensemble, question.seed)


def averages(pairs: list[tuple[Question, Score]]) -> dict[str, float]:
    """The mean of every proxy; closes only over pieces that are to close."""
    rows = [
        asdict(
            judge.proxies(score, parse_key(question.key).tonic, METRES[question.metre].bar * 120)
        )
        for question, score in pairs
    ]
    means = {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}
    closing = [
        row["closes"] for row, (question, _) in zip(rows, pairs, strict=True) if not question.loop
    ]
    return {**means, "closes": round(float(np.mean(closing)), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-p", type=float, default=0.93)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheets", type=Path, help="a PNG with the first ten pieces")
    parser.add_argument("--out", type=Path, help="where the JSON goes; printed when absent")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    asked = questions(options.requests, options.seed)
    verdicts, scores, pages, paces = [], [], [], []
    chances = {"temperature": options.temperature, "top_p": options.top_p}
    for question, draft, seconds in compose_all(options.model, asked, chances):
        score = Score.from_record(draft.facts["score"])
        verdicts.append(verdict(question, draft))
        scores.append((question, score))
        paces.append(10 * seconds / question.seconds)
        if options.sheets and len(pages) < 10:
            title = f"{question.genre}, {question.mood}, {question.key}, {question.metre}"
            title += f", {question.tempo} bpm{', loop' if question.loop else ''}"
            pages.append(sheets.sheet(score, draft.arrays["samples"], title))
    if options.sheets:
        sheets.stacked(pages).save(options.sheets)
    report = {
        "requests": options.requests,
        "request_source": "random genre, mood, key, tempo and length; metres that the genre is "
        "played in; half in fields, half in words",
        "seed": options.seed,
        "best_of": 1,
        **chances,
        "interval": "95 % Wilson",
        "seconds_for_ten_seconds": {
            "mean": round(float(np.mean(paces)), 3),
            "worst": round(float(np.max(paces)), 3),
        },
        "threads": options.threads,
        "weights_sha256": weights_hash(options.model),
        "torch": torch.__version__,
        "measures": summarise(verdicts),
        "first": summarise(verdicts[:QUICK]),
        "proxies": averages(scores),
        "proxies_of_the_generator": averages([(question, taught(question)) for question in asked]),
    }
    text = json.dumps(report, indent=2) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
