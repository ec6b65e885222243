"""Train the starter picture model from nothing: one command, stage after stage, on a CPU or a CUDA
machine.

    python scripts/train_starter/pictures.py --preset h200 --out training/pictures
    torchrun --nproc-per-node 2 scripts/train_starter/pictures.py --out training/pictures

Stages: judge → tokenizer → autoencoder → text tower → wordings → denoiser → upscaler → measurement.
A stage that is done is not run again; an interrupted one goes on from its last checkpoint. The
finished model lies in OUT/pictures, beside it a log, a contact sheet and the figures for every
stage. Two gates stop the run before the long stage, unless `--ignore-gates` is given: a model
cannot be better than the judge that measures it and the decoder that draws it. A stage whose gate
is closed is not done: the same command with a larger budget for it, `--steps judge=6000`, trains it
on. What the gates measured lies in `gate.json` beside the stage's log.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import evaluate
import torch
import vocabulary
from judge import scenes
from loop import Budget, rank
from measures import summarise
from recipe import PRESETS, SIZE, Run
from stages import autoencoder, denoiser, judging, text, tokenizer, upscaler, wordings
from supply import Order, Supply
from torch import distributed
from world import words

#: The least share of right answers in what the next stages need.
GATES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "judge": dict.fromkeys(("background", "count", "object", "colour", "style"), 0.99),
        "autoencoder": dict.fromkeys(("colour", "object"), 0.98),
    }
)
#: Between the seeds of two processes' data.
_APART = 100_000


class GateClosed(RuntimeError):
    """A stage did not reach what the next one needs."""


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every weight file under a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }


def stage(run: Run, name: str, work: Callable[[], Any], shared: bool = False) -> Any:
    """Do a stage once; its result and its time are kept in `done.json`. It is done when its work
    returns.

    Of several processes only the first does what is not `shared`; the others wait for it.
    """
    record = run.folder / name / "done.json"
    if record.exists():
        return json.loads(record.read_text(encoding="utf-8"))["result"]
    began = time.perf_counter()
    result = work() if shared or rank() == 0 else None
    if rank() > 0:
        while not record.exists():
            time.sleep(1)
        return json.loads(record.read_text(encoding="utf-8"))["result"]
    record.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "result": result,
        "seconds": round(time.perf_counter() - began, 1),
        "torch": torch.__version__,
        "device": str(run.device),
        "weights": hashes(run.folder),
    }
    new = record.with_name("done.new")
    new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    new.replace(record)
    return result


def take_over(run: Run, begin: Path, judge: Path) -> None:
    """Lay the finished parts of a model where their stages would have; only once, for later stages
    write over them. Those without a gate are done with it.
    """
    if (run.folder / "text" / "done.json").exists():
        return
    places = {
        begin / "tokenizer": run.pipeline / "tokenizer",
        begin / "vae": run.pipeline / "vae",
        begin / "upscaler": run.pipeline / "upscaler",
        begin / "text_encoder": run.folder / "tower",
    }
    for source, place in places.items():
        shutil.copytree(source, place, dirs_exist_ok=True)
    (run.folder / "judge").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(judge, run.folder / "judge" / "judge.safetensors")
    # The text tower last: it tells the next start that all of them are there.
    for name in ("tokenizer", "upscaler", "text"):
        stage(run, name, dict)


def gate(
    folder: Path, measures: judging.Measures, wanted: Mapping[str, float], ignore: bool
) -> None:
    """Write what was measured into a stage's folder, and stop unless all that is wanted is reached.

    Raises:
        GateClosed: if it is not, unless that is to be ignored.
    """
    short = {
        key: measures[key]["share"]
        for key, least in wanted.items()
        if measures[key]["share"] < least
    }
    folder.mkdir(parents=True, exist_ok=True)
    document = {"open": not short, "wanted": dict(wanted), "measured": measures}
    (folder / "gate.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if short:
        message = f"{folder.name}: below its gate: {short} (wanted {dict(wanted)})"
        if not ignore:
            raise GateClosed(message)
        print(message, flush=True)


def measure(run: Run) -> dict[str, dict[str, float]]:
    """What the finished model does with withheld prompts, one picture each."""
    count = run.recipe.gate_pictures // 2
    asked = evaluate.questions(count, world="full")
    pipeline = evaluate.load(run.pipeline).to(run.device)
    pipeline.set_progress_bar_config(disable=True)
    drawn = list(evaluate.pictures(pipeline, asked, run.recipe.sample_steps, run.recipe.guidance))
    network = scenes.load(run.folder / "judge" / "judge.safetensors")
    return summarise(evaluate.judge(asked, drawn, network))


def train(run: Run, ignore_gates: bool = False) -> dict[str, Any]:
    """All stages; returns what the measured ones reported, in the first of several processes.

    The gates are asked of a model's judge and autoencoder too where these are taken over.

    Raises:
        GateClosed: if one of them is not good enough, unless `ignore_gates`.
    """
    run.pipeline.mkdir(parents=True, exist_ok=True)
    if run.begin is not None and rank() == 0:
        take_over(run, run.begin, evaluate.JUDGE)
    recipe = run.recipe

    def supply(order: Order) -> Supply:
        return Supply(order, recipe.workers, recipe.pool * SIZE**2 // order.size**2)

    def guarded(
        name: str, learn: Callable[[], None], measured: Callable[[Run], judging.Measures]
    ) -> Any:
        """A stage that is done when its gate is open."""

        def work() -> judging.Measures:
            if run.begin is None:
                learn()
            measures = measured(run)
            gate(run.folder / name, measures, GATES[name], ignore_gates)
            return measures

        return stage(run, name, work)

    seen = guarded("judge", partial(judging.train, run, supply), judging.measure)
    stage(run, "tokenizer", lambda: tokenizer.train(run))
    with supply(Order(SIZE, run.seed + 100 + _APART * rank())) as data:
        learn = partial(autoencoder.train, run, data)
        again = guarded("autoencoder", learn, autoencoder.measure)
        understood = stage(run, "text", lambda: text.train(run))
        unlike = stage(run, "wordings", lambda: wordings.train(run))
        stage(run, "denoiser", lambda: denoiser.train(run, data, supply), shared=True)
    if rank() > 0:
        return {}
    gain = stage(run, "upscaler", lambda: upscaler.train(run, supply))
    prompts = stage(run, "measurement", lambda: measure(run))
    known = vocabulary.document(words.vocabulary())
    (run.pipeline / "vocabulary.json").write_text(known, encoding="utf-8")
    return {
        "judge": seen,
        "autoencoder": again,
        "captions_understood": understood,
        "paraphrases_unlike_captions": unlike,
        "upscaler_gain_db": gain,
        "prompts": prompts,
    }


def _budget(text: str) -> tuple[str, int]:
    """`judge=6000` → the name of a budget and its steps."""
    name, _, steps = text.partition("=")
    if not isinstance(getattr(PRESETS["cpu"], name, None), Budget):
        raise ValueError(name)
    return name, int(steps)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--preset", choices=tuple(PRESETS), default="cpu")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--begin",
        type=Path,
        help="a finished model: its tower is taught new words, its denoiser is trained on",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="processor threads for the networks")
    parser.add_argument(
        "--steps",
        type=_budget,
        action="append",
        default=[],
        metavar="STAGE=STEPS",
        help="another budget than the preset's; a stage that is not done goes on to it",
    )
    parser.add_argument("--ignore-gates", action="store_true")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    if options.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    if "RANK" in os.environ:
        distributed.init_process_group("gloo")
    run = Run(
        options.out,
        torch.device(options.device),
        PRESETS[options.preset].with_steps(**dict(options.steps)),
        options.seed,
        options.begin,
    )
    report = train(run, options.ignore_gates)
    if rank() > 0:
        return
    (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
