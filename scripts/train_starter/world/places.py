"""The places: sky, land, water and rooms, in four kinds of daylight and three kinds of weather."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from world.colours import COLOURS, RGB, mix, scale
from world.drawing import Layer, Part
from world.shapes import Points, box, ellipse, polygon

SKIES: Mapping[str, tuple[RGB, RGB, RGB]] = MappingProxyType(
    {
        "day": ((92, 170, 236), (160, 210, 246), (222, 240, 250)),
        "dawn": ((138, 164, 226), (214, 190, 224), (255, 214, 186)),
        "dusk": ((70, 52, 128), (196, 92, 130), (252, 168, 96)),
        "night": ((10, 14, 44), (24, 32, 78), (50, 62, 122)),
    }
)
LIGHT = MappingProxyType({"day": 1.0, "dawn": 0.92, "dusk": 0.78, "night": 0.5})
TINT: Mapping[str, tuple[RGB, float]] = MappingProxyType(
    {
        "day": ((255, 255, 255), 0.0),
        "dawn": ((255, 200, 190), 0.14),
        "dusk": ((150, 70, 110), 0.2),
        "night": ((24, 30, 84), 0.3),
    }
)
HORIZON: Mapping[str, float] = MappingProxyType(
    {
        "sea": 0.56,
        "hills": 0.6,
        "mountains": 0.62,
        "desert": 0.6,
        "city": 0.8,
        "space": 0.86,
        "room": 0.72,
    }
)
"""Where the sky ends; the ground that things stand on begins a little below."""

EVERYWHERE = box(-0.1, -0.1, 1.1, 1.1)


def lit(colour: RGB, time: str) -> RGB:
    """A colour of the land as this daylight shows it."""
    tint, share = TINT[time]
    return mix(scale(colour, LIGHT[time]), tint, share)


def ground_colour(place: str, colour: str, time: str) -> RGB:
    """The colour right under a thing's feet."""
    natural: dict[str, RGB] = {
        "sea": (44, 122, 196),
        "hills": (104, 178, 92),
        "mountains": (112, 172, 110),
        "desert": (238, 200, 130),
        "city": (112, 114, 128),
        "space": (150, 146, 172),
        "room": (188, 142, 100),
    }
    if place == "space":
        return natural["space"]
    if place == "room":
        return natural["room"]
    named = colour and place != "mountains"  # there the colour is the rock's, not the meadow's
    return lit(COLOURS[colour] if named else natural[place], time)


def sky_colour(place: str, colour: str, time: str) -> RGB:
    """The colour behind a thing that floats."""
    if place == "space":
        return (22, 20, 52)
    if place == "room":
        return mix(COLOURS[colour], (255, 255, 255), 0.12) if colour else (244, 230, 206)
    return SKIES[time][1]


def backdrop(place: str, colour: str, time: str, weather: str, rng: random.Random) -> list[Part]:
    """Everything behind the things."""
    if place in ("space", "room"):
        return _PLACES[place](colour, time, rng)
    return [*_sky(time, weather, rng), *_PLACES[place](colour, time, rng)]


def paper(colour: RGB) -> list[Part]:
    """Plain paper, a breath lighter at the top."""
    light, dark = mix(colour, (255, 255, 255), 0.05), mix(colour, (30, 20, 50), 0.05)
    return [Part((EVERYWHERE,), light, dark, Layer.SKY)]


def _scenery(points: Points, colour: RGB, bottom: RGB | None = None, contour: bool = True) -> Part:
    return Part((points,), colour, bottom, Layer.SCENERY, contour)


def _sky(time: str, weather: str, rng: random.Random) -> list[Part]:
    grey = (150, 158, 172) if time in ("day", "dawn") else (62, 62, 84)
    share = {"rain": 0.55, "snow": 0.3, "clouds": 0.12}.get(weather, 0.0)
    top, middle, low = (mix(colour, grey, share) for colour in SKIES[time])
    parts = [
        Part((box(-0.1, 0.3, 1.1, 1.1),), middle, low, Layer.SKY),
        Part((box(-0.1, -0.1, 1.1, 0.34),), top, middle, Layer.SKY),
    ]
    if time == "night" and weather not in ("rain", "snow"):
        parts += _specks(rng, 26, 0.55, (250, 244, 216))
    if weather in ("rain", "snow", "clouds"):
        cloud = mix((255, 255, 255), middle, 0.12 if time in ("day", "dawn") else 0.55)
        if weather == "rain":
            cloud = mix(cloud, grey, 0.45)
        for _ in range(3):
            parts += _cloud(
                rng.uniform(0.05, 0.95), rng.uniform(0.06, 0.24), rng.uniform(0.09, 0.15), cloud
            )
    return parts


def _specks(rng: random.Random, count: int, depth: float, colour: RGB) -> list[Part]:
    parts = []
    for _ in range(count):
        x, y, radius = rng.random(), rng.uniform(0, depth), rng.uniform(0.0025, 0.0065)
        parts.append(Part((ellipse(x, y, radius, steps=8),), colour, None, Layer.SKY, False))
    return parts


def _cloud(x: float, y: float, size: float, colour: RGB) -> list[Part]:
    puffs = ((-0.9, 0.1, 0.42), (-0.35, -0.2, 0.6), (0.35, -0.1, 0.5), (0.9, 0.12, 0.36))
    outline = [
        ellipse(x + dx * size, y + dy * size, r * size, r * size * 0.8, 24) for dx, dy, r in puffs
    ]
    base = box(x - 1.1 * size, y + 0.08 * size, x + 1.1 * size, y + 0.42 * size)
    shade = mix(colour, (110, 120, 160), 0.18)
    return [
        Part((base,), shade, None, Layer.SKY, False),
        *(Part((points,), colour, shade, Layer.SKY, False) for points in outline),
    ]


def _ridge(height: Callable[[np.ndarray], np.ndarray]) -> Points:
    x = np.linspace(-0.05, 1.05, 56, dtype=np.float32)
    line = np.stack([x, height(x).astype(np.float32)], axis=1)
    return np.concatenate([line, [[1.1, 1.1], [-0.1, 1.1]]]).astype(np.float32)


def _waves(rng: random.Random, level: float, swell: float, rate: float) -> Points:
    phase, second = rng.uniform(0, 6.28), rng.uniform(0, 6.28)
    return _ridge(
        lambda x: level - swell * (np.sin(x * rate + phase) + 0.4 * np.sin(x * rate * 2.3 + second))
    )


def _swell(level: float, phase: float) -> Points:
    return _ridge(lambda x: level - 0.009 * np.abs(np.sin(x * 14 + phase)))


def _sea(colour: str, time: str, rng: random.Random) -> list[Part]:
    water = ground_colour("sea", colour, time)
    low = SKIES[time][2]
    parts = [
        _scenery(box(-0.1, 0.56, 1.1, 1.1), mix(water, low, 0.35), mix(water, (10, 10, 60), 0.12))
    ]
    for level in (0.68, 0.79, 0.9):
        depth = (level - 0.56) * 0.5
        swell = _swell(level, rng.uniform(0, 6))
        parts.append(_scenery(swell, mix(water, (8, 12, 70), depth), None))
    for _ in range(10):
        x, y, long = rng.random(), rng.uniform(0.6, 0.97), rng.uniform(0.03, 0.08)
        glint = mix(water, (255, 255, 255), 0.42)
        parts.append(_scenery(ellipse(x, y, long, 0.0045, 12), glint, None, False))
    return parts


def _hills(colour: str, time: str, rng: random.Random) -> list[Part]:
    grass, low = ground_colour("hills", colour, time), SKIES[time][2]
    parts = []
    for level, haze in ((0.56, 0.5), (0.64, 0.26), (0.74, 0.0)):
        shade = mix(grass, low, haze)
        line = _waves(rng, level, 0.035, rng.uniform(4, 7))
        parts.append(
            _scenery(line, mix(shade, (255, 255, 230), 0.1), mix(shade, (20, 40, 60), 0.16))
        )
    return parts


def _mountains(colour: str, time: str, rng: random.Random) -> list[Part]:
    rock = lit(COLOURS[colour] if colour else (116, 124, 158), time)
    snow, low = lit((248, 250, 255), time), SKIES[time][2]
    parts = []
    for base, rise, haze in ((0.62, 0.26, 0.4), (0.7, 0.2, 0.12)):
        shade, x = mix(rock, low, haze), rng.uniform(-0.15, 0.05)
        while x < 1.1:
            half, top = rng.uniform(0.16, 0.26), base - rise * rng.uniform(0.7, 1.15)
            peak = polygon((x - half, base + 0.1), (x, top), (x + half, base + 0.1))
            parts.append(_scenery(peak, shade))
            right = polygon(
                (x, top),
                (x + half, base + 0.1),
                (x + half * 0.2, base + 0.1),
                (x + half * 0.1, top + 0.12),
            )
            parts.append(_scenery(right, mix(shade, (30, 24, 70), 0.2), None, False))
            if rise > 0.22:
                k, slope = 0.26, base + 0.1 - top
                cap = polygon(
                    (x, top),
                    (x + half * k, top + slope * k),
                    (x + half * 0.08, top + slope * 0.2),
                    (x - half * 0.08, top + slope * 0.3),
                    (x - half * k, top + slope * k),
                )
                parts.append(_scenery(cap, mix(snow, low, haze * 0.3), None, False))
            x += half * rng.uniform(1.1, 1.6)
    meadow = lit((112, 172, 110), time)
    parts.append(
        _scenery(
            _waves(rng, 0.75, 0.014, 6),
            mix(meadow, (255, 255, 220), 0.1),
            mix(meadow, (20, 40, 60), 0.16),
        )
    )
    return parts


def _desert(colour: str, time: str, rng: random.Random) -> list[Part]:
    sand, low = ground_colour("desert", colour, time), SKIES[time][2]
    parts = []
    for level, haze, swell in ((0.58, 0.36, 0.03), (0.66, 0.16, 0.028), (0.76, 0.0, 0.02)):
        phase, rate = rng.uniform(0, 6.28), rng.uniform(4.5, 7.5)
        shade = mix(sand, low, haze)

        def crest(
            x: np.ndarray,
            level: float = level,
            swell: float = swell,
            rate: float = rate,
            phase: float = phase,
        ) -> np.ndarray:
            sharp: np.ndarray = (
                level - swell * 2 * (1 - np.abs(np.sin(x * rate / 2 + phase))) ** 1.5
            )
            return sharp

        parts.append(
            _scenery(
                _ridge(crest), mix(shade, (255, 250, 220), 0.16), mix(shade, (120, 60, 50), 0.14)
            )
        )
    return parts


def _city(colour: str, time: str, rng: random.Random) -> list[Part]:
    low = SKIES[time][2]
    base = lit((104, 112, 150), time)
    lamp = (255, 222, 134) if time in ("night", "dusk") else mix(base, (255, 255, 255), 0.5)
    parts = []
    for haze, tallest, wide in ((0.55, 0.42, 0.12), (0.12, 0.3, 0.16)):
        x = rng.uniform(-0.12, 0.0)
        while x < 1.0:
            width, height = wide * rng.uniform(0.7, 1.15), tallest * rng.uniform(0.5, 1.1)
            shade = mix(mix(base, (60, 50, 90), rng.uniform(0, 0.25)), low, haze)
            parts.append(_scenery(box(x, 0.8 - height, x + width, 0.82), shade))
            if haze < 0.3:
                parts += _windows(x, 0.8 - height, width, height, lamp, rng)
            x += width + rng.uniform(0.0, 0.02)
    road = ground_colour("city", "", time)
    parts.append(_scenery(box(-0.1, 0.8, 1.1, 1.1), mix(road, (255, 255, 255), 0.08), road))
    parts += [
        _scenery(box(x, 0.925, x + 0.09, 0.94), mix(road, (255, 250, 210), 0.6), None, False)
        for x in np.arange(-0.04, 1, 0.18)
    ]
    return parts


def _windows(
    x: float, top: float, width: float, height: float, lamp: RGB, rng: random.Random
) -> list[Part]:
    columns, rows = max(2, int(width / 0.045)), max(2, int(height / 0.06))
    parts = []
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.6:
                left, upper = (
                    x + width * (column + 0.3) / columns,
                    top + height * (row + 0.3) / rows,
                )
                pane = box(left, upper, left + width * 0.4 / columns, upper + height * 0.42 / rows)
                parts.append(_scenery(pane, lamp, None, False))
    return parts


def _space(colour: str, time: str, rng: random.Random) -> list[Part]:
    parts = [Part((EVERYWHERE,), (12, 12, 36), (44, 30, 86), Layer.SKY)]
    parts += _specks(rng, 60, 1.0, (246, 244, 255))
    rock = ground_colour("space", "", "")
    parts.append(
        _scenery(
            ellipse(0.5, 1.86, 1.3, 1.06, 90),
            mix(rock, (255, 255, 255), 0.16),
            mix(rock, (30, 20, 70), 0.5),
        )
    )
    for _ in range(5):
        x, y, across = rng.random(), rng.uniform(0.9, 0.99), rng.uniform(0.02, 0.05)
        parts.append(
            _scenery(
                ellipse(x, y, across, across * 0.35, 20), mix(rock, (40, 30, 80), 0.3), None, False
            )
        )
    return parts


def _room(colour: str, time: str, rng: random.Random) -> list[Part]:
    wall, floor = sky_colour("room", colour, time), ground_colour("room", "", "")
    parts = [
        Part(
            (EVERYWHERE,),
            mix(wall, (255, 255, 255), 0.06),
            mix(wall, (60, 40, 60), 0.06),
            Layer.SKY,
        )
    ]
    left = rng.choice((0.1, 0.62))
    top, _, low = SKIES[time or "day"]
    parts.append(_scenery(box(left, 0.1, left + 0.28, 0.44), (250, 246, 238)))
    parts.append(_scenery(box(left + 0.02, 0.12, left + 0.26, 0.42), top, low))
    parts.append(_scenery(box(left + 0.13, 0.12, left + 0.15, 0.42), (250, 246, 238), None, False))
    parts.append(_scenery(box(left + 0.02, 0.26, left + 0.26, 0.278), (250, 246, 238), None, False))
    parts.append(_scenery(box(-0.1, 0.72, 1.1, 1.1), floor, mix(floor, (60, 30, 40), 0.2)))
    parts += [
        _scenery(box(-0.1, y, 1.1, y + 0.006), mix(floor, (60, 30, 40), 0.3), None, False)
        for y in (0.79, 0.88, 0.98)
    ]
    parts.append(_scenery(box(-0.1, 0.695, 1.1, 0.725), (250, 246, 238)))
    return parts


_PLACES: Mapping[str, Callable[[str, str, random.Random], list[Part]]] = MappingProxyType(
    {
        "sea": _sea,
        "hills": _hills,
        "mountains": _mountains,
        "desert": _desert,
        "city": _city,
        "space": _space,
        "room": _room,
    }
)


def precipitation(weather: str, time: str, rng: random.Random) -> list[Part]:
    """What falls in front of everything."""
    if weather == "rain":
        # Dark before a light sky and light before a dark one, and wide enough to be seen at 128 px.
        light = time in ("dusk", "night")
        colour = (176, 196, 236) if light else (66, 96, 156)
        drops = []
        for _ in range(36):
            x, y, long = rng.uniform(-0.05, 1.05), rng.uniform(-0.05, 1.0), rng.uniform(0.06, 0.1)
            slant = -0.3 * long
            drop = polygon(
                (x, y), (x + 0.014, y), (x + slant + 0.009, y + long), (x + slant, y + long)
            )
            drops.append(Part((drop,), colour, None, Layer.WEATHER, False))
        return drops
    if weather == "snow":
        flakes = []
        for _ in range(36):
            radius = rng.uniform(0.011, 0.02)
            flake = ellipse(rng.random(), rng.random(), radius, steps=12)
            flakes.append(Part((flake,), (250, 252, 255), None, Layer.WEATHER, False))
        return flakes
    return []
