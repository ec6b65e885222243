"""The colours of the world: their names, their paint, and small steps away from them.

One table serves the renderer, the captions and the judge, so that "purple" means the same paint to
all three.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

RGB = tuple[int, int, int]

COLOURS: Mapping[str, RGB] = MappingProxyType(
    {
        "red": (220, 40, 40),
        "orange": (245, 140, 30),
        "yellow": (250, 220, 50),
        "green": (50, 165, 70),
        "cyan": (60, 205, 215),
        "blue": (45, 85, 215),
        "purple": (135, 60, 180),
        "pink": (245, 130, 180),
        "brown": (130, 80, 40),
        "black": (25, 25, 30),
        "white": (248, 248, 248),
        "gray": (140, 140, 145),
    }
)


def clamp(colour: tuple[float, float, float]) -> RGB:
    """The nearest colour that eight bits can hold."""
    red, green, blue = (int(min(255.0, max(0.0, value))) for value in colour)
    return red, green, blue


def jitter(colour: RGB, rng: random.Random, amount: float = 10.0) -> RGB:
    """The colour as one pot of paint differs from the next."""
    red, green, blue = (value + rng.uniform(-amount, amount) for value in colour)
    return clamp((red, green, blue))


def scale(colour: RGB, factor: float) -> RGB:
    """The colour in a brighter (>1) or dimmer (<1) light."""
    return clamp((colour[0] * factor, colour[1] * factor, colour[2] * factor))


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """`first` with a share of `second` stirred in."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return clamp((red, green, blue))
