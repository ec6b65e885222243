"""Stems: each part of a piece by itself, which together are the piece."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from studio.cards import Card
from studio.catalog import Catalog
from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families.starter_music.synthesiser import Take
from studio.fields import build
from studio.host import Host
from studio.job import Job, Sealed
from studio.parts import Parts
from studio.protocol import LOCAL
from studio.score import DRUM_KEYS, PARTS, Note, Score
from studio.settings import Settings
from studio.sheet import midi
from studio.tasks import TASKS
from tests.hosts import finished, run, settings_for

MUSIC = TASKS["text-to-music"]
#: Loud enough for the limiter to have something to do.
SCORE = Score(
    tempo=120.0,
    metre="4/4",
    key="A minor",
    bars=1,
    timbres={"melody": "flute", "accompaniment": "piano", "bass": "cello"},
    notes=(
        *(Note(480 * beat, 60, DRUM_KEYS["kick"], 124, "drums") for beat in range(4)),
        Note(0, 1900, 69, 100, "melody"),
        *(Note(0, 1900, pitch, 90, "accompaniment") for pitch in (57, 60, 64)),
        Note(0, 1900, 45, 110, "bass"),
    ),
)


@pytest.mark.parametrize("loop", [False, True])
def test_stems_add_up_to_the_mix(loop: bool) -> None:
    take = Take.of(SCORE, 2.0, loop)
    mix, stems = take.mix(), {part: take.stem(part) for part in PARTS}
    # Half a step of 16 bits is a hundred times as much.
    np.testing.assert_allclose(sum(stems.values()), mix, atol=2e-7)
    for part, stem in stems.items():
        assert stem.shape == mix.shape
        assert 0.01 < np.abs(stem).max() < 1, part
    without = Take.of(Score(**{**vars(SCORE), "notes": SCORE.notes[4:]}), 2.0, loop)
    assert not without.stem("drums").any()


def test_the_whole_of_stems_is_their_sum_and_has_all_their_notes(tmp_path: Path) -> None:
    parts, rng = Parts(tmp_path), np.random.default_rng(1)
    stems = rng.normal(0, 0.1, (4, 600_000, 2)).astype(np.float32)
    request = {"stems": True, "count": 4, "seed": 5}
    job = Job("a" * 32, LOCAL, MUSIC.id, "starter-music", request, 0, 0.0)
    for index, (part, samples) in enumerate(zip(PARTS, stems, strict=True)):
        told = {"rate": 44_100, "loop": True, "stem": part, "score": SCORE.only(part).record()}
        draft = Draft("audio", index, 5 + index, {"samples": samples}, told)
        parts.keep(job.id, draft.spool(tmp_path / "spool"))
    whole = parts.whole(job).checked("audio", 4, 5)
    np.testing.assert_allclose(whole.arrays["samples"], stems.sum(axis=0), atol=1e-6)
    assert set(whole.facts) == {"rate", "loop", "score"}
    score = Score.from_record(whole.facts["score"])
    assert sorted(score.notes, key=repr) == sorted(SCORE.notes, key=repr)
    assert [note.start for note in score.notes] == sorted(note.start for note in SCORE.notes)
    parts.discard(job.id)
    assert not (tmp_path / job.id).exists()


def test_a_piece_comes_in_stems_each_signed_and_then_whole(home: Path) -> None:
    async def test() -> None:
        async with Host(settings_for(home)) as host:
            client = host.client(LOCAL)
            asked = {"prompt": "calm piano in A minor", "duration": 3.0, "seed": 7}
            job = await client.submit("compose", {**asked, "stems": True})
            told = [
                event.index async for event in client.events(job.id) if isinstance(event, Sealed)
            ]
            assert (sorted(told), told[-1]) == ([0, 1, 2, 3, 4], 4), "the mix comes last"
            found = [await client.artifact(one) for one in (await client.job(job.id)).artifacts]
            *stems, mix = found
            assert [stem.note.about["stem"] for stem in stems] == list(PARTS)
            assert mix.note.parents == tuple(stem.id for stem in stems)
            assert "stem" not in mix.note.about
            heard = [soundfile.read(await client.fetch(one.id))[0] for one in found]
            # Each has a mark of its own, which nobody hears.
            assert np.corrcoef(sum(heard[:-1]).ravel(), heard[-1].ravel())[0, 1] > 0.99
            once = await finished(client, (await client.submit("compose", asked)).id)
            alone = await client.artifact(once.artifacts[0])
            assert alone.note.about["score"] == mix.note.about["score"], "the same piece"
            samples = soundfile.read(await client.fetch(alone.id))[0]
            assert np.corrcoef(samples.ravel(), heard[-1].ravel())[0, 1] > 0.99
            bass = Score.from_record(stems[2].note.about["score"])
            tracks = mido.MidiFile(file=io.BytesIO(midi(bass, stems[2].id))).tracks
            assert [track.name for track in tracks[1:]] == ["bass"]

    run(test)


def test_only_models_that_have_stems_are_asked_for_them(home: Path) -> None:
    catalog = Catalog.open(Settings(home=home))
    asked = build(MUSIC.request, {"prompt": "a tune", "stems": True})
    composer = catalog.choose(MUSIC, asked)
    assert composer.studio.stems == PARTS
    assert composer.narrow(MUSIC, asked).count == len(PARTS)
    again = composer.narrow(MUSIC, composer.narrow(MUSIC, asked))
    assert again.count == len(PARTS), "what was made can be made again"
    with pytest.raises(InvalidRequest, match="one piece at a time"):
        composer.narrow(MUSIC, asked.model_copy(update={"count": 2}))
    other: Card = catalog["musicgen-small"]
    assert "stems" not in {spec.name for spec in other.fields(MUSIC)}
    with pytest.raises(InvalidRequest, match=r"stems: .* cannot do that"):
        other.narrow(MUSIC, asked)
    catalog.drop(composer.name)
    with pytest.raises(Unavailable, match="that can do this"):
        catalog.choose(MUSIC, asked)
