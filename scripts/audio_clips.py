"""Ten-second clips to measure the sound mark on: real recordings out of Debian packages, or made.

    apt-get download PACKAGE… ; dpkg-deb -x FILE.deb EXTRACTED/PACKAGE    # for each in SOURCES
    python -m scripts.audio_clips EXTRACTED CLIPS

writes CLIPS/development/CLASS/*.wav and CLIPS/final/CLASS/*.wav. The two sets share no package and
no synthetic voice. `joined` sources are short recordings of one speaker or kind, laid end to end;
`VOICES` are spoken by espeak-ng and flite, which have to be installed.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from scipy import signal

RATE = 44_100
SECONDS = 10


@dataclass(frozen=True)
class Source:
    """Recordings in one Debian package."""

    package: str
    pattern: str
    kind: str
    licence: str
    joined: bool = False
    most: int = 30


SOURCES = {
    "development": [
        Source("supertux-data", "**/music/**/*.ogg", "music", "CC-BY-SA/GPL", most=18),
        Source("frozen-bubble-data", "**/*.ogg", "music", "GPL-2"),
        Source("lincity-ng-data", "**/music/**/*.ogg", "music", "CC-BY-SA"),
        Source("singularity-music", "**/*.ogg", "music", "CC-BY-SA", most=8),
        Source("trackballs-data", "**/music/*.ogg", "music", "GPL", most=5),
        Source("asterisk-core-sounds-en-g722", "**/*.g722", "speech", "CC-BY-SA", True, 8),
        Source("asterisk-core-sounds-es-g722", "**/*.g722", "speech", "CC-BY-SA", True, 8),
    ],
    "final": [
        Source("wesnoth-1.16-music", "**/*.ogg", "music", "GPL-2+", most=36),
        Source("warzone2100-music", "**/*.ogg", "music", "CC-BY-SA/GPL", most=14),
        Source("extremetuxracer-data", "**/music/*.ogg", "music", "GPL-2+", most=6),
        Source("hyperrogue-music", "**/music/*.ogg", "music", "CC-BY-SA", most=14),
        Source("colobot-common-sounds", "**/music/*.ogg", "music", "GPL-3+", most=14),
        Source("fillets-ng-data", "**/music/*.ogg", "music", "GPL-2+", most=12),
        Source("hedgewars-data", "**/Music/*.ogg", "music", "GPL/GFDL", most=14),
        Source("marsshooter-data", "**/music/*.ogg", "music", "CC-BY-SA", most=8),
        Source("asterisk-core-sounds-fr-g722", "**/*.g722", "speech", "CC-BY-SA", True, 6),
        Source("asterisk-core-sounds-it-g722", "**/*.g722", "speech", "CC-BY-SA", True, 6),
        Source("asterisk-core-sounds-ru-g722", "**/*.g722", "speech", "CC-BY-SA", True, 6),
        Source("fillets-ng-data", "**/sound/**/*.ogg", "speech", "GPL-2+", True, 8),
        Source("ktuberling-data", "**/*.wav", "speech", "GPL-2+", True, 13),
        Source("ktuberling-data", "**/*.ogg", "speech", "GPL-2+", True, 13),
        Source("klettres-data", "**/*.ogg", "speech", "GPL-2+", True, 14),
        Source("hedgewars-data", "**/voices/**/*.ogg", "speech", "GPL/GFDL", True, 14),
        Source("sonic-pi-samples", "**/*.flac", "instruments", "CC0", True, 12),
    ],
}
VOICES = {
    "development": [
        (
            "espeak-ng",
            "en-us",
            "The keeper wrote the year, the wind and every ship in a long ledger.",
        ),
        ("espeak-ng", "de", "Der Wärter schrieb das Jahr, den Wind und jedes Schiff in ein Buch."),
    ],
    "final": [
        ("espeak-ng", "en-gb+f3", "A colophon says how and where and by whom a book was made."),
        ("espeak-ng", "fr+m2", "Le colophon dit comment, où et par qui un livre a été fait."),
        ("espeak-ng", "it+f2", "Il colofone dice come, dove e da chi un libro è stato fatto."),
        ("espeak-ng", "es+m5", "El colofón dice cómo, dónde y por quién fue hecho un libro."),
        ("espeak-ng", "pt+f4", "O colofão diz como, onde e por quem um livro foi feito."),
        ("espeak-ng", "sv+m3", "Kolofonen säger hur, var och av vem en bok gjordes."),
        ("flite", "kal16", "A colophon says how and where and by whom a book was made."),
        ("flite", "awb", "The printer set the last line, counted the sheets and went home."),
        ("flite", "rms", "Seven hundred copies were made in the spring, on good rag paper."),
        ("flite", "slt", "Nobody remembers the binder, yet every reader has held his work."),
    ],
}


def main() -> None:
    """Write every clip of both sets."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("extracted", type=Path)
    parser.add_argument("clips", type=Path)
    arguments = parser.parse_args()
    for name, sources in SOURCES.items():
        for source in sources:
            folder = arguments.clips / name / source.kind
            for label, clip in _recorded(source, arguments.extracted):
                _write(folder / f"{source.package}-{label}.wav", clip)
        for program, voice, sentence in VOICES[name]:
            path = arguments.clips / name / "synthetic" / f"{program}-{voice}.wav"
            _write(path, _spoken(program, voice, sentence, path))


def _recorded(source: Source, root: Path) -> Iterator[tuple[str, np.ndarray]]:
    paths = [path for path in (root / source.package).glob(source.pattern) if path.is_file()]
    # An order that has nothing to do with the content.
    paths.sort(key=lambda path: zlib.crc32(path.name.encode()))
    if not source.joined:
        kept = 0
        for path in paths:
            sound = decode(path.read_bytes())
            if len(sound) >= SECONDS * RATE and kept < source.most:
                kept += 1
                start = min(len(sound) * 3 // 10, len(sound) - SECONDS * RATE)
                yield path.stem, sound[start : start + SECONDS * RATE]
        return
    folders = sorted(
        {path.parent for path in paths}, key=lambda path: zlib.crc32(str(path).encode())
    )
    each = -(-source.most // max(1, min(len(folders), source.most)))
    made = 0
    for folder in folders:
        parts, length, here = [], 0, 0
        for path in (path for path in paths if path.parent == folder):
            if here == each or made == source.most:
                break
            parts.append(decode(path.read_bytes())[: 6 * RATE])
            length += len(parts[-1])
            if length >= SECONDS * RATE:
                yield f"{folder.parent.name}-{folder.name}-{here}", np.concatenate(parts)
                parts, length, here, made = [], 0, here + 1, made + 1


def decode(data: bytes) -> np.ndarray:
    """Any audio file's bytes as float32 (samples, 2) at `RATE`; empty when it can't be read."""
    kind = None if data[:4] in (b"OggS", b"RIFF", b"fLaC") else "g722"
    try:
        with av.open(io.BytesIO(data), format=kind) as container:
            convert = av.AudioResampler("flt", "stereo", RATE)
            frames = [
                piece for frame in container.decode(audio=0) for piece in convert.resample(frame)
            ]
            frames += convert.resample(None)
    except av.error.FFmpegError:
        return np.zeros((0, 2), np.float32)
    return np.concatenate(
        [frame.to_ndarray().reshape(-1, 2) for frame in frames] or [np.zeros((0, 2), np.float32)]
    )


def _spoken(program: str, voice: str, sentence: str, path: Path) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = " ".join([sentence] * 4)
    command = {
        "espeak-ng": ["espeak-ng", "-v", voice, "-w", str(path), text],
        "flite": ["flite", "-voice", voice, "-t", text, "-o", str(path)],
    }[program]
    subprocess.run(command, check=True)
    sound = decode(path.read_bytes())
    return np.tile(sound, (-(-SECONDS * RATE // len(sound)), 1))


def _write(path: Path, clip: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    clip = clip[: SECONDS * RATE]
    if np.square(clip).mean() > 1e-6:
        soundfile.write(path, clip, RATE, subtype="PCM_16")


def read_clips(folder: Path) -> Iterator[tuple[str, str, np.ndarray, int]]:
    """Class, name, samples (n, channels) and rate of every WAV or FLAC in FOLDER/CLASS/."""
    paths = [path for path in folder.glob("*/*") if path.suffix in (".wav", ".flac")]
    for path in sorted(paths, key=lambda path: zlib.crc32(path.name.encode())):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        yield path.parent.name, path.stem, samples, rate


def made_clips(count: int) -> Iterator[tuple[str, str, np.ndarray, int]]:
    """`count` clips of each of two made kinds: plucked chords with a noisy beat, and babble."""
    for number in range(count):
        generator = np.random.default_rng(number)
        yield "made-music", f"music-{number}", _music(generator), RATE
        yield "made-speech", f"babble-{number}", _babble(generator), RATE


def _music(generator: np.random.Generator) -> np.ndarray:
    total = np.zeros((SECONDS * RATE, 2), np.float32)
    beat = int(RATE * generator.uniform(0.2, 0.5))
    time = np.arange(2 * RATE) / RATE
    for start in range(0, len(total) - len(time), beat):
        pitch = 110 * 2 ** (generator.integers(0, 36) / 12)
        note = sum(
            generator.uniform(0.2, 1) / h * np.sin(2 * np.pi * pitch * h * time + h)
            for h in range(1, 12)
            if pitch * h < 15_000
        )
        drum = generator.standard_normal(len(time)) * np.exp(-time * 40)
        left, right = generator.uniform(0.3, 1, 2)
        sound = 0.08 * note * np.exp(-time * generator.uniform(1, 5)) + 0.05 * drum
        total[start : start + len(time)] += np.stack([left * sound, right * sound], axis=1)
    return total


def _babble(generator: np.random.Generator) -> np.ndarray:
    count = SECONDS * RATE
    time = np.arange(count) / RATE
    pitch = generator.uniform(90, 240) * (
        1 + 0.1 * np.sin(2 * np.pi * generator.uniform(0.3, 2) * time)
    )
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    sound = np.zeros(count)
    syllables = np.interp(time, np.arange(0, SECONDS, 0.2), generator.random(SECONDS * 5))
    for formant in generator.uniform((300, 900, 2200), (800, 1900, 3200)):
        low, high = formant * 0.9 / RATE * 2, formant * 1.1 / RATE * 2
        sound += signal.lfilter(*signal.butter(1, [low, high], "band"), pulses)
    hiss = signal.lfilter([1, -0.9], [1], generator.standard_normal(count)) * 0.02
    sound = sound * (syllables > 0.35) * syllables + hiss * (syllables < 0.3) * 0.3
    return (0.3 * sound / np.abs(sound).max())[:, None].astype(np.float32)


if __name__ == "__main__":
    main()
