"""How soon a long text is heard, and what it takes: 10,000 characters through the whole studio.

    python -m scripts.bench_speech [--json scripts/results/speech.json]

The text becomes 64 files, each sealed as soon as it is said, and the whole of them in the end. The
first is timed from the order, once while no child runs (the usual case for the first order) and
once while one does. Memory is that of the host and of all that it started, looked at every 20 ms:
resident, shared pages counted in every process that has them, so more than the machine gives up.
"""

from __future__ import annotations

import os

os.environ["STUDIO_THREADS"] = "1"

import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import click
import psutil

from scripts.results import Row, publish
from studio.host import Host
from studio.job import Failed, Sealed
from studio.protocol import LOCAL
from studio.settings import Settings

_SENTENCE = "This is sentence number {} of a long text that somebody wants to hear."
PARTS = 64


async def peak(host: psutil.Process) -> float:
    """The highest resident memory of the process and its offspring, in MB, until cancelled."""
    highest = 0.0
    with suppress(asyncio.CancelledError):
        while True:
            resident = 0
            for process in (host, *host.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    resident += process.memory_info().rss
            highest = max(highest, resident / 1e6)
            await asyncio.sleep(0.02)
    return highest


async def speak(host: Host, text: str) -> tuple[float, float]:
    """Seconds from the order to the first file that is there, and to the last."""
    client, began = host.client(LOCAL), time.perf_counter()
    job = await client.submit("text-to-speech", {"text": text, "count": PARTS})
    first = 0.0
    async for event in client.events(job.id):
        match event:
            case Sealed(artifact=artifact) if not first:
                await client.fetch(artifact)
                first = time.perf_counter() - began
            case Failed(error=error):
                raise RuntimeError(error)
    return first, time.perf_counter() - began


async def measure(home: Path) -> list[Row]:
    """All figures."""
    text = " ".join(_SENTENCE.format(number) for number in range(140))
    async with Host(Settings(home=home, spare_bytes=0)) as host:
        watching = asyncio.create_task(peak(psutil.Process()))
        cold, whole = await speak(host, text[:10_000])
        warm, _ = await speak(host, text[:10_000])
        watching.cancel()
        return [
            Row("first of a speech's 64 parts signed, worker to be started", cold, "≤1", "s"),
            Row("first of a speech's 64 parts signed, worker running", warm, "≤1", "s"),
            Row("all 64 parts and the whole speech signed", whole, "≤60", "s"),
            Row("memory of the host and all it started meanwhile", await watching, "≤600", "MB"),
        ]


@click.command(help=__doc__)
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path))
def main(path: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="speech-") as folder:
        publish(asyncio.run(measure(Path(folder) / "home")), path)


if __name__ == "__main__":
    main()
