"""Films: how they leave, what is still known of them afterwards, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.artifact import Artifact
from studio.draft import Draft, pieces
from studio.errors import InvalidRequest
from studio.provenance import Provenance, open_provenance
from studio.provenance.fingerprint import NEAR, distance, film_fingerprint
from studio.settings import Settings
from tests.provenance.conftest import CARD, new_job
from tests.provenance.pictures import texture
from tests.provenance.test_media import RATE, melody

FPS = 12


def moving(count: int, height: int = 288, width: int = 320, seed: int = 1) -> np.ndarray:
    """A landscape that passes by: uint8 (count, height, width, 3)."""
    wide = texture(seed, height, width + 2 * count, 1.8)
    return np.stack([wide[:, 2 * at : 2 * at + width] for at in range(count)])


def seal(provenance: Provenance, draft: Draft, format_: str = "mp4") -> Artifact:
    return provenance.sealer.seal(
        draft,
        job=replace(new_job(format=format_), task="film-assembly"),
        card=CARD,
        revision="embedded",
        batch=1,
        versions={},
    )


def recoded(source: Path, target: Path, crf: int = 26, half: bool = False) -> Path:
    """The film, decoded and compressed once more."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        seen = before.streams.video[0]
        stream = after.add_stream("libx264", rate=seen.average_rate, options={"crf": str(crf)})
        stream.width, stream.height = (
            side // (2 if half else 1) for side in (seen.width, seen.height)
        )
        stream.pix_fmt = "yuv420p"
        for frame in before.decode(seen):
            after.mux(stream.encode(frame.reformat(stream.width, stream.height)))
        after.mux(stream.encode(None))
    return target


@pytest.fixture(scope="module")
def spoken(provenance: Provenance) -> Path:
    """A film of six seconds with sound, sealed."""
    arrays = {"frames": moving(6 * FPS, 287, 321), "samples": melody(7)}
    made = seal(provenance, Draft("video", 0, 1, arrays, {"fps": FPS, "rate": RATE}))
    assert made.note.marks.keys() == {"video", "audio"}
    assert not any(mark["weak"] for mark in made.note.marks.values())
    assert made.note.made_with == ()
    return provenance.store.path(made.id)


def test_a_film_has_one_rate_true_colours_and_its_head_first(spoken: Path) -> None:
    whole = spoken.read_bytes()
    assert whole.index(b"moov") < whole.index(b"mdat")
    with av.open(str(spoken)) as film:
        seen, heard = film.streams.video[0], film.streams.audio[0]
        assert (seen.codec_context.name, heard.codec_context.name) == ("h264", "aac")
        assert seen.pix_fmt == "yuv420p"
        # Odd sides have a line more.
        assert (seen.width, seen.height) == (322, 288)
        context = seen.codec_context
        colours = (context.color_primaries, context.color_trc, context.colorspace)
        assert [int(one) for one in colours] == [1, 1, 1]
        assert float(heard.duration * heard.time_base) == pytest.approx(6, abs=0.1)
        steps = np.diff([frame.pts for frame in film.decode(seen)])
    assert len(steps) == 6 * FPS - 1
    assert set(steps) == {steps[0]}


@pytest.mark.parametrize("format_", ["mp4", "webm", "gif"])
def test_colours_arrive_as_they_left(provenance: Provenance, tmp_path: Path, format_: str) -> None:
    colour = np.array([200, 40, 90], np.uint8)
    frames = np.broadcast_to(colour, (4, 64, 64, 3)).copy()
    made = seal(provenance, Draft("video", 0, 1, {"frames": frames}, {"fps": 4}), format_)
    with av.open(str(provenance.store.path(made.id))) as film:
        first = next(film.decode(video=0)).reformat(format="rgb24").to_ndarray()
    assert np.abs(first.mean(axis=(0, 1)) - colour).max() < 5


def test_a_film_posted_elsewhere_is_known_by_what_is_seen_and_by_what_is_heard(
    provenance: Provenance, spoken: Path, tmp_path: Path
) -> None:
    verdict = provenance.verifier.verify(recoded(spoken, tmp_path / "again.mp4"))
    assert verdict.outcome == "marked"
    assert "a film made here" in verdict.sentence
    assert verdict.layers[2].state == "found"
    with av.open(str(spoken)) as film:
        planes = [frame.to_ndarray().T for frame in film.decode(audio=0)]
    soundfile.write(tmp_path / "heard.mp3", np.concatenate(planes), RATE)
    verdict = provenance.verifier.verify(tmp_path / "heard.mp3")
    assert verdict.outcome == "marked"
    assert "it comes from a film made here" in verdict.sentence


def test_a_still_of_a_film_carries_its_mark_and_is_no_forgery(
    provenance: Provenance, spoken: Path, tmp_path: Path
) -> None:
    with av.open(str(spoken)) as film:
        still = next(film.decode(video=0)).to_image()
    for name, options in (("still.png", {}), ("still.jpg", {"quality": 90})):
        still.save(tmp_path / name, **options)
        verdict = provenance.verifier.verify(tmp_path / name)
        assert verdict.outcome == "marked"
        assert "it comes from a film made here" in verdict.sentence
        assert verdict.layers[1].state == "found"
        assert verdict.layers[3].details["artifact"] == spoken.stem


def test_fingerprints_tell_films_apart_and_stand_another_size() -> None:
    films = [moving(24, seed=seed) for seed in range(5)]
    prints = [film_fingerprint(one) for one in films]
    assert min(distance(a, b) for i, a in enumerate(prints) for b in prints[:i]) > NEAR
    assert distance(prints[0], film_fingerprint(films[0][:, ::2, ::2])) <= NEAR
    assert film_fingerprint(np.full((5, 64, 64, 3), 7, np.uint8)) == b""


def test_previews_show_a_film_and_a_sound(provenance: Provenance, spoken: Path) -> None:
    shown = provenance.sealer.preview(spoken.stem)
    sound = Draft("audio", 0, 1, {"samples": melody(8, 2)}, {"rate": RATE})
    for path, size in ((shown, (256, 229)), (None, (256, 96))):
        path = path or provenance.sealer.preview(seal(provenance, sound, "m4a").id)
        with Image.open(path) as preview:
            assert preview.size == size
            assert np.asarray(preview).std() > 10


def test_a_cut_off_film_and_an_endless_one_are_refused_at_once(
    provenance: Provenance, spoken: Path, tmp_path: Path
) -> None:
    whole = recoded(spoken, tmp_path / "plain.mp4").read_bytes()
    endless = tmp_path / "endless.mkv"
    with av.open(str(endless), "w") as film:
        stream = film.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for hour in range(5):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = hour * 3600
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 20])
    empty = tmp_path / "junk.mp4"
    empty.write_bytes(whole[:12] + bytes(5_000))
    for path, words in ((endless, "seconds long"), (cut, "damaged"), (empty, "film")):
        begun = time.monotonic()
        with pytest.raises(InvalidRequest, match=words) as caught:
            provenance.verifier.verify(path)
        assert caught.value.hint
        # Two seconds alone on a machine; others may be at work on this one.
        assert time.monotonic() - begun < 6


def test_what_a_still_film_cannot_hide_is_not_claimed(provenance: Provenance) -> None:
    frames = np.full((6, 64, 64, 3), 128, np.uint8)
    made = seal(provenance, Draft("video", 0, 1, {"frames": frames}, {"fps": 6}))
    assert made.note.marks["video"]["weak"]
    assert made.note.made_with == (
        "no hidden mark claimed in the video: it is too small or too even to hide a number",
    )
    verdict = provenance.verifier.verify(provenance.store.path(made.id))
    assert verdict.layers[0].details["soft_bindings"] == {}


def test_an_array_comes_in_pieces_that_are_all_of_it(tmp_path: Path) -> None:
    whole = np.arange(60, dtype=np.float32).reshape(20, 3)
    np.save(tmp_path / "a.npy", whole)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    for array, wanted in ((whole, whole), (mapped, whole), (mapped[5:], whole[5:])):
        assert np.array_equal(np.concatenate(list(pieces(array, 6))), wanted)
    assert list(pieces(whole[:0])) == []


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_sealing_takes_no_more_memory_for_a_longer_film(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        folder = tmp_path / str(seconds)
        frames = np.tile(moving(2 * FPS, 256, 256), (seconds // 2, 1, 1, 1))
        spool = Draft("video", 0, 1, {"frames": frames}, {"fps": FPS}).spool(folder)
        command = [sys.executable, "-m", __spec__.name, str(folder / "home"), str(spool)]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).parents[2]
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    short, long = peak(8), peak(40)
    assert long < 1.1 * short


def seal_alone(home: Path, spool: Path) -> int:
    """Seal a spooled draft in this process; the most memory that it had, in kilobytes."""
    provenance = open_provenance(Settings(home=home))
    seal(provenance, Draft.unspool(spool))
    provenance.close()
    # What `getrusage` says includes what the parent had when it forked.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    print(seal_alone(*map(Path, sys.argv[1:])))
