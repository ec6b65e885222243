"""Measure the starter model of words on 500 orders that it has never read, as people give them.

What it was trained on is drawn again, from the seed and the steps that its log tells: no order's
beginning is the beginning of any of those lines. All goes through the studio's own family.

    python scripts/train_starter/words_evaluate.py --model training/words/words --out words.json

An order counts where its text is one of this world's, read by the grammar that made the training
lines, and holds every word that said what there is to see. The model goes on from what was asked,
so the second can only fail where the studio has misread an order.
"""

from __future__ import annotations

import argparse
import bisect
import json
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import words
from world import first, tales

ROOT = Path(__file__).resolve().parents[2]
WORDINGS = {
    "improve": ("{}",),
    "story": ("{}", "a story about {}", "Tell me a story of {}!", "write about {}."),
    "caption": ("a caption for {}", "describe {}"),
}
OFF_DOMAIN = (
    "What is the capital of France?", "explain inflation", "How far is the moon?",
    "Write a letter to my landlord", "def fibonacci(n):", "Wer bist du?",
)  # fmt: skip


class Trained:
    """What the model has read."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the model; the log of its training lies there or above.

        The command must have run without a break, with its own batch and seed.
        """
        log = next(
            log for place in (folder, folder.parent) if (log := place / "log.jsonl").exists()
        )
        steps = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])["step"]
        self._lines = sorted(words.lines_read(steps, batch=32, seed=0))

    def holds(self, beginning: str) -> bool:
        """Whether a line begins like that."""
        place = bisect.bisect_left(self._lines, beginning)
        return place < len(self._lines) and self._lines[place].startswith(beginning)


def orders(count: int, seed: int, trained: Trained) -> list[tuple[str, str, Any]]:
    """A purpose, what was asked, and the order for it."""
    from studio.families import Order
    from studio.fields import build
    from studio.tasks import TASKS

    rng, made = random.Random(seed), []
    for number in range(count):
        purpose = tales.PURPOSES[number % 3]
        while trained.holds(begun := tales.asked(purpose, rng)):
            pass
        plain = begun.removeprefix("Once there was ").removeprefix("A picture of ")
        prompt = rng.choice(WORDINGS[purpose]).format(plain)
        task = "prompt-expansion" if purpose == "improve" else "text-generation"
        asked = {"prompt": prompt, "max_tokens": 160, "temperature": 0.5}
        request = build(TASKS[task].request, asked).model_dump()
        made.append((purpose, begun, Order("evaluation", number, task, request, seed + number)))
    return made


def measure(model: Any, count: int, seed: int, trained: Trained) -> dict[str, Any]:
    """The figures, by purpose and over all."""
    from studio.testing import Recorder

    asked = orders(count, seed, trained)
    good: Counter[str] = Counter()
    total: Counter[str] = Counter()
    examples: dict[str, list[str]] = {purpose: [] for purpose in tales.PURPOSES}
    wrong = []
    for start in range(0, count, 20):
        part = asked[start : start + 20]
        drafts = model.generate([order for _, _, order in part], Recorder())
        for (purpose, begun, order), draft in zip(part, drafts, strict=True):
            text = draft.facts["text"]
            if "nothing added" in str(draft.facts["made with"]):
                # A made-up word: nothing is known, and the prompt is handed back as it was.
                total["handed back"] += 1
                good["handed back"] += text == begun
                continue
            reads = tales.parses(purpose, begun, text)
            keeps = tales.content_words(order.request["prompt"]) <= tales.content_words(text)
            total[purpose] += 1
            good[purpose] += reads and keeps
            good["parses"] += reads
            good["keeps every content word"] += keeps
            if purpose == "improve":
                added = set(re.findall(r"[a-z]+", text[len(begun) :].lower()))
                known = {word for words in first.vocabulary().values() for word in words}
                good["added words that the starter pictures know"] += added <= known
            if len(examples[purpose]) < 3:
                examples[purpose].append(text)
            if not (reads and keeps) and len(wrong) < 5:
                wrong.append(text)
    whole = sum(total[purpose] for purpose in tales.PURPOSES)
    names = ("parses", "keeps every content word")
    return {
        "orders": count,
        "written": whole,
        "both": round(sum(good[purpose] for purpose in tales.PURPOSES) / whole, 4),
        **{name: round(good[name] / whole, 4) for name in names},
        **{purpose: round(good[purpose] / total[purpose], 4) for purpose in tales.PURPOSES},
        "added words that the starter pictures know": round(
            good["added words that the starter pictures know"] / total["improve"], 4
        ),
        "prompts without a known thing, handed back": [good["handed back"], total["handed back"]],
        "examples": examples,
        "wrong": wrong,
    }


def timed(model: Any, seed: int, trained: Trained) -> dict[str, float]:
    """Processor seconds for one order alone, by purpose: the middle of five."""
    from studio.testing import Recorder

    seconds: dict[str, list[float]] = {}
    for purpose, _, order in orders(15, seed, trained):
        began = time.process_time()
        list(model.generate([order], Recorder()))
        seconds.setdefault(purpose, []).append(time.process_time() - began)
    return {purpose: round(sorted(times)[len(times) // 2], 3) for purpose, times in seconds.items()}


def refused(model: Any) -> list[int]:
    """How many orders from outside the world got the fixed answer, of how many."""
    from studio.families import Order
    from studio.fields import build
    from studio.tasks import TASKS
    from studio.testing import Recorder

    request = TASKS["text-generation"].request
    asked = [
        Order("evaluation", n, "text-generation", build(request, {"prompt": p}).model_dump(), n)
        for n, p in enumerate(OFF_DOMAIN)
    ]
    drafts = list(model.generate(asked, Recorder()))
    return [sum("fixed answer" in str(d.facts["made with"]) for d in drafts), len(drafts)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=ROOT / "studio" / "starter" / "words")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=2_600_000)
    options = parser.parse_args()

    from studio.families import Spec
    from studio.families.transformers_text import TransformersText

    torch.set_num_threads(1)
    spec = Spec("starter-words", options.model, "float32", None, {"world": True})
    model = TransformersText().load(spec, "cpu", "full")
    trained = Trained(options.model)
    figures = measure(model, options.count, options.seed, trained)
    figures["outside its world, given the fixed answer"] = refused(model)
    figures["processor seconds, one order alone"] = timed(model, options.seed + 1, trained)
    text = json.dumps(figures, indent=1, ensure_ascii=False) + "\n"
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
