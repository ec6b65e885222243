"""Stage 2: a tokenizer of the world's own words, in CLIP's format. Every word of the vocabulary
becomes one token.
"""

from __future__ import annotations

import json
import random
from typing import Any

from recipe import TOKENS, Run
from world import captions, layout


def load(run: Run) -> Any:
    """The tokenizer of this run."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(run.pipeline / "tokenizer")


def train(run: Run) -> int:
    """Learn byte pairs from captions; returns the number of tokens."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    rng = random.Random(run.seed)
    sentences = [captions.caption(layout.sample_scene(rng), rng) for _ in range(8000)]
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    pattern = Regex(r"<\|startoftext\|>|<\|endoftext\|>|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner.train_from_iterator(
        sentences,
        trainers.BpeTrainer(
            vocab_size=2000,
            initial_alphabet=alphabet,
            end_of_word_suffix="</w>",
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            show_progress=False,
        ),
    )
    model = json.loads(learner.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for character in sorted(alphabet):
        vocabulary.setdefault(character + "</w>", len(vocabulary))
    merges = [
        tuple(merge) if not isinstance(merge, str) else tuple(merge.split(" "))
        for merge in model["merges"]
    ]
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)
    tokenizer.save_pretrained(run.pipeline / "tokenizer")
    return len(tokenizer)
