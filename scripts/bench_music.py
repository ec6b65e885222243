"""What the studio adds to MusicGen's own `generate`, marks and signatures left out.

    python -m scripts.bench_music [--json scripts/results/music.json]

A small MusicGen with random weights, at one thread, the same piece each time: made by the bare call
of the library in this process, and through the device child as the dispatcher calls it, from the
order to the draft in the spool. Both take turns, so that whatever else the machine does falls on
both; each figure is the best of several.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["STUDIO_THREADS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import asyncio
import tempfile
import time
from pathlib import Path

import click
import torch
from transformers import AutoTokenizer, MusicgenForConditionalGeneration

from scripts.results import Row, publish
from studio.cards import Card
from studio.families import Order
from studio.fields import build
from studio.job import Event
from studio.settings import Settings
from studio.tasks import TASKS
from studio.worker.supervisor import Lane
from tests.sound.test_transformers_audio import musicgen

RUNS = 7
#: Frames of a piece: as many as the tiny model has places for.
SECONDS, FRAMES, CODEBOOKS = 2.4, 60, 4
CARD = """---
license: mit
studio:
  title: Small MusicGen
  family: transformers-audio
  tasks: [text-to-music]
  source: {by_hand: It is built here.}
  memory: {weights: 10, working: 10}
---
Random weights.
"""


async def measure(home: Path) -> tuple[float, float]:
    """Seconds of a piece, bare and in the studio."""
    folder = home / "models" / "small"
    musicgen(folder, width=512, layers=6)
    card, task = Card.parse("small", CARD), TASKS["text-to-music"]
    asked = build(task.request, {"prompt": "a tune", "duration": SECONDS})
    order = Order("0" * 32, 0, task.id, asked.model_dump(), 1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = MusicgenForConditionalGeneration.from_pretrained(folder).eval()
    lane = Lane(Settings(home=home), "cpu")
    await lane.start()

    def bare() -> None:
        words = tokenizer(["a tune"], return_tensors="pt")
        torch.manual_seed(1)
        with torch.inference_mode():
            model.generate(
                **words, do_sample=True, guidance_scale=3.0, max_new_tokens=FRAMES + CODEBOOKS - 1
            )[0].T.numpy()

    async def begun() -> None:
        pass

    def tell(job: str, event: Event) -> None:
        pass

    async def through() -> None:
        made = lane.generate(card, folder, "by-hand", [order], tell=tell, begun=begun)
        async for draft in made:
            lane.discard(draft.place)

    try:
        bare()
        await through()
        alone, ours = [], []
        for _ in range(RUNS):
            begin = time.perf_counter()
            bare()
            middle = time.perf_counter()
            await through()
            alone.append(middle - begin)
            ours.append(time.perf_counter() - middle)
    finally:
        await lane.close()
    return min(alone), min(ours)


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        bare, ours = asyncio.run(measure(Path(folder)))
    print(f"bare {bare:.3f} s, in the studio {ours:.3f} s")
    publish([Row("music in the studio / the bare generate call", ours / bare, "≤1.05", "×")], path)


if __name__ == "__main__":
    main()
