"""Ten people and three models: the studio's choice against first come, first served.

    python -m scripts.bench_trace [--json scripts/results/trace.json]

The choice is the real `scheduler.pick`; the device is simulated: it holds one model, and takes a
time to swap it and a time per output. Times are of the simulation, so they are the same anywhere.
Ten people send orders, mostly for the model they used before, a little faster than a device that
serves first come, first served could make them. On an emptier device there is less to choose from,
and less is saved: a fifth of the swaps at half the load.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from scripts.results import Row, publish
from studio.scheduler import MOST_SKIPS, Waiting, pick

#: Seconds to bring a model in, and for one output.
MODELS = {"pictures": (8.0, 4.0), "music": (5.0, 9.0), "words": (10.0, 3.0)}
PEOPLE = 10
#: Seconds between two orders, on average.
GAP = 7.5
ORDERS = 600
SEEDS = 5


@dataclass
class Ran:
    """What came of a trace."""

    swaps: int
    waits: list[float]


def trace(seed: int) -> list[Waiting]:
    """Orders by time of arrival."""
    chance = random.Random(seed)
    models = list(MODELS)
    favourite = {person: chance.choice(models) for person in range(PEOPLE)}
    now, orders = 0.0, []
    while len(orders) < ORDERS:
        now += chance.expovariate(1 / GAP)
        person = chance.randrange(PEOPLE)
        if chance.random() < 0.3:
            favourite[person] = chance.choice(models)
        name = f"{len(orders):05d}"
        orders.append(Waiting(name, str(person), favourite[person], "", 0, now, 1))
    return orders


def simulate(
    orders: list[Waiting], choose: Callable[[list[Waiting], str, float, dict[str, float]], Waiting]
) -> Ran:
    """Run the trace on a device with room for one model."""
    coming, line = list(reversed(orders)), dict[str, Waiting]()
    served: dict[str, float] = {}
    ran = Ran(0, [])
    now, resident = 0.0, ""
    while coming or line:
        if not line:
            now = max(now, coming[-1].since)
        while coming and coming[-1].since <= now:
            order = coming.pop()
            line[order.job] = order
        chosen = line.pop(choose(list(line.values()), resident, now, served).job)
        load, make = MODELS[chosen.card]
        if chosen.card != resident:
            ran.swaps += 1
            now, resident = now + load, chosen.card
        ran.waits.append(now - chosen.since)
        now += make
        served[chosen.owner] = served.get(chosen.owner, 0.0) + make
    return ran


def studio(skips: dict[str, int]) -> Callable[..., Waiting]:
    """The studio's own choice; `skips` is where it notes whom it passed over."""

    def choose(line: list[Waiting], resident: str, now: float, served: dict[str, float]) -> Waiting:
        line = [replace(order, skips=skips.get(order.job, 0)) for order in line]
        chosen = pick(line, {resident}, now, served=served)
        assert chosen is not None
        if chosen.passed:
            skips[chosen.passed] = skips.get(chosen.passed, 0) + 1
        return next(order for order in line if order.job == chosen.batch[0].job)

    return choose


def first_come(line: list[Waiting], resident: str, now: float, served: dict[str, float]) -> Waiting:
    """Whoever came first."""
    return min(line, key=lambda order: order.since)


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(path: Path | None) -> None:
    """Simulate, compare, print."""
    fewer, slower, most = [], [], 0
    for seed in range(SEEDS):
        orders, skips = trace(seed), dict[str, int]()
        ours, plain = simulate(orders, studio(skips)), simulate(orders, first_come)
        fewer.append(1 - ours.swaps / plain.swaps)
        slower.append(p95(ours.waits) / p95(plain.waits))
        most = max(most, *skips.values())
        print(
            f"seed {seed}: {ours.swaps} swaps against {plain.swaps}; "
            f"p95 wait {p95(ours.waits):.0f} s against {p95(plain.waits):.0f} s"
        )
    publish(
        [
            Row(
                "changes of model saved against first come, first served",
                100 * statistics.mean(fewer),
                "≥50",
                "%",
            ),
            Row(
                "wait / that of first come, first served (95th percentile)",
                max(slower),
                "≤1.3",
                "×",
            ),
            Row("how often the unluckiest job was passed over", most, f"≤{MOST_SKIPS}", ""),
        ],
        path,
    )


def p95(waits: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(waits, n=20)[-1]


if __name__ == "__main__":
    main()
