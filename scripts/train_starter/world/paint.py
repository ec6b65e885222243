"""The paint of a thing, and the two strokes that things are made of."""

from __future__ import annotations

from dataclasses import dataclass

from world.colours import RGB, mix
from world.drawing import Part
from world.shapes import Points

INK: RGB = (44, 36, 52)
CREAM: RGB = (250, 240, 218)
GLASS: RGB = (178, 222, 244)
BARK: RGB = (122, 82, 52)
LEAF: RGB = (74, 150, 74)
LAMP: RGB = (255, 222, 128)
BEAK: RGB = (248, 160, 52)


@dataclass(frozen=True, slots=True)
class Paint:
    """A named colour with the two neighbours that give a thing its roundness."""

    main: RGB
    shade: RGB
    light: RGB

    @classmethod
    def of(cls, colour: RGB) -> Paint:
        """Light falls from above, shadows lean towards violet."""
        return cls(colour, mix(colour, (40, 20, 80), 0.2), mix(colour, (255, 255, 255), 0.32))


def fill(colour: RGB, *contours: Points) -> Part:
    """A part that a pen would trace."""
    return Part(contours, colour)


def tint(colour: RGB, *contours: Points) -> Part:
    """Shading or a small detail, without an outline."""
    return Part(contours, colour, contour=False)
