"""Tools for finished pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from studio.draft import Array, Draft
from studio.errors import InvalidRequest

#: Letters are this share of the picture's height, by size.
_SIZES = {"small": 1 / 24, "medium": 1 / 16, "large": 1 / 10}
#: The least margin, as a share of the shorter side.
_MARGIN = 1 / 20
#: DejaVu Sans Bold knows Latin, Greek, Cyrillic and more.
_TYPEFACE = Path(__file__).parent / "dejavu" / "DejaVuSans-Bold.ttf"
#: No character: what the typeface lacks it draws as this.
_UNKNOWN = "\ufffe"


def letter(
    request: Mapping[str, Any], inputs: Mapping[str, Draft]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """A text on a picture, broken into lines that fit, on a band that keeps it legible.

    Raises:
        InvalidRequest: if the typeface lacks a character, or the text does not fit.
    """
    pixels = np.asarray(inputs["image"].arrays["pixels"])
    image = Image.fromarray(pixels[..., :3])
    width, height = image.size
    margin = round(_MARGIN * min(width, height))
    text = " ".join(request["text"].split()) if "\n" not in request["text"] else request["text"]
    font, lines = _fitted(text, width - 2 * margin, height // 2, height * _SIZES[request["size"]])
    spacing = round(font.size * 0.3)
    drawn = "\n".join(lines)
    canvas = ImageDraw.Draw(image, "RGBA")
    left, top, right, bottom = canvas.multiline_textbbox(
        (0, 0), drawn, font=font, spacing=spacing, align="center"
    )
    tall = bottom - top + 2 * margin
    first = {"top": 0, "middle": (height - tall) // 2, "bottom": height - tall}[request["place"]]
    ink, band = ("white", (0, 0, 0, 130)) if request["ink"] == "light" else (
        "black", (255, 255, 255, 150)
    )  # fmt: skip
    canvas.rectangle((0, first, width, first + tall), fill=band)
    corner = ((width - (right - left)) // 2 - left, first + margin - top)
    canvas.multiline_text(corner, drawn, font=font, fill=ink, spacing=spacing, align="center")
    return {"pixels": np.asarray(image)}, {}


def _fitted(
    text: str, width: int, height: int, size: float
) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """The largest typeface up to `size` px with which the text fits, and its lines."""
    font = ImageFont.truetype(_TYPEFACE, size)
    _refuse_unknown(text, font)
    while size >= 8:
        font = font.font_variant(size=size)
        lines = [line for part in text.split("\n") for line in _broken(part, width, font)]
        wide = max(font.getlength(line) for line in lines)
        if wide <= width and len(lines) * size * 1.3 <= height:
            return font, lines
        size *= 0.9
    raise InvalidRequest(
        "text: it does not fit on this picture.", hint="Write less, or take a larger picture."
    )


def _broken(text: str, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _refuse_unknown(text: str, font: ImageFont.FreeTypeFont) -> None:
    box = bytes(font.getmask(_UNKNOWN))
    unknown = sorted({one for one in text if not one.isspace() and bytes(font.getmask(one)) == box})
    if unknown:
        raise InvalidRequest(
            f"text: the typeface has no {' '.join(unknown[:8])}.",
            hint="It has Latin, Greek and Cyrillic letters.",
        )
