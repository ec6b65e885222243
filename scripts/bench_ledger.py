"""How long the ledger takes to find a row among a million: `python -m scripts.bench_ledger`.

    python -m scripts.bench_ledger [--rows N] [--json FILE]

Fills one ledger, with a chain that holds, then asks for rows by
mark, by file and by likeness: pictures that are in it with 0 to 40 bits changed, and pictures that
are not. The search is exact, so recall is 1 by construction; it is measured all the same.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scripts.results import Row, publish
from studio.provenance.fingerprint import LENGTH, NEAR
from studio.provenance.ledger import Entry, Ledger

#: How often each question is asked.
ROUNDS = 50
#: Rows that are written at once.
BLOCK = 10_000
SAMPLE = Entry(
    artifact="",
    kind="image",
    media_type="image/png",
    sha256="",
    draft_sha256="0" * 64,
    mark="",
    mark_alg="org.example.mark",
    mark_key="00000000",
    mark_weak=False,
    fingerprint="",
    signing_key="0" * 16,
    owner="0" * 32,
    task="text-to-image",
    card="bench",
    revision="embedded",
    parents=(),
    created=1.0,
)


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        publish(measure(Path(folder) / "ledger.sqlite", arguments.rows), arguments.json)


def measure(path: Path, count: int) -> list[Row]:
    """All figures for a ledger of `count` rows in `path`."""
    ledger = Ledger(path, b"k" * 32)
    begun = time.perf_counter()
    for place in range(0, count, BLOCK):
        ledger.append(*(entry(one) for one in range(place, min(place + BLOCK, count))))
    print(f"{count} rows in {time.perf_counter() - begun:.0f} s")
    begun = time.perf_counter()
    ledger.nearest(bytes(LENGTH))
    building = time.perf_counter() - begun
    random = np.random.default_rng(2)
    places = random.integers(0, count, ROUNDS)
    marks = [f"{place:012x}" for place in places]
    files = [f"{place:064x}" for place in places]
    found = [ledger.by_mark(mark) for mark in marks]
    known = [bytes.fromhex(one.fingerprint) for one in found if one]
    rows = [
        Row(
            f"an output found by its mark among {count:,}, median",
            middle(ledger.by_mark, marks),
            "≤50",
            "ms",
        ),
        Row(
            f"an output found by its SHA-256 among {count:,}, median",
            middle(ledger.by_sha256, files),
            "≤50",
            "ms",
        ),
        Row(
            f"a picture found by its likeness among {count:,}, median",
            middle(ledger.nearest, known),
            "≤50",
            "ms",
        ),
        Row(
            f"an unknown picture looked for among {count:,}, median",
            middle(ledger.nearest, [secrets.token_bytes(LENGTH) for _ in known]),
            "≤50",
            "ms",
        ),
    ]
    for bits in (0, 15, 16, 24, 32, NEAR):
        hits = 0
        for print_ in known:
            nearest = ledger.nearest(changed(print_, bits, random))
            hits += nearest is not None and nearest[0].fingerprint == print_.hex()
        rows.append(
            Row(
                f"pictures found with {bits} bits of their fingerprint changed",
                hits / len(known),
                "≥1",
                "of all",
            )
        )
    rows.append(Row(f"making the index of {count:,} fingerprints anew", building, "≤60", "s"))
    ledger.close()
    return rows


def entry(place: int) -> Entry:
    """A row with a random fingerprint, and a mark and a file that count upwards."""
    return replace(
        SAMPLE,
        artifact=f"{place:032x}",
        mark=f"{place:012x}",
        sha256=f"{place:064x}",
        fingerprint=secrets.token_hex(LENGTH),
    )


def changed(print_: bytes, bits: int, random: np.random.Generator) -> bytes:
    """`print_` with exactly `bits` bits turned over."""
    digits = np.unpackbits(np.frombuffer(print_, np.uint8))
    digits[random.choice(digits.size, bits, replace=False)] ^= 1
    return np.packbits(digits).tobytes()


def middle(ask: Callable[[Any], object], questions: Sequence[object]) -> float:
    """Milliseconds of wall time that `ask` takes, the median over `questions`."""
    times = []
    for question in questions:
        begun = time.perf_counter()
        ask(question)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
