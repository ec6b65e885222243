"""What is random in a training follows from a seed and a number, of a step or of a draw, and from
nothing else: a training that was interrupted goes on with what it would have seen, and sees nothing
again.
"""

from __future__ import annotations

import random


def seed_of(seed: int, number: int) -> int:
    """One seed for both; the numbers of one seed meet those of the next after a million."""
    return seed * 1_000_003 + number


def chance(seed: int, number: int) -> random.Random:
    """Randomness for one step, or one draw."""
    return random.Random(seed_of(seed, number))
