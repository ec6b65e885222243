"""The film mark survives codecs, cuts and other frame rates, and is never imagined."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import numpy as np
import pytest

from studio.draft import Draft
from studio.provenance.marks import Marked, MarkKey
from studio.provenance.marks.film import GROUP, FilmMark
from tests.provenance.pictures import flat, texture

KEY = MarkKey("film", b"f" * 32)
NUMBER = 0xC0FFEE123456


def film(seed: int, count: int = 40) -> np.ndarray:
    """A cloud that passes behind a shape at rest."""
    wide, shape = texture(seed, 256, 256 + count), flat(seed, 256)
    frames = np.stack([wide[:, t : t + 256] for t in range(count)])
    frames[:, 64:192, 64:192] = shape[64:192, 64:192]
    return frames


def draft(frames: np.ndarray) -> Draft:
    return Draft("video", 0, 0, {"frames": frames}, {"fps": 24})


def recoded(frames: np.ndarray, codec: str, crf: int) -> np.ndarray:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=24, options={"crf": str(crf)})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


@pytest.fixture(scope="module")
def mark() -> FilmMark:
    return FilmMark([KEY])


@pytest.fixture(scope="module")
def marked(mark: FilmMark) -> Marked:
    return mark.embed(draft(film(1)), NUMBER)


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
def test_the_number_survives_a_codec(mark: FilmMark, marked: Marked, codec: str) -> None:
    found = mark.detect(draft(recoded(marked.draft.arrays["frames"], codec, 28)), thorough=False)
    assert found is not None
    assert found.payload == NUMBER


@pytest.mark.parametrize("kept", [slice(25, None), slice(None, None, 3), slice(None, None, -1)])
def test_the_number_survives_cuts_and_frame_rates(
    mark: FilmMark, marked: Marked, kept: slice
) -> None:
    found = mark.detect(draft(marked.draft.arrays["frames"][kept]), thorough=False)
    assert found is not None
    assert found.payload == NUMBER


def test_streaming_gives_the_same_frames_and_holds_one_group(
    mark: FilmMark, marked: Marked
) -> None:
    taken = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in film(1):
            taken += 1
            yield frame

    stream = mark.stream(frames(), NUMBER)
    first = next(stream)
    assert taken == GROUP
    assert np.array_equal(np.stack([first, *stream]), marked.draft.arrays["frames"])


def test_unmarked_and_empty_films_have_no_number(mark: FilmMark) -> None:
    assert mark.detect(draft(film(2)), thorough=True) is None
    assert mark.read([], thorough=True) is None


def test_the_mark_is_faint_and_says_how_faint(marked: Marked) -> None:
    difference = marked.draft.arrays["frames"].astype(float) - film(1)
    error = np.mean(np.square(difference), axis=(1, 2, 3))
    assert marked.psnr == pytest.approx(10 * np.log10(255**2 / error.max()), abs=0.01)
    assert marked.psnr >= 39.5
