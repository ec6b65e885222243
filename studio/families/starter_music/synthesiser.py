"""A small synthesiser: a score in, stereo samples out; numpy and scipy only.

Every pitched note reads two single-cycle tables, a bright and a dark one, band-limited for its
pitch, and fades from one into the other, as strings and pipes do. Bars and bells add inharmonic
partials instead. A hall, a high-pass and a limiter follow. Nothing is random: noise has one seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, fftconvolve, sosfilt

from studio.families.starter_music.timbres import TIMBRES, Timbre
from studio.score import DRUM_KEYS, Score

Samples = NDArray[np.float32]
Doubles = NDArray[np.float64]

RATE = 44100
#: No sample exceeds this: −1 dBFS.
CEILING = 0.891
#: Root mean square of the finished piece, about −17 dBFS.
_LEVEL = 0.14
_TABLE = 4096
_PANNING = {"melody": 0.12, "accompaniment": -0.18, "bass": 0.0, "drums": 0.05}
_BALANCE = {"melody": 0.5, "accompaniment": 0.2, "bass": 0.42, "drums": 0.55}
_HALL_SECONDS = 1.6
#: Samples for which a piece may ring on after its end.
_RINGING = int((_HALL_SECONDS + 1.5) * RATE)


@dataclass(frozen=True)
class Take:
    """A score as it was played, each part on a track of its own.

    Hall and filter are linear, and the limiter turns a stem down as it does the mix: so the stems
    add up to the mix.
    """

    #: By part, float32 (samples,): the piece and what rings on after it.
    tracks: Mapping[str, Samples]
    #: How much of each part the hall gets.
    halls: Mapping[str, float]
    #: Samples of the finished piece, and whether its end leads back to its beginning.
    length: int
    loop: bool

    @staticmethod
    def of(score: Score, seconds: float, loop: bool) -> Take:
        """The score, played for so many seconds.

        With `loop` what rings past the end is folded into the beginning, and filters and limiter
        run round the seam, so that the last sample leads into the first.
        """
        length = round(seconds * RATE)
        # Equal notes are equal sounds, and music repeats itself; they go when the piece is done.
        tone = lru_cache(maxsize=256)(_tone)
        tracks: dict[str, Samples] = {}
        halls: dict[str, float] = {}
        for part in _BALANCE:
            notes = [note for note in score.notes if note.part == part]
            if not notes:
                continue
            line = np.zeros(length + _RINGING, np.float32)
            for note in notes:
                if part == "drums":
                    sound = _drum(note.pitch)
                else:  # lengths lie on a grid of 5 ms, so that more notes are equal
                    held = max(0.03, round(score.seconds(note.length) / 0.005) * 0.005)
                    sound = tone(score.timbres[part], note.pitch, held)
                start = round(score.seconds(note.start) * RATE)
                stop = min(len(line), start + len(sound))
                line[start:stop] += sound[: stop - start] * (note.velocity / 100) ** 1.6
            line *= _BALANCE[part]
            tracks[part] = line
            halls[part] = 0.12 if part == "drums" else TIMBRES[score.timbres[part]].hall
        return Take(tracks, halls, length, loop)

    def mix(self) -> Samples:
        """All parts together, float32 (samples, 2) with every |sample| ≤ `CEILING`."""
        return self._levelled(self._mixed, CEILING)

    def stem(self, part: str) -> Samples:
        """One part as it is heard in the mix, float32 (samples, 2); silence if nobody plays it."""
        return self._levelled(self._heard([part] if part in self.tracks else []), 1.0)

    @cached_property
    def _mixed(self) -> Doubles:
        return self._heard(self.tracks)

    @cached_property
    def _levels(self) -> tuple[float, Doubles]:
        """What brings the mix to one loudness, and its limiter's gain, float64 (samples,)."""
        scale = float(_LEVEL / max(np.sqrt(np.mean(self._mixed**2)), 1e-9))
        # The loudest sample within 5 ms sets the gain, which a mean over 5 ms makes smooth and
        # never larger: every sample in the mean has seen the same peak.
        window = int(0.005 * RATE) | 1
        mode = "wrap" if self.loop else "nearest"
        peak = maximum_filter1d(np.abs(self._mixed * scale).max(axis=0), window, mode=mode)
        wanted = np.minimum(1, CEILING / np.maximum(peak, 1e-9))
        return scale, uniform_filter1d(wanted, window, mode=mode)

    def _levelled(self, heard: Doubles, ceiling: float) -> Samples:
        scale, gain = self._levels
        limited = np.clip(heard * scale * gain, -ceiling, ceiling)
        return np.ascontiguousarray(limited.T, np.float32)

    def _heard(self, parts: Iterable[str]) -> Doubles:
        """These parts in their places in the hall, without offset, float64 (2, samples)."""
        room = self.length + _RINGING
        dry, wet = np.zeros((2, room), np.float32), np.zeros(room, np.float32)
        for part in parts:
            angle = (_PANNING[part] + 1) * np.pi / 4
            dry += np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * self.tracks[part]
            wet += self.tracks[part] * self.halls[part]
        for channel in range(2):
            dry[channel] += fftconvolve(wet, _hall(channel))[:room]
        sections = butter(2, 28, "highpass", fs=RATE, output="sos")
        if not self.loop:
            filtered = sosfilt(sections, dry[:, : self.length])
            fade = min(self.length // 8, int(0.4 * RATE))
            filtered[:, -fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
            return np.asarray(filtered)
        turn = dry[:, : self.length].copy()
        for start in range(self.length, room, self.length):
            tail = dry[:, start : start + self.length]
            turn[:, : tail.shape[1]] += tail
        # The second time round, the filter has forgotten that there was a beginning.
        filtered = sosfilt(sections, np.concatenate([turn, turn], axis=1))[:, self.length :]
        return np.asarray(filtered - filtered.mean(axis=1, keepdims=True))


def _tone(name: str, pitch: int, seconds: float) -> Samples:
    """One note at full velocity, its release included."""
    timbre = TIMBRES[name]
    frequency = 440 * 2 ** ((pitch - 69) / 12 + timbre.octave)
    count = int((seconds + 4 * timbre.release) * RATE)
    time: Samples = np.arange(count, dtype=np.float32) / np.float32(RATE)
    sound = _struck(timbre, frequency, time) if timbre.partials else _waves(timbre, frequency, time)
    if timbre.noise:
        breath = _noise(count) * np.exp(-time / 0.03, dtype=np.float32)
        sound += timbre.noise * breath * 4
    envelope = np.minimum(1, time / timbre.attack)
    if timbre.decay:
        envelope *= np.exp(-time / (timbre.decay * min(1.5, (440 / frequency) ** 0.4)))
    envelope *= np.exp(-np.maximum(0, time - seconds) / timbre.release)
    fade = min(count, 256)
    envelope[-fade:] *= np.linspace(1, 0, fade)
    # Low notes carry more energy for the same loudness to the ear.
    return np.asarray(sound * envelope * timbre.gain * (220 / frequency) ** 0.15, np.float32)


def _waves(timbre: Timbre, frequency: float, time: Samples) -> Samples:
    bright, dark = (_table(h, frequency) for h in (timbre.bright, timbre.dark))
    fading = np.exp(-time / timbre.mellow, dtype=np.float32)
    sway = np.zeros_like(time)
    if timbre.vibrato:
        depth = timbre.vibrato / 1200 * np.log(2) * frequency / (2 * np.pi * 5)
        sway = depth * np.minimum(1, time / 0.5) * np.sin(2 * np.pi * 5 * time)
    sound = np.zeros_like(time)
    for voice in range(timbre.voices):
        spread = 2 * voice / (timbre.voices - 1) - 1 if timbre.voices > 1 else 0.0
        own = frequency * 2 ** (spread * timbre.detune / 1200)
        # Phases in double precision: after minutes a float has no fraction left.
        phase = np.arange(len(time)) * (own / RATE) + sway + voice * 0.37
        place = (phase * _TABLE).astype(np.int64) % _TABLE
        sound += fading * bright[place] + (1 - fading) * dark[place]
    return sound / np.float32(timbre.voices**0.5)


def _struck(timbre: Timbre, frequency: float, time: Samples) -> Samples:
    sound = np.zeros_like(time)
    for ratio, level, decay in timbre.partials:
        if frequency * ratio < RATE / 2.2:
            sound += level * np.exp(-time / decay) * np.sin(2 * np.pi * frequency * ratio * time)
    return sound


def _table(harmonics: tuple[float, ...], frequency: float) -> Samples:
    """One cycle of a wave with these harmonics up to 18 kHz; its root mean square is 0.35."""
    spectrum = np.zeros(_TABLE // 2 + 1, complex)
    for number, level in enumerate(harmonics, 1):
        if number * frequency < 18000:
            # Quadratic phases keep the crest low: the same sound with smaller peaks.
            spectrum[number] = level * np.exp(1j * np.pi * number * number / len(harmonics))
    wave = np.fft.irfft(spectrum)
    return np.asarray(wave * 0.35 / np.sqrt(np.mean(wave**2)), np.float32)


@lru_cache(maxsize=32)
def _drum(key: int) -> Samples:
    """One stroke of a drum, by its General MIDI key."""
    time = np.arange(int(0.9 * RATE), dtype=np.float32) / RATE
    noise = _noise(len(time))
    hiss = _band(noise, 6000, 14000)

    def fall(seconds: float) -> Samples:
        return np.exp(-time / seconds, dtype=np.float32)

    def drop(high: float, low: float, speed: float) -> Samples:
        phase = low * time + (high - low) * speed * (1 - np.exp(-time / speed))
        return np.sin(2 * np.pi * phase, dtype=np.float32)

    name = next(drum for drum, number in DRUM_KEYS.items() if number == key)
    double = np.exp(-np.abs(time - 0.012) / 0.003)
    strokes: Mapping[str, NDArray[np.floating[Any]]] = {
        "kick": drop(170, 48, 0.03) * fall(0.16) + 0.12 * _band(noise, 1500, 5000) * fall(0.004),
        "snare": 0.4 * drop(230, 180, 0.02) * fall(0.07)
        + 0.9 * _band(noise, 1200, 9000) * fall(0.085),
        "rim": 0.5 * np.sin(2 * np.pi * 1700 * time) * fall(0.012)
        + 0.5 * _band(noise, 800, 4000) * fall(0.015),
        "clap": 0.9 * _band(noise, 900, 4500) * (fall(0.09) + double),
        "tom": 0.9 * drop(160, 105, 0.06) * fall(0.17) + 0.1 * _band(noise, 300, 2000) * fall(0.03),
        "hat": 0.7 * hiss * fall(0.025),
        "open": 0.7 * hiss * fall(0.14),
        "ride": 0.45 * hiss * fall(0.22) + 0.05 * np.sin(2 * np.pi * 3170 * time) * fall(0.25),
        "shaker": 0.5 * _band(noise, 4000, 10000) * fall(0.03) * np.minimum(1, time / 0.012),
        "crash": 0.8 * _band(noise, 2500, 13000) * fall(0.3),
    }
    return np.asarray(strokes[name] * np.minimum(1, (0.9 - time) / 0.05), np.float32)


def _noise(count: int) -> Samples:
    return np.random.default_rng(1).standard_normal(count, np.float32) * np.float32(0.3)


def _band(signal: Samples, low: float, high: float) -> Samples:
    sections = butter(2, (low, high), "bandpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(sections, signal), np.float32)


@lru_cache(maxsize=2)
def _hall(channel: int) -> Samples:
    """The impulse response of a small hall: noise that fades and darkens, other for each ear."""
    time = np.arange(int(_HALL_SECONDS * RATE)) / RATE
    noise = np.random.default_rng(10 + channel).standard_normal(len(time)).astype(np.float32)
    high, low = _band(noise, 1500, 7000), _band(noise, 180, 1500)
    response = high * np.exp(-time / 0.16) + low * np.exp(-time / 0.32)
    response[: int(0.012 * RATE)] = 0
    return np.asarray(response / np.sqrt(np.sum(response**2)) * 0.9, np.float32)
