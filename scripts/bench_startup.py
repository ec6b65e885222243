"""What the studio costs before anybody has asked for anything, against Gradio alone.

    python -m scripts.bench_startup [--json scripts/results/startup.json]

Start-up is processor time, so that other programs matter less: `studio up` in an empty home until
its page answers, against `import gradio` alone, each the best of three. Memory and idle time are
those of the host a while after its start, its worker and models left out.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import httpx
import psutil

from scripts.results import Row, publish

RUNS = 3
#: Seconds until a host that has started is at rest, and for how long it is watched then.
REST_SECONDS = 25.0
IDLE_SECONDS = 20.0

BARE = """
import gradio
with gradio.Blocks() as page:
    gradio.Markdown("x")
page.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True)
print(page.local_url, flush=True)
import time
time.sleep(600)
"""


def imported() -> float:
    """Processor seconds of `import gradio`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import gradio"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spent(process: psutil.Process) -> float:
    """The process's processor seconds so far, its children's left out."""
    times = process.cpu_times()
    return float(times.user + times.system)


def watch(command: list[str], home: Path) -> tuple[float, float, float]:
    """Processor seconds until its page answers; then megabytes, and share of a core, at rest."""
    environment = os.environ | {
        "STUDIO_HOME": str(home),
        "STUDIO_PORT": "0",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        try:
            url = running.stdout.readline().split()[-1]
            httpx.get(url, timeout=60, trust_env=False, follow_redirects=True).raise_for_status()
            process = psutil.Process(running.pid)
            started = spent(process)
            time.sleep(REST_SECONDS)
            before = spent(process)
            time.sleep(IDLE_SECONDS)
            idle = (spent(process) - before) / IDLE_SECONDS
            return started, process.memory_info().rss / 1e6, idle
        finally:
            running.terminate()


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Measure and print."""
    gradio = min(imported() for _ in range(RUNS))
    with tempfile.TemporaryDirectory() as folder:
        bare = watch([sys.executable, "-c", BARE], Path(folder))
    runs = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(watch([sys.executable, "-m", "studio", "up"], Path(folder) / "home"))
    start, memory, idle = (min(values) for values in zip(*runs, strict=True))
    print(
        f"import gradio {gradio:.2f} s; a bare Gradio page {bare[0]:.2f} s, {bare[1]:.0f} MB, "
        f"{100 * bare[2]:.2f} % of a core; the studio {start:.2f} s, {100 * idle:.2f} %"
    )
    publish(
        [
            Row(
                "starting the studio / importing Gradio alone, processor time",
                start / gradio,
                "≤1.3",
                "×",
            ),
            Row("memory of the idle host", memory, "≤250", "MB"),
            Row(
                "processor share of the idle studio above a bare Gradio page's",
                100 * (idle - bare[2]),
                "≤1",
                "%",
            ),
        ],
        path,
    )


if __name__ == "__main__":
    main()
