"""The picture mark survives what happens to pictures, is hardly seen, and is never imagined."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable

import numpy as np
import pytest

from studio.draft import Draft
from studio.provenance.marks import Marked, MarkKey
from studio.provenance.marks.code import CHECK_BITS, LENGTH, Code
from studio.provenance.marks.image import MOST_TRIES, ImageMark
from tests.provenance.pictures import cropped, flat, jpeg, mirrored, resized, texture, turned

OLD, NEW = MarkKey("old", b"o" * 32), MarkKey("new", b"n" * 32)
PICTURES = {
    **{f"flat {seed}": flat(seed) for seed in range(12)},
    **{f"texture {seed}": texture(seed) for seed in range(4)},
    "wide texture": texture(9, 384, 640),
    "rough texture": texture(5, roughness=1.0),
}
ATTACKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nothing": lambda pixels: pixels,
    "jpeg 50": lambda pixels: jpeg(pixels, 50),
    "resized to half": lambda pixels: resized(pixels, 0.5),
    "resized to 0.7, jpeg 70": lambda pixels: jpeg(resized(pixels, 0.7), 70),
    "resized to double": lambda pixels: resized(pixels, 2),
    "half the area": lambda pixels: cropped(pixels, 0.5),
    "turned by 5 degrees": lambda pixels: turned(pixels, 5),
    "turned by 90 degrees": lambda pixels: np.rot90(pixels).copy(),
    "mirrored": mirrored,
    "mirrored, cropped, jpeg 75": lambda pixels: jpeg(cropped(mirrored(pixels), 0.7), 75),
    "squeezed to 0.9": lambda pixels: resized(pixels, 1, aspect=0.9),
    "stretched to 1.1": lambda pixels: resized(pixels, 1, aspect=1.1),
}


def picture(pixels: np.ndarray) -> Draft:
    return Draft("image", 0, 0, {"pixels": pixels})


@pytest.fixture(scope="module")
def mark() -> ImageMark:
    return ImageMark([NEW, OLD])


@pytest.fixture(scope="module")
def marked(mark: ImageMark) -> dict[str, tuple[int, Marked]]:
    """Every picture with a number of its own; always the same ones, since how much survives of one
    in a hundred depends on it. `scripts/attack_marks.py` draws them anew."""
    draw = random.Random(1)
    numbers = {name: draw.getrandbits(48) for name in PICTURES}
    return {
        name: (numbers[name], mark.embed(picture(pixels), numbers[name]))
        for name, pixels in PICTURES.items()
    }


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_number_survives(
    mark: ImageMark, marked: dict[str, tuple[int, Marked]], attack: str
) -> None:
    lost = []
    for name, (number, result) in marked.items():
        attacked = ATTACKS[attack](result.draft.arrays["pixels"])
        found = mark.detect(picture(attacked), thorough=True)
        assert found is None or found.payload == number, f"a wrong number in {name}"
        if found is None:
            lost.append(name)
    assert not lost


def test_marks_are_hard_to_see(marked: dict[str, tuple[int, Marked]]) -> None:
    noise = [result.psnr for _, result in marked.values()]
    assert np.mean(noise) >= 40
    assert min(noise) >= 37
    for name, (_, result) in marked.items():
        before = PICTURES[name].astype(float)
        error = np.mean((result.draft.arrays["pixels"] - before) ** 2)
        assert result.psnr == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)


def test_the_draft_itself_stays_unmarked(mark: ImageMark) -> None:
    draft = picture(texture(0))
    before = draft.digest()
    mark.embed(draft, 1)
    assert draft.digest() == before


def test_nothing_is_found_where_nothing_is(mark: ImageMark) -> None:
    for seed in range(200):
        unmarked = flat(seed, 256) if seed % 2 else texture(seed, 256, 256)
        assert mark.detect(picture(unmarked), thorough=False) is None
    for pixels in list(PICTURES.values())[::3]:
        assert mark.detect(picture(pixels), thorough=True) is None


def test_a_full_search_is_wrong_less_than_once_in_a_million(mark: ImageMark) -> None:
    assert MOST_TRIES * 2.0**-CHECK_BITS < 1e-6
    squeezed = resized(mark.embed(picture(texture(6)), 9).draft.arrays["pixels"], 1, aspect=0.9)
    found = mark.detect(picture(squeezed), thorough=True)
    assert found is not None
    assert found.tries <= MOST_TRIES
    assert found.chance == found.tries * 2.0**-CHECK_BITS


@pytest.mark.parametrize("pasted", [0, 0.25, 0.5, 0.75])
def test_marking_again_leaves_the_new_number_alone(mark: ImageMark, pasted: float) -> None:
    """As after an edit: most of a marked picture stays, and a part of it is new."""
    for seed in range(5):
        unmarked = flat(seed) if seed % 2 else texture(seed)
        first = ImageMark([OLD]) if seed == 4 else mark
        edited = first.embed(picture(unmarked), 1000 + seed).draft.arrays["pixels"].copy()
        side = int(512 * pasted**0.5)
        edited[:side, :side] = np.roll(unmarked, 97, axis=1)[:side, :side]
        again = mark.embed(picture(edited), 2000 + seed)
        assert again.psnr >= 37
        shown = again.draft.arrays["pixels"]
        for attacked in (shown, jpeg(shown, 50), cropped(shown, 0.5)):
            found = mark.detect(picture(attacked), thorough=True)
            assert found is not None
            assert found.payload == 2000 + seed


def test_an_older_key_still_reads_and_a_foreign_one_does_not() -> None:
    with_old = ImageMark([OLD]).embed(picture(texture(3)), 12345)
    cropped_ = picture(cropped(with_old.draft.arrays["pixels"], 0.6))
    found = ImageMark([NEW, OLD]).detect(cropped_, thorough=True)
    assert found is not None
    assert (found.payload, found.key) == (12345, "old")
    assert ImageMark([NEW]).detect(cropped_, thorough=True) is None


def test_transparency_stays_and_transparent_places_are_left_alone(mark: ImageMark) -> None:
    pixels = np.dstack([texture(1), np.full((512, 512), 255, np.uint8)])
    pixels[:200, :200, 3] = 0
    result = mark.embed(picture(pixels), 77).draft.arrays["pixels"]
    assert np.array_equal(result[..., 3], pixels[..., 3])
    assert np.array_equal(result[:200, :200], pixels[:200, :200])
    on_black = (result[..., :3] * (result[..., 3:] / 255)).astype(np.uint8)
    for shown in (result, on_black):
        found = mark.detect(picture(shown), thorough=True)
        assert found is not None
        assert found.payload == 77


def test_grey_pictures_are_marked(mark: ImageMark) -> None:
    grey = texture(2)[..., :1].repeat(3, axis=2)
    result = mark.embed(picture(grey), 5).draft.arrays["pixels"]
    assert np.array_equal(result[..., 0], result[..., 1])
    found = mark.detect(picture(jpeg(result, 50)), thorough=False)
    assert found is not None
    assert found.payload == 5


@pytest.mark.parametrize("side", [64, 128, 248])
def test_small_pictures_are_called_weak(mark: ImageMark, side: int) -> None:
    assert mark.embed(picture(flat(1, side)), 5).weak


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (7, 9)])
def test_absurd_shapes_are_read_without_harm(mark: ImageMark, shape: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    assert mark.detect(picture(pixels), thorough=True) is None


def test_the_code_corrects_a_fifth_of_wrong_signs() -> None:
    code = Code()
    random = np.random.default_rng(1)
    numbers = [secrets.randbits(48) for _ in range(50)]
    words = np.stack([code.encode(number) for number in numbers])
    wrong = np.where(random.random((50, LENGTH)) < 0.1, -words, words)
    assert code.decode(wrong.astype(np.float32)) == numbers
    noise = random.standard_normal((500, LENGTH)).astype(np.float32)
    assert code.decode(noise).count(None) >= 499
