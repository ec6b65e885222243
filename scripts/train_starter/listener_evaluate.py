"""Measure the starter listener on sentences and voices that it has never heard.

    python scripts/train_starter/listener_evaluate.py --model training/listener/listener \
        --out model_cards/starter-listener.eval.json

Everything goes through the studio's own family, as a person's upload would. The word error rate is
the words to be changed, added or taken away (Levenshtein) over the words that were said.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sayings
from listener import HELD_OUT, LANGUAGES, RATE, Reader, Samples, Utterance, disturbed, utterance

ROOT = Path(__file__).resolve().parents[2]


def mistakes(said: Sequence[str], heard: Sequence[str]) -> int:
    """How many words have to be changed, added or taken away."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, row = row, [number]
        for place, other in enumerate(heard, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (word != other)))
    return row[-1]


def written(model: Any, sound: Samples, folder: Path) -> str:
    """What the model writes down."""
    from studio.draft import Draft
    from studio.errors import InvalidRequest
    from studio.families import Order
    from studio.fields import build
    from studio.tasks import TASKS
    from studio.testing import Recorder

    task = TASKS["automatic-speech-recognition"]
    place = Draft("audio", 0, 0, {"samples": sound[:, None]}, {"rate": RATE}).spool(folder)
    request = build(task.request, {"audio": "one"}).model_dump()
    order = Order("evaluation", 0, task.id, request, 0, {"audio": place})
    try:
        (draft,) = model.generate([order], Recorder())
    except InvalidRequest:
        return ""
    return str(draft.facts["text"])


def plain(rng: random.Random) -> Utterance:
    """A sentence of its own words, by a voice that was held out."""
    while True:
        one = utterance(rng, HELD_OUT)
        if sayings.UNKNOWN not in one.text:
            return one


def promised(rng: random.Random) -> Utterance:
    """The sentence that the consent to the use of a voice asks for."""
    from studio.consent import fresh_sentence

    sentence = fresh_sentence()
    voice = f"{rng.choice(LANGUAGES)}+{rng.choice(HELD_OUT)}"
    line = {"text": sentence, "voice": voice, "rate": 150, "pitch": 50}
    return Utterance(sentence, json.dumps(line), 1.0)


def measure(
    model: Any, utterances: Sequence[Utterance], rng: random.Random, *, noisy: bool
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The figures, and each sentence with what was heard."""
    reader = Reader()
    wrong = words = whole = 0
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        for one in utterances:
            reader.order([one])
            sound = reader.heard(one)
            sound = disturbed(sound, rng) if noisy else np.pad(sound, RATE // 4)
            heard = written(model, sound, Path(folder))
            said, listened = (_words(text) for text in (one.text, heard))
            wrong += mistakes(said, listened)
            words += len(said)
            whole += said == listened
            pairs.append((one.text, heard))
    reader.close()
    figures = {
        "sentences": len(utterances),
        "words": words,
        "word_error_rate": round(wrong / words, 4),
        "whole_sentences_right": round(whole / len(utterances), 4),
    }
    return figures, pairs


def _words(text: str) -> list[str]:
    return [word for word in (one.strip(".,!?").lower() for one in text.split()) if word]


def main() -> None:
    from studio.consent import was_read
    from studio.families import Spec
    from studio.families.transformers_listening import TransformersListening

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=ROOT / "studio" / "starter" / "listener")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1_000_003)
    options = parser.parse_args()

    rng = random.Random(options.seed)
    spec = Spec("starter-listener", options.model, "float32", None, {})
    model = TransformersListening().load(spec, "cpu", "full")
    sentences = [plain(rng) for _ in range(options.count)]
    began = time.perf_counter()
    clean, pairs = measure(model, sentences, rng, noisy=False)
    seconds = (time.perf_counter() - began) / options.count
    noisy, _ = measure(model, sentences, rng, noisy=True)
    consents, read = measure(
        model, [promised(rng) for _ in range(options.count // 3)], rng, noisy=False
    )
    weights = (options.model / "model.safetensors").read_bytes()
    report = {
        "weights_sha256": hashlib.sha256(b"model.safetensors\0" + weights).hexdigest(),
        "voices": list(HELD_OUT),
        "clean": clean,
        "noisy, 10 to 50 dB": noisy,
        "consents": consents,
        "consents_recognised": round(
            sum(was_read(said, heard) for said, heard in read) / len(read), 4
        ),
        "consents_taken_for_another": round(
            sum(was_read(said, read[number - 1][1]) for number, (said, _) in enumerate(read))
            / len(read),
            4,
        ),
        "seconds_each": round(seconds, 3),
        "examples": [{"said": said, "heard": heard} for said, heard in [*pairs[:6], *read[:4]]],
    }
    options.out.write_text(
        json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
