"""Mastering, on sounds whose levels are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from studio.errors import InvalidRequest
from studio.mastering import CEILING, Samples, fade, loop, measure, mix, normalise, resample, trim

RATE = 48_000


def tone(seconds: float = 2.0, level: float = 0.5, hertz: float = 997.0) -> Samples:
    """A sine, float32 (n, 1)."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[:, None]


def test_a_full_scale_tone_has_the_loudness_that_the_standard_gives() -> None:
    # BS.1770-4, annex 1: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LUFS.
    levels = measure(tone(level=1.0), RATE)
    assert levels.loudness == pytest.approx(-3.01, abs=0.05)
    assert levels.peak == pytest.approx(0, abs=0.01)


def test_a_sound_is_as_loud_as_the_standards_own_filters_say() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (10 * RATE, 2)).astype(np.float32)
    # BS.1770-4, annex 1, tables 1 and 2: its two filters, at 48 kHz.
    shelf = [1.53512485958697, -2.69169619938640, 1.19839281085285]
    heard = lfilter(shelf, [1, -1.69065929318241, 0.73248077421585], noise, axis=0)
    heard = lfilter([1, -2, 1], [1, -1.99004745483398, 0.99007225036621], heard, axis=0)
    expected = -0.691 + 10 * np.log10(np.square(heard).mean(axis=0).sum())
    assert measure(noise, RATE).loudness == pytest.approx(expected, abs=0.02)
    # What is far softer than the rest does not count.
    longer = np.concatenate([noise, noise * np.float32(0.01)])
    assert measure(longer, RATE).loudness == pytest.approx(expected, abs=0.1)
    assert measure(noise[:, :1], RATE).loudness == pytest.approx(expected - 3.01, abs=0.05)


def test_silence_short_sounds_offsets_and_clipping_are_told() -> None:
    assert measure(np.zeros((RATE, 2), np.float32), RATE).loudness is None
    assert measure(np.full((1, 1), 0.5, np.float32), RATE).loudness is None
    assert measure(tone() + np.float32(0.1), RATE).offset == pytest.approx(0.1, abs=0.001)
    assert measure(np.clip(tone(level=2.0), -1, 1), RATE).clipped > RATE / 2
    with pytest.raises(InvalidRequest):
        measure(np.full((RATE, 1), np.nan, np.float32), RATE)


def test_normalising_reaches_the_loudness_and_never_the_ceiling() -> None:
    quiet = normalise(tone(level=0.9) + np.float32(0.05), RATE, -23)
    levels = measure(quiet, RATE)
    assert levels.loudness == pytest.approx(-23, abs=0.1)
    assert abs(levels.offset) < 1e-4
    assert np.abs(normalise(tone(), RATE, 0)).max() <= np.float32(CEILING)
    with pytest.raises(InvalidRequest):
        normalise(np.zeros((RATE, 1), np.float32), RATE, -16)


def test_trimming_takes_the_silence_and_fading_begins_and_ends_in_it() -> None:
    silence = np.zeros((RATE, 1), np.float32)
    trimmed = trim(np.concatenate([silence, tone(), silence]), RATE)
    assert len(trimmed) == pytest.approx(2.1 * RATE, abs=RATE / 100)
    assert len(trim(silence, RATE)) == RATE
    faded = fade(tone(), RATE, fade_in=0.5, fade_out=1.0)
    assert faded[0] == faded[-1] == 0
    assert np.abs(faded[: RATE // 10]).max() < 0.2 < np.abs(faded[RATE // 2 :]).max()


def test_resampling_keeps_the_pitch_and_the_length() -> None:
    changed = resample(tone(), RATE, 32_000)
    assert len(changed) == 64_000
    spectrum = np.abs(np.fft.rfft(changed[:32_000, 0]))
    assert spectrum.argmax() == 997


def test_a_loops_end_leads_to_its_beginning() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (3 * RATE, 2)).astype(np.float32)
    closed = loop(noise, RATE, 1.0)
    assert closed.shape == (2 * RATE, 2)
    # What is heard after the end is what came there before; one second on, all is as it was.
    np.testing.assert_array_equal(closed[0], noise[2 * RATE])
    np.testing.assert_array_equal(closed[RATE:], noise[RATE : 2 * RATE])
    # Neither half is louder: the powers of strangers add up.
    assert closed[:RATE].std() == pytest.approx(noise.std(), rel=0.02)


def test_music_steps_back_while_somebody_speaks() -> None:
    voice = np.concatenate([np.zeros((2 * RATE, 1), np.float32), tone(2.0, 0.3, 300.0)])
    mixed = mix(voice, tone(1.0, 0.5, 3000.0), RATE, duck=12)
    assert mixed.shape == (5 * RATE, 2)

    def music(first: float) -> float:
        part = mixed[round(first * RATE) : round((first + 0.5) * RATE), 0]
        return float(np.abs(np.fft.rfft(part))[1500])

    assert 20 * np.log10(music(0.5) / music(3.2)) == pytest.approx(12, abs=0.5)
    assert np.abs(mixed).max() <= np.float32(CEILING)
