"""How surely the statistical mark of texts is found, by how undecided the model was, and its cost.

    python scripts/attack_text.py [--texts 40] [--json scripts/results/text_mark.json]

The embedded starter words write, and go on past the end of a story, since none is 200 tokens long;
temperatures make them more or less decided. A text counts as found where `Evidence.chance`, a bound
and no estimate, is below 1e-3. Nulls are unmarked texts of the same model, each read with many
keys: texts and keys are independent draws, and a false alarm needs both.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList

import studio
from studio.families import Order
from studio.families.transformers_tokens import Chooser
from studio.tournament import Evidence, evidence

KEY = b"attack"
LENGTHS = (200, 400)
TEMPERATURES = (0.7, 1.0, 1.3, 1.6)
NULL_KEYS = 50
#: Bits of entropy per token at which the bands begin.
BANDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
#: Share of tokens that are replaced, and of the text that is left, by attack.
ATTACKS = ("none", "a tenth of the tokens replaced", "the middle half alone")


def write(model: torch.nn.Module, temperature: float, key: str, texts: int) -> torch.Tensor:
    """Tokens of shape (texts, longest), each row by its own seed."""
    request = {"temperature": temperature, "top_p": 1.0, "repetition_penalty": 1.0}
    orders = [Order("attack", n, "text-generation", request, n, text_key=key) for n in range(texts)]
    begin = torch.full((texts, 1), model.config.bos_token_id)
    with torch.inference_mode():
        written = model.generate(
            input_ids=begin,
            attention_mask=torch.ones_like(begin),
            do_sample=False,
            max_new_tokens=max(LENGTHS),
            logits_processor=LogitsProcessorList([Chooser("starter", orders)]),
            eos_token_id=None,
            pad_token_id=0,
        )
    return written[:, 1:]


def entropies(model: torch.nn.Module, tokens: torch.Tensor, temperature: float) -> np.ndarray:
    """Bits per token of what could have been chosen, the mean for each row."""
    with torch.inference_mode():
        chances = torch.softmax(model(tokens).logits / temperature, -1)
    return torch.special.entr(chances).sum(-1).mean(-1).clamp_min(0).numpy() / np.log(2)


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
    }


@click.command()
@click.option("--texts", default=40, help="Texts at each temperature, marked and unmarked.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Where the table goes.")
def main(texts: int, path: Path | None) -> None:
    """Mark texts of the starter words, spoil them, and look for the mark."""
    torch.set_num_threads(1)
    folder = Path(studio.__file__).parent / "starter" / "words"
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    random = np.random.default_rng(0)
    rows: dict[tuple[float, int, str], list[Evidence]] = {}
    nulls: list[Evidence] = []
    seconds = {"plain": 0.0, "marked": 0.0}
    retold = 0.0
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for temperature in TEMPERATURES:
        begun = time.process_time()
        plain = write(model, temperature, "", texts)
        halfway = time.process_time()
        marked = write(model, temperature, KEY.hex(), texts)
        seconds["plain"] += halfway - begun
        seconds["marked"] += time.process_time() - halfway
        for length in LENGTHS:
            kept = marked[:, :length]
            for row, bits in zip(kept.tolist(), entropies(model, kept, temperature), strict=True):
                band = max(limit for limit in BANDS if limit <= bits)
                # As a check sees them: written out, and read again.
                text = tokenizer.decode(row, skip_special_tokens=True)
                again = tokenizer(text, add_special_tokens=False)["input_ids"]
                retold += again == row
                for attack in ATTACKS:
                    spoilt = attacked(again, attack, random)
                    rows.setdefault((band, length, attack), []).append(evidence(KEY, spoilt))
        for number, row in enumerate(plain[:, : LENGTHS[0]].tolist()):
            nulls += [evidence(f"{number} {n}".encode(), row) for n in range(NULL_KEYS)]
    result = {
        "model": "starter-words",
        "found": [
            {"bits per token from": band, "tokens": length, "attack": attack, **summary(read)}
            for (band, length, attack), read in sorted(rows.items())
        ],
        "nulls": summary(nulls) | {"largest strength": round(max(n.strength for n in nulls), 2)},
        "read again as it was written": round(retold / (texts * len(TEMPERATURES) * 2), 3),
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
