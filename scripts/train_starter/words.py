"""Train the starter model of words: a small Llama that goes on with lines of the drawn world.

    python scripts/train_starter/words.py --out training/words --steps 2500

Its tokenizer is trained first. Interrupted, it goes on from its checkpoint; the finished model lies
in OUT/words, and the studio loads that folder as it is. `words_evaluate.py` measures it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from shipping import save
from torch import Tensor
from torch.nn import functional
from world import tales

VOCABULARY = 1024
LONGEST = 192
#: Lines that the tokenizer is made from.
TOKENIZED = 20_000
#: Stories are the hardest, and prompts are what is asked for most.
SHARES = {"improve": 0.4, "story": 0.5, "caption": 0.1}
#: A line's purpose is a token of its own; what was asked stands after it, and the model goes on.
TEMPLATE = (
    "{{ bos_token }}{{ '<' + purpose + '>' if purpose else '' }}"
    "{% for message in messages %}{{ message.content }}{% endfor %}"
)


def drawn(rng: random.Random) -> tuple[str, str]:
    """A purpose, and a line for it."""
    purpose = rng.choices(tuple(SHARES), tuple(SHARES.values()))[0]
    return purpose, tales.line(purpose, rng)


def tokenizer(seed: int) -> Any:
    """Byte pairs of many lines; no character of any language is unknown to it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<s>", "</s>", *(f"<{purpose}>" for purpose in tales.PURPOSES)]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    rng = random.Random(seed)
    inner.train_from_iterator((drawn(rng)[1] for _ in range(TOKENIZED)), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        additional_special_tokens=special[3:], padding_side="left",
        model_max_length=512, chat_template=TEMPLATE,
    )  # fmt: skip


def build(size: int) -> Any:
    """The untrained model, 2.0 million parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size, hidden_size=192, intermediate_size=512, num_hidden_layers=4,
            num_attention_heads=6, num_key_value_heads=6, max_position_embeddings=512,
            tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        )
    )  # fmt: skip


def lines_read(steps: int, batch: int, seed: int) -> list[str]:
    """All lines that the command read in `steps` without a break, those of its tokenizer too."""
    rngs = ((random.Random(seed), TOKENIZED), (random.Random(seed), steps * batch))
    return [drawn(rng)[1] for rng, count in rngs for _ in range(count)]


def batch(words: Any, count: int, rng: random.Random) -> tuple[Tensor, Tensor]:
    """Tokens and what is to be learned of them, (count, length); −100 is nothing.

    What was asked is not learned: it is whatever people write.
    """
    rows, wanted = [], []
    for _ in range(count):
        purpose, text = drawn(rng)
        row = words(f"<s><{purpose}>{text}</s>", add_special_tokens=False)["input_ids"][:LONGEST]
        rows.append(torch.tensor(row))
        wanted.append(torch.tensor([-100, -100, *row[2:]]))
    pad = torch.nn.utils.rnn.pad_sequence
    tokens = pad(rows, batch_first=True, padding_value=0)
    return tokens, pad(wanted, batch_first=True, padding_value=-100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    words = tokenizer(options.seed)
    model = build(len(words)).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02, betas=(0.9, 0.98))
    checkpoint, done = options.out / "checkpoint.pt", 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        done = kept["step"]
    rng = random.Random(options.seed + done)
    began, recent = time.monotonic(), 0.0
    for step in range(done, options.steps):
        seconds = time.monotonic() - began
        spent = max(step / options.steps, seconds / (60 * options.minutes))
        rate = 2e-3 * min(1, (step + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * spent)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        tokens, wanted = batch(words, options.batch, rng)
        scores = model(tokens).logits[:, :-1].flatten(0, 1)
        value = functional.cross_entropy(scores, wanted[:, 1:].flatten())
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        recent = value.item() if step == done else 0.98 * recent + 0.02 * value.item()
        over = spent >= 1 or step + 1 == options.steps
        if (step + 1) % 50 == 0 or over:
            entry = {"step": step + 1, "loss": round(recent, 4), "seconds": round(seconds)}
            with (options.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")
        if (step + 1) % 200 == 0 or over:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step + 1}, checkpoint)
            save(model, options.out / "words", words, known=tales.vocabulary())
        if over:
            break


if __name__ == "__main__":
    main()
