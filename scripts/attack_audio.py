"""How often the sound mark survives: recovery of the exact number, by attack and class of clip.

    python -m scripts.attack_audio [CLIPS/development …] [--final CLIPS/final] [--json FILE]

Each folder holds CLASS/NAME.wav (see audio_clips.py, which lists the recordings and their
packages); without one, clips are made up. The final set is for one run of a frozen design.
Every clip is marked once, with a number of its own, then attacked; every attack is followed by one
thorough read with the right key. The unmarked clip is read as well, whole, and must hold nothing.
Intervals are Wilson's, 95 %. Noise-to-mask is ITU-R BS.1387's (see audio_quality.py).
"""

from __future__ import annotations

import argparse
import io
import json
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy import signal

from scripts.audio_clips import made_clips, read_clips
from scripts.audio_quality import noise_to_mask
from scripts.train_starter.measures import wilson
from studio.provenance.marks.audio import SoundMark

Attack = Callable[[np.ndarray, int], tuple[np.ndarray, int]]
Clip = tuple[str, str, np.ndarray, int]


def through(codec: str, container: str, bits: int, rate: int | None = None) -> Attack:
    """Encode and decode with a codec at a bit rate."""

    def attack(samples: np.ndarray, own: int) -> tuple[np.ndarray, int]:
        target = rate or own
        data = io.BytesIO()
        with av.open(data, "w", format=container) as output:
            layout = "stereo" if samples.shape[1] == 2 else "mono"
            stream = output.add_stream(codec, rate=target, bit_rate=bits, layout=layout)
            convert = av.AudioResampler(stream.format, layout, target, frame_size=stream.frame_size)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.reshape(1, -1)), format="flt", layout=layout
            )
            frame.sample_rate = own
            for part in [frame, None]:
                for piece in convert.resample(part):
                    output.mux(stream.encode(piece))
            output.mux(stream.encode(None))
        data.seek(0)
        with av.open(data) as source:
            decoded = [frame.to_ndarray() for frame in source.decode(audio=0)]
        sound = np.concatenate(decoded, axis=1).T
        return np.ascontiguousarray(sound, np.float32), target

    return attack


def filtered(*filters: tuple[str, str]) -> Attack:
    """Pass through FFmpeg's audio filters."""

    def attack(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        graph = av.filter.Graph()
        layout = "stereo" if samples.shape[1] == 2 else "mono"
        source = graph.add_abuffer(sample_rate=rate, format="flt", layout=layout)
        last = source
        for name, options in [*filters, ("aformat", f"sample_fmts=flt:sample_rates={rate}")]:
            node = graph.add(name, options)
            last.link_to(node)
            last = node
        sink = graph.add("abuffersink")
        last.link_to(sink)
        graph.configure()
        pieces: list[np.ndarray] = []

        def drain() -> None:
            while True:
                try:
                    frame = graph.pull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    return
                pieces.append(frame.to_ndarray().reshape(-1, samples.shape[1]))

        for start in range(0, len(samples), 4096):
            part = np.ascontiguousarray(samples[start : start + 4096].reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            graph.push(frame)
            drain()
        graph.push(None)
        drain()
        return np.concatenate(pieces), rate

    return attack


def tempo(factor: float) -> Attack:
    """Other tempo at the same pitch."""
    return filtered(("atempo", str(factor)))


def pitch(factor: float) -> Attack:
    """Other pitch at the same tempo."""
    return filtered(("asetrate", str(int(44_100 * factor))), ("atempo", str(1 / factor)))


def speed(factor: float) -> Attack:
    """Tempo and pitch together, as a tape does."""

    def attack(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        ratio = Fraction(factor).limit_denominator(1000)
        return signal.resample_poly(samples, ratio.denominator, ratio.numerator, axis=0), rate

    return attack


def noise(decibels: float) -> Attack:
    """White noise at a signal-to-noise ratio."""

    def attack(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        generator = np.random.default_rng(len(samples))
        level = np.sqrt(np.square(samples).mean() / 10 ** (decibels / 10))
        return samples + level * generator.standard_normal(samples.shape), rate

    return attack


def crop(share: float) -> Attack:
    """Only a share of the clip, from an odd place."""

    def attack(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        start = int(len(samples) * (1 - share) * 0.37)
        return samples[start : start + int(len(samples) * share)], rate

    return attack


def resampled(target: int) -> Attack:
    """At another sampling rate."""

    def attack(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        ratio = Fraction(target, rate)
        return signal.resample_poly(samples, ratio.numerator, ratio.denominator, axis=0), target

    return attack


#: The attacks that the goals name, and the share that each should reach.
GOALS = {
    "MP3 64k": 0.99,
    "Opus 32k": 0.99,
    "16 kHz": 0.99,
    "noise 20 dB": 0.99,
    "speed +2 %": 0.99,
    "speed −2 %": 0.99,
    "crop 50 %": 0.97,
    "tempo +2 %": 0.95,
    "tempo −2 %": 0.95,
}
ATTACKS: dict[str, Attack] = {
    "none": lambda samples, rate: (samples, rate),
    "MP3 64k": through("libmp3lame", "mp3", 64_000),
    "Opus 32k": through("libopus", "ogg", 32_000, 48_000),
    "16 kHz": resampled(16_000),
    "noise 20 dB": noise(20),
    "speed +2 %": speed(1.02),
    "speed −2 %": speed(0.98),
    "crop 50 %": crop(0.5),
    "tempo +2 %": tempo(1.02),
    "tempo −2 %": tempo(0.98),
    "AAC 64k": through("aac", "adts", 64_000),
    "speed +1.37 %": speed(1.0137),
    "pitch +2 %": pitch(1.02),
    "crop 25 %": crop(0.25),
    "crop 50 % + MP3 64k": lambda s, r: ATTACKS["MP3 64k"](*crop(0.5)(s, r)),
    "mono": lambda samples, rate: (samples.mean(axis=1, keepdims=True), rate),
    "upside down": lambda samples, rate: (-samples, rate),
    "compressor": filtered(("acompressor", "threshold=0.05:ratio=6:makeup=2")),
}


def measure(
    clips: Iterable[Clip], names: list[str], unmarked: bool, keep: Callable[[dict], None]
) -> dict:
    """Mark, attack and read every clip; `keep` gets the record so far after each."""
    mark = SoundMark({"bench": b"a secret for measuring only".ljust(32, b".")})
    hits: dict[str, dict[str, list[int]]] = {attack: defaultdict(list) for attack in names}
    ratios: dict[str, list[float]] = defaultdict(list)
    times: dict[str, list[float]] = defaultdict(list)
    record = {
        "attacks": hits,
        "wrong": 0,
        "false": 0,
        "noise_to_mask": ratios,
        "misses": [],
        "marked": {},
        "cpu_seconds": times,
    }

    def read(samples: np.ndarray, rate: int, what: str) -> int | None:
        begin = time.process_time()
        found = mark.detect(np.asarray(samples, np.float32), rate)
        times[what if found is None else found.path].append(time.process_time() - begin)
        return None if found is None else found.payload

    for kind, name, samples, rate in clips:
        payload = zlib.crc32(name.encode()) << 16 | 0xC0F0
        begin = time.process_time()
        marked = mark.embed(samples, rate, payload)
        times["embed"].append(time.process_time() - begin)
        ratios[kind].append(noise_to_mask(samples, marked.samples, rate))
        record["marked"][name] = [marked.strength_db, marked.margin, marked.weak]
        if unmarked:
            record["false"] += read(samples, rate, "nothing") is not None
        for attack in names:
            found = read(*ATTACKS[attack](marked.samples, rate), "missed")
            hits[attack][kind].append(int(found == payload))
            record["wrong"] += found not in (None, payload)
            if found != payload:
                record["misses"].append([attack, kind, name])
        keep(record)
    return record


def false_positives(clips: Iterable[Clip], keys: int) -> tuple[int, int]:
    """Read unmarked clips with many made-up keys: (readings, marks found, which should be none)."""
    readings = found = 0
    for number, (_, _, samples, rate) in enumerate(clips):
        made_up = {f"{n}": f"{number}/{n}".encode().ljust(32, b".") for n in range(keys)}
        found += SoundMark(made_up).detect(samples, rate, thorough=False) is not None
        readings += keys
    return readings, found


def show(title: str, record: dict) -> None:
    """Print one table."""
    kinds = list(record["noise_to_mask"])
    print(f"\n{title}: " + ", ".join(f"{k} {len(v)}" for k, v in record["noise_to_mask"].items()))
    for attack, by_kind in record["attacks"].items():
        every = [hit for kind in by_kind.values() for hit in kind]
        back = wilson(sum(every), len(every))
        share = sum(every) / len(every)
        goal = GOALS.get(attack)
        verdict = "" if goal is None else f"goal {goal:.2f} {'met' if share >= goal else 'MISSED'}"
        cells = "  ".join(f"{k} {sum(by_kind[k])}/{len(by_kind[k])}" for k in kinds)
        print(
            f"{attack:20s} {sum(every):4d}/{len(every)} {share:.3f} "
            f"[{back.low:.3f}, {back.high:.3f}] {verdict:16s} {cells}"
        )
    ratios = record["noise_to_mask"]
    means = ", ".join(f"{k} {np.mean(v):.1f} (worst {np.max(v):.1f})" for k, v in ratios.items())
    every = np.concatenate(list(ratios.values()))
    print(f"noise to mask, dB: all {every.mean():.2f}; {means}")
    print(f"wrong numbers {record['wrong']}; marks in unmarked clips {record['false']}")
    print(f"recorded as weak: {sum(weak for _, _, weak in record['marked'].values())}")
    times = record["cpu_seconds"].items()
    print(
        "cpu seconds: " + ", ".join(f"{k} {np.mean(v):.2f} (worst {max(v):.2f})" for k, v in times)
    )
    for miss in record["misses"]:
        print("missed:", *miss, *record["marked"][miss[2]])


def main() -> None:
    """Measure the sets that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="development sets")
    parser.add_argument("--final", type=Path, help="a set for one run of a frozen design")
    parser.add_argument("--goals", action="store_true", help="only the attacks that goals name")
    parser.add_argument("--most", type=int, default=10_000, help="clips per set")
    parser.add_argument("--marked-only", action="store_true", help="don't read unmarked clips")
    parser.add_argument("--keys", type=int, help="only read the unmarked clips, with N keys each")
    parser.add_argument("--json", type=Path, help="where to write all results")
    arguments = parser.parse_args()
    names = list(GOALS) if arguments.goals else list(ATTACKS)
    sets = {str(folder): read_clips(folder) for folder in arguments.folders}
    if arguments.final:
        sets["final"] = read_clips(arguments.final)
    records = {}
    for title, clips in (sets or {"made": made_clips(6)}).items():
        if arguments.keys:
            readings, found = false_positives(clips, arguments.keys)
            print(f"{title}: {readings} unmarked readings, {found} marks found")
            continue
        chosen = (clip for number, clip in enumerate(clips) if number < arguments.most)

        def keep(record: dict, title: str = title) -> None:
            records[title] = record
            if arguments.json:
                arguments.json.write_text(json.dumps(records, indent=1), encoding="utf-8")

        show(title, measure(chosen, names, not arguments.marked_only, keep))


if __name__ == "__main__":
    main()
