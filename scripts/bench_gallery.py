"""How long a page of the gallery takes: `python -m scripts.bench_gallery --json FILE`.

Fills one store with 1,000 and one with 100,000 artifacts, files and all, and asks both for the
pages that people ask for. No generation, so any machine will do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scripts.results import Row, publish
from studio.artifact import Artifact, Keeping, Note, artifact_id
from studio.artifacts import ArtifactStore
from studio.gallery import Filter

SIZES = (1_000, 100_000)
#: Artifacts on a page, and how often each page is asked for.
PAGE = 48
ROUNDS = 30
COLOURS = ("yellow", "red", "blue", "green", "black", "white", "purple", "orange")
SHAPES = ("star", "circle", "square", "triangle", "ring", "cross", "heart", "diamond", "moon")
#: What is asked for; the middle of everything is where counting from the start would be slow.
PAGES: dict[str, Filter] = {
    "newest": Filter(),
    "one card": Filter(card="card 3"),
    "starred": Filter(starred=True),
    "common word": Filter(search="star"),
    "two words": Filter(search="yellow star"),
    "beginning of a word": Filter(search="sta"),
    "rare word": Filter(search="number 77"),
    "word and card": Filter(search="star", card="card 3"),
    "word among the starred": Filter(search="moon", starred=True),
    "two filters": Filter(starred=True, card="card 3"),
}


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="where to write the results")
    out = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        measured = {size: measure(Path(folder) / str(size), size) for size in SIZES}
    few, many = (measured[size] for size in SIZES)
    for name in few:
        print(f"{name:24} {few[name]:8.2f} ms of 1,000 {many[name]:8.2f} ms of 100,000")
    # Below a millisecond the clock and the machine's other work are what is compared.
    ratios = {name: max(many[name], 1) / max(few[name], 1) for name in few}
    searches = [name for name in PAGES if PAGES[name].search]
    pages = [name for name in few if name not in searches]
    publish(
        [
            Row("slowest page of 100,000 outputs", max(many[n] for n in pages), "≤100", "ms"),
            Row("slowest search in 100,000 outputs", max(many[n] for n in searches), "≤100", "ms"),
            Row(
                "time of a page of 100,000 outputs / of 1,000, at worst",
                max(ratios[n] for n in pages),
                "≤1.5",
                "×",
            ),
            Row(
                "time of a search in 100,000 outputs / in 1,000, at worst",
                max(ratios[n] for n in searches),
                "≤1.5",
                "×",
            ),
        ],
        out,
    )


def measure(folder: Path, size: int) -> dict[str, float]:
    """Milliseconds, the median of many, for every page of a store of `size` artifacts."""
    store = ArtifactStore(folder)
    for number in range(size):
        write(store, number)
    started = time.perf_counter()
    store.rebuild()
    print(f"{size} artifacts found anew from their files in {time.perf_counter() - started:.1f} s")
    middle = store.list("ann", Filter(until=1e9 + size / 2), limit=1)[0].id
    times = {
        name: median(lambda where=where: store.list("ann", where, limit=PAGE))  # type: ignore[misc]
        for name, where in PAGES.items()
    }
    times["from the middle"] = median(lambda: store.list("ann", limit=PAGE, before=middle))
    times["counts"] = median(lambda: store.contents("ann"))
    times["star"] = median(lambda: store.keep(middle, starred=True))
    store.close()
    return times


def median(ask: Callable[[], object]) -> float:
    """The median time of many calls, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ask()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def write(store: ArtifactStore, number: int) -> None:
    """An artifact's files, as publishing puts them in place; one in fifty is starred."""
    one = artifact(number)
    place = store.folder / one.id[:2]
    place.mkdir(exist_ok=True)
    record = one.record()
    del record["keeping"]
    (place / f"{one.id}.note.json").write_text(json.dumps(record, indent=1))
    (place / f"{one.id}.png").touch()
    if number % 50 == 0:
        kept = replace(one, keeping=Keeping(starred=True)).record()["keeping"]
        (place / f"{one.id}.keeping.json").write_text(json.dumps(kept))


def artifact(number: int) -> Artifact:
    """What sealing would have made of an order."""
    job = f"{number:032x}"
    prompt = f"a {COLOURS[number % 8]} {SHAPES[number % 9]} above the sea, number {number}"
    request = {
        "prompt": prompt, "negative_prompt": "", "model": None, "width": 512, "height": 512,
        "steps": 30, "guidance": 7.0, "seed": number, "count": 1, "format": "png",
    }  # fmt: skip
    mark = {"id": "0" * 12, "alg": "mark", "key": "1", "psnr": 40.0, "margin": 1.0, "weak": False}
    note = Note(
        job=job,
        index=0,
        owner="p" * 16,
        task="text-to-image",
        card=f"card {number % 11}",
        revision="embedded",
        request=request,
        request_sha256="0" * 64,
        draft_sha256="0" * 64,
        seed=number,
        parents=(),
        marks={"image": mark},
        batch=1,
        versions={"studio": "0", "torch": "2.13.0", "diffusers": "0.42.1", "device": "cpu"},
        created=1e9 + number,
    )
    owner = "bob" if number % 10 == 9 else "ann"
    return Artifact(artifact_id(job, 0), owner, "image", "image/png", 0, "0" * 64, note)


if __name__ == "__main__":
    main()
