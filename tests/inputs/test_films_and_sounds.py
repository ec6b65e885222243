"""Films and sounds that people bring along: what is known of them, and what a family gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.inputs import Inputs
from studio.job import Job
from studio.provenance import Provenance, open_provenance
from studio.provenance.manifest import read
from studio.settings import Settings
from studio.tasks import TASKS
from studio.tasks.assembly import FilmAssembly
from tests.provenance.conftest import CARD, new_draft, new_job
from tests.provenance.pictures import texture


@pytest.fixture(scope="module")
def provenance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provenance]:
    opened = open_provenance(Settings(home=tmp_path_factory.mktemp("home")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def inputs(provenance: Provenance) -> Inputs:
    return Inputs(
        provenance.sealer.settings, provenance.store, provenance.verifier, provenance.consents
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of one tone."""
    path = tmp_path_factory.mktemp("sound") / "tone.wav"
    soundfile.write(path, np.sin(np.arange(64_000) / 20) * 0.5, 32_000)
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, ten frames a second: the left half red, the right half blue; and a tone."""
    path = tmp_path_factory.mktemp("film") / "film.mov"
    with av.open(str(path), "w") as container:
        seen = container.add_stream("libx264", rate=10)
        seen.width, seen.height, seen.pix_fmt = 96, 64, "yuv420p"
        heard = container.add_stream("aac", rate=48_000)
        heard.layout = "mono"
        pixels = np.zeros((64, 96, 3), np.uint8)
        pixels[:, :48, 0] = pixels[:, 48:, 2] = 200
        for _ in range(20):
            container.mux(seen.encode(av.VideoFrame.from_ndarray(pixels)))
        tone = np.sin(np.arange(96_000) / 20).astype(np.float32)[None] * 0.5
        block = av.AudioFrame.from_ndarray(tone, "flt", "mono")
        block.sample_rate = 48_000
        container.mux(heard.encode(block))
        container.mux(seen.encode(None))
        container.mux(heard.encode(None))
    return path


def assembly(**fields: Any) -> Job:
    request = FilmAssembly(**fields).model_dump()
    return replace(new_job(), task="film-assembly", request=request)


def test_uploads_say_what_they_are(inputs: Inputs, film: Path, sound: Path) -> None:
    first = inputs.take("ann", film, "mine.mov")
    assert (first.kind, first.width, first.height) == ("video", 96, 64)
    assert first.media_type == "video/mp4"
    assert first.seconds == pytest.approx(2, abs=0.05)
    second = inputs.take("ann", sound, "tone.wav")
    assert (second.kind, second.media_type, second.seconds) == ("audio", "audio/wav", 2.0)
    assert second.width is None


def test_a_family_gets_frames_and_samples(inputs: Inputs, film: Path, sound: Path) -> None:
    scene, voice = (inputs.take("ann", path, path.name).id for path in (film, sound))
    job = replace(assembly(scenes=[scene], narration=[voice]), owner="ann")
    opened = inputs.open(job)
    shown = Draft.unspool(opened.drafts["scenes.0"])
    frames = shown.arrays["frames"]
    assert (frames.shape, shown.facts["fps"]) == ((20, 64, 96, 3), 10)
    assert np.abs(frames[7, 30, 20].astype(int) - [200, 0, 0]).max() < 12
    assert np.abs(frames[7, 30, 80].astype(int) - [0, 0, 200]).max() < 12
    assert shown.arrays["samples"].shape[1] == 1
    assert len(shown.arrays["samples"]) == pytest.approx(96_000, abs=2048)
    assert shown.facts["rate"] == 48_000
    said = Draft.unspool(opened.drafts["narration.0"])
    assert (said.arrays["samples"].shape, said.facts["rate"]) == ((64_000, 1), 32_000)
    assert [one.relation for one in opened.ingredients] == ["componentOf", "componentOf"]
    inputs.close(job.id)


def test_a_sound_is_no_scene(inputs: Inputs, sound: Path) -> None:
    job = replace(assembly(scenes=[inputs.take("ann", sound, "t").id]), owner="ann")
    with pytest.raises(InvalidRequest, match="scenes takes a picture or a film"):
        inputs.open(job)


def test_too_many_pixels_in_all_are_refused_before_they_are_decoded(
    inputs: Inputs, tmp_path: Path
) -> None:
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        # A frame that nobody fills holds whatever lay in memory, which makes the file too large.
        black = np.zeros((1080 * 3 // 2, 1920), np.uint8)
        for second in range(300):
            frame = av.VideoFrame.from_ndarray(black, format="yuv420p")
            frame.pts = second
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    job = replace(assembly(scenes=[inputs.take("ann", path, "long").id]), owner="ann")
    with pytest.raises(InvalidRequest, match="too long to be worked on"):
        inputs.open(job)


def test_a_photograph_of_48_megapixels_is_checked_and_opened(
    inputs: Inputs, provenance: Provenance, tmp_path: Path
) -> None:
    path = tmp_path / "photograph.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    small = Image.fromarray(texture(3, 600, 800))
    small.resize((8000, 6000)).save(path, "JPEG", quality=80, exif=exif)
    assert provenance.verifier.verify(path).outcome == "none"
    upload = inputs.take("ann", path, "photograph.jpg")
    assert (upload.width, upload.height) == (6000, 8000)


@pytest.mark.parametrize("relation", ["inputTo", "componentOf"])
def test_what_was_only_used_is_no_parent_and_the_statement_holds(
    inputs: Inputs, provenance: Provenance, tmp_path: Path, relation: str, film: Path
) -> None:
    scene = inputs.take("ann", film, "film").id
    job = replace(assembly(scenes=[scene]), owner="ann")
    (used,) = inputs.open(job).ingredients
    made = provenance.sealer.seal(
        new_draft(texture(9)),
        job=new_job(),
        card=CARD,
        revision="embedded",
        ingredients=[replace(used, relation=relation)],
        batch=1,
        versions={},
    )
    with provenance.store.path(made.id).open("rb") as file:
        report = read(file, made.media_type, provenance.keys.root_pem())
    assert (report.state, report.problems) == ("trusted", ())
    assert [one["relation"] for one in report.ingredients] == [relation]
    inputs.close(job.id)


def test_no_task_has_two_parents() -> None:
    for task in TASKS.values():
        markers = [
            (one, field.annotation)
            for field in task.request.model_fields.values()
            for one in field.metadata
            if getattr(one, "relation", None) == "parentOf"
        ]
        assert len(markers) <= 1, task.id
