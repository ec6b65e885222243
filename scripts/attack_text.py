"""How surely the statistical mark of texts is found, by how undecided the model was, and its cost.

    python -m scripts.attack_text [--texts 40] [--nulls 5000] [--json FILE]

The embedded starter words write. None of their stories is 200 tokens long, so their ends are
forbidden, and a text is one story after another; temperatures make the model more or less decided.
A text counts as found where `Evidence.chance`, a bound and no estimate, is below 1e-3. Nulls are
as many different texts of the same model, unmarked, all temperatures taking turns. Each is read
with a key of its own; then all are read with each of a few keys, because one key's texts are what
one installation sees, and turns of phrase that many texts share lean all of them the same way.
"""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList

import studio
from studio.families import Order
from studio.families.transformers_tokens import Chooser
from studio.tournament import Evidence, evidence

KEY = b"attack"
LENGTHS = (200, 400)
TEMPERATURES = (0.7, 1.0, 1.3, 1.6, 2.0, 2.5)
#: Unmarked texts that are written side by side, and keys that all of them are read with.
NULL_BATCH, NULL_KEYS = 250, 20
#: Bits of entropy per token at which the bands begin.
BANDS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
#: Share of tokens that are replaced, and of the text that is left, by attack.
ATTACKS = ("none", "a tenth of the tokens replaced", "the middle half alone")


def write(
    model: Any, never: list[int], temperature: float, key: str, seeds: range, length: int
) -> torch.Tensor:
    """Tokens of shape (seeds, length), none of them one of `never`."""
    request = {"temperature": temperature, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
    orders = [Order("attack", n, "text-generation", request, n, text_key=key) for n in seeds]
    begin = torch.full((len(seeds), 1), model.config.bos_token_id)
    with torch.inference_mode():
        written = model.generate(
            input_ids=begin,
            attention_mask=torch.ones_like(begin),
            do_sample=False,
            max_new_tokens=length,
            # Before our own: a mark is made of what can still be chosen.
            suppress_tokens=never,
            logits_processor=LogitsProcessorList([Chooser("starter", orders)]),
        )
    return written[:, 1:]


def unmarked(model: Any, never: list[int], count: int) -> list[list[int]]:
    """So many different texts of the shortest length, drawn by the library's own sampling."""
    torch.manual_seed(1)
    found: dict[tuple[int, ...], None] = {}
    for temperature in itertools.cycle(TEMPERATURES):
        begin = torch.full((NULL_BATCH, 1), model.config.bos_token_id)
        with torch.inference_mode():
            written = model.generate(
                input_ids=begin,
                attention_mask=torch.ones_like(begin),
                do_sample=True,
                temperature=temperature,
                top_k=0,
                max_new_tokens=min(LENGTHS),
                suppress_tokens=never,
            )
        found.update(dict.fromkeys(map(tuple, written[:, 1:].tolist())))
        if len(found) >= count:
            return [list(tokens) for tokens in found][:count]
    raise AssertionError("the temperatures never end")


def entropies(
    model: Any, never: list[int], tokens: torch.Tensor, temperature: float
) -> NDArray[np.float64]:
    """Bits per token of what could have been chosen, the mean for each row."""
    begin = torch.full((len(tokens), 1), model.config.bos_token_id)
    with torch.inference_mode():
        # What a token was chosen from follows from those before it alone.
        scores = model(torch.cat([begin, tokens[:, :-1]], 1)).logits.double() / temperature
    chances = torch.softmax(scores.index_fill(-1, torch.tensor(never), -torch.inf), -1)
    nats = torch.special.entr(chances).sum(-1).mean(-1)
    return np.asarray(nats.numpy() / np.log(2))


def attacked(tokens: list[int], attack: str, random: np.random.Generator) -> list[int]:
    """`tokens` after one of `ATTACKS`."""
    if attack == ATTACKS[1]:
        places = random.random(len(tokens)) < 0.1
        others = random.permutation(tokens)
        return [int(o) if hit else t for t, o, hit in zip(tokens, others, places, strict=True)]
    if attack == ATTACKS[2]:
        return tokens[len(tokens) // 4 : 3 * len(tokens) // 4]
    return tokens


def summary(read: list[Evidence]) -> dict[str, float]:
    """What was found among some texts."""
    return {
        "texts": len(read),
        "found at 1e-3": round(float(np.mean([one.chance < 1e-3 for one in read])), 4),
        "found at 1e-6": round(float(np.mean([one.chance < 1e-6 for one in read])), 4),
        "mean strength": round(float(np.mean([one.strength for one in read])), 2),
        "mean tokens counted": round(float(np.mean([one.tokens for one in read])), 1),
    }


def false_alarms(read: list[Evidence]) -> dict[str, float]:
    """How often unmarked texts pass as marked, and how far they lean at most."""
    return {
        "readings": len(read),
        "at 1e-3": sum(one.chance < 1e-3 for one in read) / len(read),
        "at 1e-6": sum(one.chance < 1e-6 for one in read) / len(read),
        "largest strength": round(max(one.strength for one in read), 2),
        "strength of the 1e-3 quantile": round(
            float(np.quantile([one.strength for one in read], 1 - 1e-3)), 2
        ),
    }


@click.command()
@click.option("--texts", default=40, help="Marked texts at each temperature.")
@click.option("--nulls", default=5000, help="Different unmarked texts.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Where the table goes.")
def main(texts: int, nulls: int, path: Path | None) -> None:
    """Mark texts of the starter words, spoil them, and look for the mark."""
    torch.set_num_threads(1)
    folder = Path(studio.__file__).parent / "starter" / "words"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    never = sorted(tokenizer.all_special_ids)

    def reread(tokens: list[int]) -> list[int]:
        """As a check sees them: written out, and read again."""
        return list(tokenizer(tokenizer.decode(tokens), add_special_tokens=False)["input_ids"])

    random = np.random.default_rng(0)
    rows: dict[tuple[float, int, str], list[Evidence]] = {}
    seconds = dict.fromkeys(("plain", "marked"), 0.0)
    same = 0
    for temperature in TEMPERATURES:
        for how, key in (("plain", ""), ("marked", KEY.hex())):
            begun = time.process_time()
            marked = write(model, never, temperature, key, range(texts), max(LENGTHS))
            seconds[how] += time.process_time() - begun
        for length in LENGTHS:
            kept = marked[:, :length]
            undecided = entropies(model, never, kept, temperature)
            for row, bits in zip(kept.tolist(), undecided, strict=True):
                band = max(limit for limit in BANDS if limit <= bits)
                again = reread(row)
                same += again == row
                for attack in ATTACKS:
                    spoilt = attacked(again, attack, random)
                    rows.setdefault((band, length, attack), []).append(evidence(KEY, spoilt))
    others = [reread(tokens) for tokens in unmarked(model, never, nulls)]
    by_own_key = [evidence(f"null {n}".encode(), text) for n, text in enumerate(others)]
    by_one_key = [
        [evidence(f"installation {n}".encode(), text) for text in others] for n in range(NULL_KEYS)
    ]
    result = {
        "model": "starter-words",
        "found": [
            {"bits per token from": band, "tokens": length, "attack": attack, **summary(read)}
            for (band, length, attack), read in sorted(rows.items())
        ],
        "nulls": {
            "each with a key of its own": false_alarms(by_own_key),
            f"all with each of {NULL_KEYS} keys": false_alarms(list(itertools.chain(*by_one_key))),
            "all with the unluckiest of them": max(
                (false_alarms(read) for read in by_one_key), key=lambda seen: seen["at 1e-3"]
            ),
        },
        "read again as it was written": round(same / (texts * len(TEMPERATURES) * 2), 3),
        "milliseconds per token": {
            how: round(1000 * spent / (texts * len(TEMPERATURES) * max(LENGTHS)), 3)
            for how, spent in seconds.items()
        },
    }
    click.echo(json.dumps(result, indent=2))
    if path is not None:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
