"""The sound mark survives what happens to sound, and nothing else reads as one."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.provenance.marks import MarkKey
from studio.provenance.marks.audio import FAINTEST, LOUDEST, AudioMark, SoundMark
from studio.provenance.marks.audio_carrier import BLOCK, PERIOD, Carrier
from studio.provenance.marks.audio_masking import (
    RATE,
    SIZE,
    Hiding,
    density,
    from_spectra,
    spectra,
)
from studio.provenance.marks.audio_reading import THRESHOLD

Floats = NDArray[np.float32]

PAYLOAD = 0xC0107C0107AB
KEYS = {"new": b"n" * 32, "old": b"o" * 32}


@pytest.fixture(scope="module")
def mark() -> SoundMark:
    return SoundMark(KEYS)


def music(seconds: float, rate: int = 44_100, channels: int = 2, seed: int = 0) -> Floats:
    """Plucked notes and noisy drums, panned about."""
    generator = np.random.default_rng(seed)
    sound = np.zeros((int(seconds * rate) + 2 * rate, channels), np.float32)
    time = np.arange(2 * rate) / rate
    for start in range(0, len(sound) - len(time), rate // 3):
        pitch = 110 * 2 ** (generator.integers(0, 30) / 12)
        note = sum(np.sin(2 * np.pi * pitch * h * time + h) / h for h in range(1, 9))
        drum = generator.standard_normal(len(time)) * np.exp(-time * 40)
        pan = generator.uniform(0.3, 1, channels)
        sound[start : start + len(time)] += np.outer(
            0.06 * note * np.exp(-2 * time) + 0.05 * drum, pan
        ).astype(np.float32)
    return sound[: int(seconds * rate)]


def speech(seconds: float, rate: int = 44_100) -> Floats:
    """Pulses through formants, in syllables, with hissing between them; one channel."""
    generator = np.random.default_rng(7)
    time = np.arange(int(seconds * rate)) / rate
    pitch = 130 * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time))
    pulses = np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0)
    voice = sum(
        signal.lfilter(*signal.butter(1, [f * 0.9, f * 1.1], "band", fs=rate), pulses)
        for f in (600, 1300, 2600)
    )
    loud = np.interp(time, np.arange(0, seconds, 0.2), generator.random(int(seconds * 5)))
    hiss = 0.02 * np.diff(generator.standard_normal(len(time)), prepend=0)
    sound = np.where(loud > 0.35, voice * loud, hiss)
    return (0.3 * sound / np.abs(sound).max())[:, None].astype(np.float32)


@pytest.fixture(scope="module")
def song(mark: SoundMark) -> Floats:
    """Ten marked seconds of stereo at 44.1 kHz."""
    return mark.embed(music(10), 44_100, PAYLOAD).samples


def at(samples: Floats, ratio: float) -> Floats:
    part = Fraction(ratio).limit_denominator(500)
    changed = signal.resample_poly(samples, part.numerator, part.denominator, axis=0)
    return np.asarray(changed, np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_reads_back_at_every_rate(mark: SoundMark, rate: int, channels: int) -> None:
    sound = music(6, rate, channels)
    marked = mark.embed(sound, rate, PAYLOAD)
    found = mark.detect(marked.samples, rate, thorough=False)
    assert found is not None
    assert (found.payload, found.key, found.path) == (PAYLOAD, "new", "direct")
    assert marked.samples.shape == sound.shape
    assert marked.samples.dtype == np.float32
    assert np.abs(marked.samples).max() <= 1


def test_speech_like_sound_carries_it(mark: SoundMark) -> None:
    marked = mark.embed(speech(10), 44_100, PAYLOAD)
    found = mark.detect(at(marked.samples, 16_000 / 44_100), 16_000)
    assert found is not None
    assert found.payload == PAYLOAD


@pytest.mark.parametrize("played", [0.98, 1.0113, 1.03])
def test_survives_another_speed(mark: SoundMark, song: Floats, played: float) -> None:
    found = mark.detect(at(song, 1 / played), 44_100)
    assert found is not None
    assert found.payload == PAYLOAD
    assert found.speed == pytest.approx(played, abs=2e-3)


def test_survives_a_change_of_tempo(mark: SoundMark, song: Floats) -> None:
    """Every 100 ms two milliseconds are cut out, which leaves pitch as it was."""
    length, kept = 4410, 4322
    fade = np.linspace(0, 1, length - kept, dtype=np.float32)[:, None]
    pieces = []
    for start in range(0, len(song) - 2 * length, length):
        piece = song[start : start + kept].copy()
        if start:
            before = song[start - length + kept : start]
            piece[: len(fade)] = piece[: len(fade)] * fade + before * (1 - fade)
        pieces.append(piece)
    found = mark.detect(np.concatenate(pieces), 44_100)
    assert found is not None
    assert (found.payload, found.path) == (PAYLOAD, "tempo")


def test_survives_cropping_noise_a_channel_and_a_turned_sign(mark: SoundMark, song: Floats) -> None:
    generator = np.random.default_rng(1)
    noise = generator.standard_normal(song.shape) * np.sqrt(np.square(song).mean() / 100)
    for harmed in (song[123_457:343_957], song + noise, song[:, 1:], -song):
        found = mark.detect(harmed.astype(np.float32), 44_100)
        assert found is not None
        assert found.payload == PAYLOAD


def test_a_draft_goes_in_and_comes_out() -> None:
    sound = AudioMark([MarkKey(name, secret) for name, secret in KEYS.items()])
    draft = Draft("audio", 0, 1, {"samples": music(6)}, {"rate": 44_100})
    marked = sound.embed(draft, PAYLOAD)
    assert marked.key == "new"
    assert 30 < marked.psnr < 90
    found = sound.detect(marked.draft, thorough=False)
    assert found is not None
    assert (found.payload, found.key) == (PAYLOAD, "new")
    assert found.geometry == {"speed": 1.0, "tempo": False, "second": 0.0}
    assert sound.detect(draft, thorough=False) is None


def test_says_how_surely(mark: SoundMark, song: Floats) -> None:
    found = mark.detect(song, 44_100)
    assert found is not None
    assert found.strength > THRESHOLD
    assert found.chance == found.tries * 2**-24


def test_an_older_key_still_reads_and_says_so(song: Floats) -> None:
    rotated = SoundMark({"newest": b"x" * 32, **KEYS})
    found = rotated.detect(song, 44_100)
    assert found is not None
    assert (found.payload, found.key) == (PAYLOAD, "new")


def test_a_wrong_key_and_an_unmarked_sound_hold_nothing(mark: SoundMark, song: Floats) -> None:
    assert SoundMark({"other": b"?" * 32}).detect(song, 44_100) is None
    assert mark.detect(music(10, seed=3), 44_100) is None


@pytest.mark.parametrize("length", [1, 2, 399, 1000, 20_000])
def test_shards_are_recorded_as_weak(mark: SoundMark, length: int) -> None:
    shard = music(1, 48_000)[:length] + np.float32(0.1)
    marked = mark.embed(shard, 48_000, PAYLOAD)
    assert marked.weak
    assert marked.samples.shape == shard.shape
    assert mark.detect(marked.samples, 48_000) is None


@pytest.mark.parametrize("length", [0, 1, 60_000])
def test_silence_stays_silent(mark: SoundMark, length: int) -> None:
    silence = np.zeros((length, 2), np.float32)
    marked = mark.embed(silence, 48_000, PAYLOAD)
    assert marked.weak
    assert not marked.samples.any()
    assert mark.detect(silence, 48_000) is None


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.full((4000, 1), np.nan, np.float32), 44_100),
        (np.full((4000, 1), np.inf, np.float32), 44_100),
        (np.zeros(4000, np.float32), 44_100),
        (np.zeros((4000, 0), np.float32), 44_100),
        (np.zeros((4000, 1), np.float32), 0),
    ],
)
def test_what_is_no_sound_is_refused(mark: SoundMark, samples: Floats, rate: int) -> None:
    with pytest.raises(InvalidRequest):
        mark.embed(samples, rate, PAYLOAD)
    with pytest.raises(InvalidRequest):
        mark.detect(samples, rate)


def test_no_louder_than_it_has_to_be(mark: SoundMark) -> None:
    long, short = (mark.embed(music(seconds), 44_100, PAYLOAD) for seconds in (20, 3))
    assert FAINTEST <= long.strength_db < short.strength_db == LOUDEST
    assert long.peak_to_mark > short.peak_to_mark


def test_the_mark_lies_below_what_the_sound_masks(mark: SoundMark) -> None:
    sound = music(5, RATE, 1)
    marked = mark.embed(sound, RATE, PAYLOAD)
    threshold = Hiding().threshold(sound[:, 0])
    added = density(spectra((marked.samples - sound)[:, 0]))
    used = slice(10, 150)
    ratio = added[:, used].mean(axis=1) / threshold[:, used].mean(axis=1)
    assert 10 * np.log10(np.median(ratio)) < LOUDEST + 0.5


def test_pieces_join_without_a_seam(mark: SoundMark) -> None:
    """What is added to a steady sound is as loud around the joint of two pieces as elsewhere."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((45 * 16_000, 1)).astype(np.float32)
    added = (mark.embed(noise, 16_000, PAYLOAD).samples - noise)[:, 0]
    steps = np.abs(np.diff(added))
    assert steps[20 * 16_000 - 50 : 20 * 16_000 + 50].max() < 1.5 * steps.max(initial=0)
    for second in (0, 15, 35):
        part = (noise[:, 0] + added)[second * 16_000 : (second + 10) * 16_000, None]
        found = mark.detect(part, 16_000, thorough=False)
        assert found is not None
        assert found.payload == PAYLOAD


def test_memory_stays_flat_for_a_long_sound(mark: SoundMark) -> None:
    """Five minutes need no more than half a minute does, besides the marked sound itself."""
    peaks = []
    for seconds in (40, 300):
        sound = np.resize(music(20, 32_000, 1), (seconds * 32_000, 1))
        tracemalloc.start()
        marked = mark.embed(sound, 32_000, PAYLOAD)
        found = mark.detect(marked.samples[7 * 32_000 :], 32_000, thorough=False)
        peaks.append(tracemalloc.get_traced_memory()[1] - marked.samples.nbytes)
        tracemalloc.stop()
        assert found is not None
        assert found.payload == PAYLOAD
    assert peaks[1] < 1.2 * peaks[0]


def test_averaging_marked_sounds_leaves_no_pilots() -> None:
    carrier = Carrier.of("key", b"k" * 32)
    payloads = np.random.default_rng(0).integers(0, 2**48, 64).tolist()
    mean = np.mean([carrier.period(payload) for payload in payloads], axis=0)
    alone = np.sqrt(np.square(carrier.period(1)).mean())
    assert np.sqrt(np.square(mean).mean()) < 1.3 * alone / np.sqrt(64)


def test_a_carrier_is_the_same_for_ever() -> None:
    """A changed carrier would orphan everything that was ever marked."""
    period = Carrier.of("key", bytes(range(32))).period(0x123456789ABC)
    assert len(period) == PERIOD * BLOCK
    assert period[:4].tolist() == pytest.approx(FIRST_SAMPLES, rel=1e-3)


FIRST_SAMPLES = [-27.89328, 0.32227, -46.13295, 17.25052]


def test_spectra_give_the_samples_back() -> None:
    sound = music(1, RATE, 1)[:, 0]
    again = from_spectra(spectra(sound), len(sound))
    # The first and the last window have no partners outside.
    inside = slice(SIZE, -SIZE)
    assert again[inside] == pytest.approx(sound[inside], abs=1e-5)
