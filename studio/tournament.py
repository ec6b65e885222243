"""The statistical mark of a text: a secret decides between words that are about equally likely.

This is the tournament of SynthID-Text (Dathathri et al., Nature 634, 2024) with two rivals a round.
A token's secret bits follow from the key and the four tokens before it; averaged over keys the
tokens are as likely as without. The library's own version computes bits for the whole vocabulary;
here only for the tokens that can still be chosen, and without torch, so that a check needs none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: How many tokens before it a token's bits depend on.
CONTEXT = 4
#: Texts of fewer tokens are not marked, and not examined: they would say too little.
SHORTEST = 200
#: Rounds of a tournament, which is bits per token.
_ROUNDS = 30
#: Early rounds meet more choice, so their bits say more; of length 1.
_WEIGHTS = np.linspace(10, 1, _ROUNDS) / np.linalg.norm(np.linspace(10, 1, _ROUNDS))


@dataclass(frozen=True)
class Evidence:
    """How much a text's bits lean towards one key."""

    #: How many tokens had a say: each after words that had not come before.
    tokens: int
    #: In standard deviations: about 0 ± 1 for a text that this key did not mark.
    strength: float
    #: Upper bound on the chance that such a text leans as far.
    chance: float


def favoured(
    key: bytes, context: Sequence[int], tokens: NDArray[np.int64], chances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The `chances` (tokens,), which add up to 1, after a tournament between `tokens`."""
    seed = np.full(len(tokens), _seed(key, context), np.uint64)
    for won in _bits(seed, tokens.astype(np.uint64)).T:
        # Rounding may leave a little less than nothing.
        chances = np.maximum(chances * (1 + won - chances @ won), 0)
    return chances


def evidence(key: bytes, tokens: Sequence[int]) -> Evidence:
    """What the `tokens` of a text say about `key`; repeated words are counted once.

    The bits of a text that knows nothing of the key are fair coins, so their weighted sum passes
    `strength` with less than 3.18 times the chance that a normal variable does (Bentkus and
    Dzindzalieta, Bernoulli 21, 2015): a bound for every length, and nothing to calibrate.
    """
    seeds: dict[tuple[int, ...], tuple[int, int]] = {}
    for place in range(CONTEXT, len(tokens)):
        context = tuple(tokens[place - CONTEXT : place])
        if context not in seeds:
            seeds[context] = _seed(key, context), tokens[place]
    counted = np.array(list(seeds.values()), np.uint64).reshape(-1, 2)
    total = float(((2 * _bits(counted[:, 0], counted[:, 1]) - 1) @ _WEIGHTS).sum())
    strength = total / math.sqrt(max(len(seeds), 1))
    chance = min(1.0, 3.18 * math.erfc(strength / math.sqrt(2)) / 2)
    return Evidence(len(seeds), strength, chance)


def _seed(key: bytes, context: Sequence[int]) -> int:
    """A keyed hash of `context`, 64 bits."""
    told = np.array(context, "<i8").tobytes()
    return int.from_bytes(hashlib.blake2b(told, digest_size=8, key=key).digest(), "little")


def _bits(seeds: NDArray[np.uint64], tokens: NDArray[np.uint64]) -> NDArray[np.float64]:
    """0 or 1, shape (tokens, rounds): SplitMix64 of each token from its seed on."""
    mixed = tokens * np.uint64(0x9E3779B97F4A7C15) + seeds
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return ((mixed[:, None] >> np.arange(_ROUNDS, dtype=np.uint64)) & np.uint64(1)).astype(float)
