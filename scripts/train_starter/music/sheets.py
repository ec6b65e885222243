"""Piano rolls with their sound below: pictures to look at where nobody can listen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.signal import spectrogram

from studio.families.starter_music.synthesiser import RATE
from studio.score import Score

_COLOURS = {
    "melody": (230, 90, 60),
    "accompaniment": (90, 140, 220),
    "bass": (70, 170, 110),
    "drums": (150, 150, 150),
}
_WIDTH, _ROLL, _SOUND = 900, 190, 90


def sheet(score: Score, samples: NDArray[np.float32], title: str) -> Image.Image:
    """One piece: its notes over time, bar lines, and the spectrogram of what was synthesised."""
    picture = Image.new("RGB", (_WIDTH, _ROLL + _SOUND + 18), (18, 18, 24))
    draw = ImageDraw.Draw(picture)
    draw.text((4, 3), title, (235, 235, 235))
    seconds = len(samples) / RATE
    numerator, denominator = (int(part) for part in score.metre.split("/"))
    bar = score.seconds(480 * 4 * numerator / denominator)
    for number in range(int(seconds / bar) + 1):
        x = number * bar / seconds * _WIDTH
        draw.line((x, 18, x, 18 + _ROLL), (60, 60, 70) if number % 4 else (110, 110, 120))
    for note in score.notes:
        left = score.seconds(note.start) / seconds * _WIDTH
        right = score.seconds(note.start + note.length) / seconds * _WIDTH
        row = 18 + _ROLL - 6 if note.part == "drums" else 18 + _ROLL - 14 - (note.pitch - 28) * 2.6
        shade = tuple(
            int(value * (0.4 + 0.6 * note.velocity / 127)) for value in _COLOURS[note.part]
        )
        draw.rectangle(
            (
                left,
                row - 1 - (note.pitch % 5 if note.part == "drums" else 0),
                max(left + 1, right - 1),
                row + 1,
            ),
            fill=shade,
        )
    frequencies, _, power = spectrogram(samples.mean(axis=1), RATE, nperseg=2048, noverlap=1536)
    rows = np.searchsorted(frequencies, np.geomspace(16000, 40, _SOUND)).clip(
        0, len(frequencies) - 1
    )
    shade = np.clip((10 * np.log10(power[rows] + 1e-12) + 95) / 70, 0, 1) * 255
    picture.paste(Image.fromarray(shade.astype(np.uint8)).resize((_WIDTH, _SOUND)), (0, 18 + _ROLL))
    return picture


def stacked(sheets: list[Image.Image]) -> Image.Image:
    """Several sheets, one below the other."""
    whole = Image.new("RGB", (_WIDTH, sum(sheet.height for sheet in sheets)))
    top = 0
    for one in sheets:
        whole.paste(one, (0, top))
        top += one.height
    return whole
