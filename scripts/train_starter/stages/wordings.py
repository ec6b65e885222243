"""Stage 5: the text tower is taught to understand what people type besides captions.

What a text does to a picture is what the tower makes of it. So a tower that makes of "a cat and a
house" what it made of "a cat left of a house" is understood by every denoiser that it had: no
picture is needed, and one that has long been trained learns new words within minutes.

Another word for a known one is given the same embedding. Of paraphrases the tower
learns to answer as its former self does to the caption that means the same (distillation, Hinton
et al. 2015, of hidden states), while half of what it reads are captions, of which nothing may
change.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import reduce
from typing import Any

import torch
from chance import chance
from loop import Loop
from recipe import TOKENS, Run
from supply import sayings
from torch import Tensor
from world import layout
from world.paraphrases import paraphrase
from world.words import OTHER_WORDS, typed

from stages import text
from stages import tokenizer as tokenizers


def _new_words() -> list[str]:
    others = [word for words in OTHER_WORDS.values() for word in words]
    return list(dict.fromkeys([*others, *re.findall(r"[a-z]+|&", " ".join(typed()))]))


def with_word(tokenizer: Any, word: str) -> Any:
    """A tokenizer in which this word is one token, and every word that was one token still is."""
    from transformers import CLIPTokenizer

    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary, merges = dict(model["vocab"]), [tuple(merge) for merge in model["merges"]]
    whole, *others = tokenizer.tokenize(word)
    for piece in others:
        # After all merges that there are: what these made of a word, they still make.
        merges.append((whole, piece))
        whole += piece
        vocabulary.setdefault(whole, len(vocabulary))
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def typed_and_meant(count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Pairs of what people type and the caption that means the same."""
    return [paraphrase(layout.sample_scene(rng), rng)[:2] for _ in range(count)]


def places(said: Sequence[int], meant: Sequence[int], end: int) -> list[tuple[int, int]]:
    """Which place of one text, as token numbers padded with `end`, is to be like which of another:
    the words that they share, and the padding that neither has words in.
    """
    ends = said.index(end) + 1, meant.index(end) + 1
    shared = SequenceMatcher(None, said[: ends[0]], meant[: ends[1]], autojunk=False)
    return [
        *(
            (block.a + place, block.b + place)
            for block in shared.get_matching_blocks()
            for place in range(block.size)
        ),
        *((place, place) for place in range(max(ends), len(said))),
    ]


def train(run: Run) -> float:
    """Teach the run's tower and tokenizer; returns how far what it makes of paraphrases is from
    what it made of their captions, as a share of the variance (0: not at all).
    """
    budget = run.recipe.wordings
    torch.manual_seed(run.seed)
    teacher = text.load(run).requires_grad_(False)
    tokenizer = reduce(with_word, _new_words(), tokenizers.load(run))
    tower = copy.deepcopy(teacher).requires_grad_(True).train()
    tower.resize_token_embeddings(len(tokenizer))
    embedding = tower.get_input_embeddings().weight

    def number(word: str) -> int:
        (token,) = tokenizer.tokenize(word)
        return int(tokenizer.convert_tokens_to_ids(token))

    same = [(number(other), number(word)) for word in OTHER_WORDS for other in OTHER_WORDS[word]]
    ours, theirs = torch.tensor(same, device=run.device).T

    def tie() -> None:
        """Another word for a known one has its embedding, also where a phrase has it."""
        with torch.no_grad():
            embedding[ours] = embedding[theirs]

    def compared(pairs: Sequence[tuple[str, str]]) -> tuple[Tensor, Tensor]:
        """What the tower makes of the first of each pair, and its teacher of the second: the states
        (places, width) of the places that are to be alike.
        """
        said, meant = (
            text.identifiers(tokenizer, [pair[side] for pair in pairs], run.device)
            for side in (0, 1)
        )
        shared = [
            (row, *place)
            for row, (one, other) in enumerate(zip(said.tolist(), meant.tolist(), strict=True))
            for place in places(one, other, tokenizer.eos_token_id)
        ]
        rows, here, there = torch.tensor(shared, device=run.device).T
        with torch.no_grad():
            wanted = teacher(meant)[0]
        return tower(said)[0][rows, here], wanted[rows, there]

    def unlike(pairs: Sequence[tuple[str, str]]) -> Tensor:
        made, wanted = compared(pairs)
        return (made - wanted).pow(2).mean() / wanted.var(dim=0).mean()

    def step(count: int) -> Tensor:
        tie()
        rng, half = chance(run.seed + 400, count), budget.batch // 2
        _, captions = sayings(half, rng)
        return unlike([*zip(captions, captions, strict=True), *typed_and_meant(half, rng)])

    Loop("wordings", run.folder / "wordings", budget, [tower], run.seed, weight_decay=0.0).run(step)
    tie()
    with torch.no_grad():
        tower.eval()
        rng = random.Random(run.seed + 903)
        left = float(unlike(typed_and_meant(1000, rng)))
    # The tokenizer last: whoever is stopped before it begins again with the old words.
    tower.save_pretrained(run.folder / "tower")
    finished = run.pipeline / "text_encoder"
    if finished.exists():
        # A denoiser that is done understands the taught tower as it is.
        copy.deepcopy(tower).half().save_pretrained(finished)
    tokenizer.save_pretrained(run.pipeline / "tokenizer")
    return left
