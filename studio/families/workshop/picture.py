"""Tools for finished pictures, and for all pictures of a film."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from studio.draft import Array, Draft
from studio.errors import InvalidRequest
from studio.families.larger import enlarged, filtered
from studio.families.workshop.inputs import several

Pixels = NDArray[np.uint8]

#: Letters are this share of the picture's height, by size.
_SIZES = {"small": 1 / 24, "medium": 1 / 16, "large": 1 / 10}
#: The least margin, as a share of the shorter side.
_MARGIN = 1 / 20
#: What the letters and the band behind them are coloured with, and how much the band covers of 255.
_INKS = {"light": ((255, 255, 255), (0, 0, 0)), "dark": ((0, 0, 0), (255, 255, 255))}
_VEIL = 140
#: DejaVu Sans Bold knows Latin, Greek, Cyrillic and more.
_TYPEFACE = Path(__file__).parent / "dejavu" / "DejaVuSans-Bold.ttf"
#: No character: what the typeface lacks it draws as this.
_UNKNOWN = "\ufffe"


def letter(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """A text on a picture, broken into lines that fit, on a band that keeps it legible.

    Raises:
        InvalidRequest: if the typeface lacks a character, or the text does not fit.
    """
    pixels = np.asarray(inputs["image"].arrays["pixels"])
    image = Image.fromarray(pixels[..., :3])
    written = band(
        request["text"],
        image.size,
        place=request["place"],
        letters=request["size"],
        ink=request["ink"],
    )
    image.paste(Image.fromarray(written), mask=Image.fromarray(written[..., 3]))
    return {"pixels": np.asarray(image)}, {}


def band(
    text: str, size: tuple[int, int], *, place: str, letters: str, ink: str = "light"
) -> Pixels:
    """A text on a band, to be laid over something of `size`: uint8 (height, width, 4), RGBA.

    Raises:
        InvalidRequest: if the typeface lacks a character, or the text does not fit.
    """
    width, height = size
    margin = round(_MARGIN * min(width, height))
    text = text.strip() if "\n" in text.strip() else " ".join(text.split())
    font, lines = _fitted(text, width - 2 * margin, height // 2, height * _SIZES[letters])
    spacing = round(font.size * 0.3)
    drawn = "\n".join(lines)
    colour, behind = _INKS[ink]
    over = Image.new("RGBA", size, (*behind, 0))
    canvas = ImageDraw.Draw(over)
    left, top, right, bottom = canvas.multiline_textbbox(
        (0, 0), drawn, font=font, spacing=spacing, align="center"
    )
    tall = bottom - top + 2 * margin
    first = {"top": 0, "middle": (height - tall) // 2, "bottom": height - tall}[place]
    canvas.rectangle((0, first, width, first + tall), fill=(*behind, _VEIL))
    corner = ((width - (right - left)) // 2 - left, first + margin - top)
    canvas.multiline_text(
        corner, drawn, font=font, fill=(*colour, 255), spacing=spacing, align="center"
    )
    return np.array(over)


def sheet(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """All the pictures in rows, a line under each.

    Raises:
        InvalidRequest: if there are more lines than pictures, or one that cannot be written.
    """
    pictures, captions = list(several(inputs, "images").values()), request["captions"]
    if len(captions) > len(pictures):
        raise InvalidRequest(
            f"captions: there are {len(captions)}, and only {len(pictures)} pictures.",
            hint="Give one for each picture, in their order, or fewer.",
        )
    side, columns = int(request["side"]), min(int(request["columns"]), len(pictures))
    gap = max(8, side // 16)
    font = ImageFont.truetype(_TYPEFACE, max(11, side / 18))
    line = round(font.size * 1.3)
    under = 2 * line + gap // 2 if any(captions) else 0
    above = round(3.5 * font.size) if request["title"] else 0
    rows = -(-len(pictures) // columns)
    size = (columns * (side + gap) + gap, rows * (side + under + gap) + gap + above)
    paper = Image.new("RGB", size, "white")
    canvas = ImageDraw.Draw(paper)
    if request["title"]:
        large = font.font_variant(size=font.size * 1.6)
        (heading,) = _clipped(request["title"], size[0] - 2 * gap, large, most=1)
        canvas.text((gap, gap), heading, font=large, fill="black")
    for number, draft in enumerate(pictures):
        picture = Image.fromarray(np.asarray(draft.arrays["pixels"])).convert("RGB")
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        left = gap + number % columns * (side + gap)
        top = gap + above + number // columns * (side + under + gap)
        paper.paste(picture, (left + (side - picture.width) // 2, top + side - picture.height))
        if number < len(captions):
            for row, words in enumerate(_clipped(captions[number], side, font, most=2)):
                canvas.text(
                    (left, top + side + gap // 2 + row * line), words, font=font, fill="black"
                )
        tell((number + 1) / len(pictures))
    return {"pixels": np.asarray(paper)}, {}


def convert(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The picture as it is, or smaller, if its longest side is to be; never larger."""
    pixels = np.asarray(inputs["image"].arrays["pixels"])
    longest = request["longest"]
    if longest is None or max(pixels.shape[:2]) <= longest:
        return {"pixels": pixels}, {}
    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return {"pixels": np.asarray(image)}, {}


def enlarge(
    request: Mapping[str, Any], inputs: Mapping[str, Draft], tell: Callable[[float], None]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The picture or film larger by a filter, which adds no detail; see `enlarged`."""
    return enlarged(request, inputs, filtered, tell)


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


def _clipped(text: str, width: int, font: ImageFont.FreeTypeFont, most: int) -> list[str]:
    """The text in `most` lines of `width` px; what does not fit ends with an ellipsis."""
    _refuse_unknown(text, font)
    lines = _broken(text, width, font)
    kept = lines[:most]
    for number, line in enumerate(kept):
        cut = number == most - 1 and len(lines) > most
        while line and font.getlength(line + "…" * cut) > width:
            line, cut = line[:-1], True
        kept[number] = line.rstrip() + "…" * cut
    return kept


def _refuse_unknown(text: str, font: ImageFont.FreeTypeFont) -> None:
    box = bytes(font.getmask(_UNKNOWN))
    unknown = sorted({one for one in text if not one.isspace() and bytes(font.getmask(one)) == box})
    if unknown:
        raise InvalidRequest(
            f"text: the typeface has no {' '.join(unknown[:8])}.",
            hint="It has Latin, Greek and Cyrillic letters.",
        )
