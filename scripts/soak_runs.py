"""Kills the host of a long batch again and again, and counts: every row made, and made once.

    python -m scripts.soak_runs [--rows 1000] [--kills 10]

The lane makes noise without a device; the jobs, the run, the seals and the files are real. At the
end every row must have one output, no output may be there twice, and every file must verify.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from scripts.bench_runs import PLAN, ended, rows
from studio.errors import StudioError
from studio.recipes.run import RunState
from tests.hosts import fake_host

#: Rows that are made before the first kill, and at most between two of them, as shares of all.
_BETWEEN = 0.12


async def carry(home: Path, count: int) -> None:
    """Open the home, begin the run or go on with it, and wait for its end."""
    host, _ = fake_host(home, seconds=0.002)
    async with host:
        client = host.client("ann")
        run = await ended(client, (await client.begin(PLAN, rows(count), key="soak")).run)
        assert run.state is RunState.DONE
        print("done", flush=True)


def artifacts(home: Path) -> int:
    """How many outputs are published."""
    return sum(1 for _ in (home / "artifacts").glob("??/*.note.json"))


def killed(home: Path, count: int, after: int) -> None:
    """Run the host in a process of its own until `after` outputs are there, and kill it."""
    host = subprocess.Popen(
        [sys.executable, "-m", "scripts.soak_runs", str(home), f"--rows={count}"]
    )
    while artifacts(home) < after and host.poll() is None:
        time.sleep(0.02)
    host.kill()
    host.wait()


async def checked(home: Path, count: int) -> list[str]:
    """What is wrong with the finished run."""
    host, _ = fake_host(home)
    wrong = []
    async with host:
        client = host.client("ann")
        (run,) = await client.runs()
        lines = await client.lines(run.id, limit=count)
        made = [artifact for line in lines for artifact in line.artifacts]
        if (len(lines), len(made), len(set(made)), artifacts(home)) != (count,) * 4:
            wrong.append(f"{len(lines)} rows, {len(made)} outputs, {artifacts(home)} files")
        for artifact in made:
            try:
                outcome = str((await client.verify(await client.fetch(artifact))).outcome)
            except StudioError as error:
                outcome = error.message
            if outcome != "signed":
                wrong.append(f"{artifact}: {outcome}")
    return wrong


@click.command()
@click.argument("child", required=False, type=click.Path(path_type=Path))
@click.option("--rows", "count", default=1000, show_default=True)
@click.option("--kills", default=10, show_default=True)
def main(child: Path | None, count: int, kills: int) -> None:
    """Kill, go on, count."""
    if child is not None:
        asyncio.run(carry(child, count))
        return
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        reached = 0
        for number in range(kills):
            reached += chance.randint(1, max(1, round(_BETWEEN * count)))
            killed(home, count, min(reached, count - 1))
            print(f"kill {number + 1}: {artifacts(home)} of {count}", flush=True)
        asyncio.run(carry(home, count))
        wrong = asyncio.run(checked(home, count))
    print("\n".join(wrong) or f"{count} rows, {count} outputs, all verified")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
