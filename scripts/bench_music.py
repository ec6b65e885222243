"""What the studio adds to MusicGen's own `generate`, marks and signatures left out.

    python -m scripts.bench_music [--json scripts/results/music.json]

A small MusicGen with random weights, at one thread, the same piece each time: made by the bare call
of the library in this process, and through the device child as the dispatcher calls it, from the
order to the draft in the spool. Both take turns, so that whatever else the machine does falls on
both; each figure is the best of several. Beside the time there is the work: processor seconds of
this process and its children, which do not grow while others use the machine.
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
import psutil
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

#: Seconds on the clock, and of processors.
Spent = tuple[float, float]

RUNS = 5
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


def spent() -> Spent:
    """What has passed so far, in this process and its children."""
    own = psutil.Process()
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return time.perf_counter(), sum(one.user + one.system for one in times)


async def measure(home: Path) -> tuple[Spent, Spent]:
    """The least time and work of a piece, bare and in the studio."""
    folder = home / "models" / "small"
    # Enough for more than a second on one core.
    musicgen(folder, width=768, layers=10)
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
            begin = spent()
            bare()
            middle = spent()
            await through()
            end = spent()
            alone.append((middle[0] - begin[0], middle[1] - begin[1]))
            ours.append((end[0] - middle[0], end[1] - middle[1]))
    finally:
        await lane.close()
    return _least(alone), _least(ours)


def _least(runs: list[Spent]) -> Spent:
    return min(seconds for seconds, _ in runs), min(work for _, work in runs)


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        bare, ours = asyncio.run(measure(Path(folder)))
    print("bare {:.3f} s, work {:.3f} s;".format(*bare), end=" ")
    print("in the studio {:.3f} s, work {:.3f} s".format(*ours))
    publish(
        [
            Row(
                "a piece of music in the studio / by the bare library, time",
                ours[0] / bare[0],
                "≤1.05",
                "×",
            ),
            Row(
                "a piece of music in the studio / by the bare library, processor time",
                ours[1] / bare[1],
                "≤1.05",
                "×",
            ),
        ],
        path,
    )


if __name__ == "__main__":
    main()
