"""Kills the Discord bot at random, and counts what was lost and what was posted twice.

A studio without a device, a Discord on loopback, and the bot as people start it, in a process that
gets SIGKILL. First twenty people order at once, for the time until they are answered; then orders
go on while the bot is killed again and again. Some answers expire and nonces are forgotten, so that
results come as new messages too. Run it from the checkout's root: python -m scripts.soak_discord
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.discord import bot_process
from tests.discord.fake import ADA, FakeDiscord, Interaction, Person
from tests.discord.test_kills import posts, shown, studio

#: A picture that is quickly made.
_SMALL: dict[str, Any] = {"prompt": "x", "count": 1, "model": "noise", "width": 64, "height": 64}


async def soak(home: Path, kills: int, jobs: int, people: int, chance: random.Random) -> None:
    """Soak a bot at `home`, and print what came of it."""
    users = [Person(str(9000 + number), f"user{number}") for number in range(people)]
    async with studio(home, seconds=0.2) as host, FakeDiscord() as discord:
        await measure(discord, host.settings.home, users)
        before, orders = len(posts(discord)), list[Interaction]()
        begun = time.monotonic()
        for kill in range(kills):
            process = await bot_process.start(discord, home)
            # As many orders as are due by now, so that they are spread over all the kills.
            for _ in range(jobs * (kill + 1) // kills - len(orders)):
                who = chance.choice(users)
                orders.append(await discord.slash("imagine", who=who, prompt="x", count=1))
            await asyncio.sleep(chance.uniform(0, 1.2))
            process.kill()
            await process.wait()
            for order in orders:
                order.expired = order.expired or (order.first.done() and chance.random() < 0.02)
            if chance.random() < 0.2:
                discord.messages.forget_nonces()
        process = await bot_process.start(discord, home)
        answered = [order for order in orders if order.first.done()]
        deadline = time.monotonic() + 180
        while not all(shown(discord, one) for one in answered) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
        process.kill()
        await process.wait()
        count = posts(discord)
        print(f"kills {kills}, orders {len(orders)}, in {time.monotonic() - begun:.0f} s")
        print(f"answered {len(answered)}; the others Discord itself calls failed")
        print(f"lost {sum(1 for one in answered if not shown(discord, one))}")
        print(f"posted twice {sum(1 for times in count.values() if times > 1)}")
        print(f"posted {len(count) - before}, as new messages {sum(map(is_new, orders))}")


async def grow(home: Path, interactions: int) -> None:
    """Have twenty at once ask, order and fetch very often, and print how the bot's memory grows.

    Of fifty interactions one makes something, sixteen have a finished file delivered.
    """
    async with studio(home) as host, FakeDiscord() as discord:
        process = await bot_process.start(discord, home)
        await (await discord.slash("imagine", **_SMALL)).until(
            lambda one: one.message.get("attachments"), seconds=60
        )
        job = (await host.client(f"discord:{ADA.id}").jobs(limit=1))[0].id
        begun, late = time.monotonic(), 0
        for done in range(0, interactions + 1, 20):
            if done % 1000 == 0:
                size = psutil.Process(process.pid).memory_info().rss / 1e6
                seconds = time.monotonic() - begun
                print(f"after {done}, {seconds:.0f} s, {late} late: {size:.1f} MB", flush=True)
            try:
                answered = await asyncio.gather(*(act(discord, done + n, job) for n in range(20)))
            except AssertionError:
                there = await host.client(f"discord:{ADA.id}").jobs()
                print(f"the bot's exit status: {process.returncode}; in the studio:")
                print(*(one for one in there if not one.state.final), sep="\n")
                raise
            late += answered.count(False)
            discord.calls.clear()
            discord.interactions.clear()
            discord.messages.all.clear()
            discord.messages.cdn.clear()
        process.kill()
        await process.wait()


async def act(discord: FakeDiscord, number: int, job: str) -> bool:
    """One interaction, to its end; False if it was not answered in time, on a very busy machine."""
    if number % 50 == 49:
        given = await discord.slash("imagine", **_SMALL)
    elif number % 3 == 0:
        given = await discord.slash("show", job=job)
    else:
        given = await discord.slash(("me quota", "queue")[number % 2])
    try:
        await given.answer(10)
    except TimeoutError:
        return False
    files = number % 50 == 49 or number % 3 == 0
    await given.until(lambda one: one.message["attachments"] if files else one.said, seconds=300)
    return True


def is_new(order: Interaction) -> bool:
    """Whether the result had to come as a message of its own."""
    return order.expired and not order.message.get("attachments")


async def measure(discord: FakeDiscord, home: Path, users: list[Person]) -> None:
    """Have everybody order five times, while jobs run, and print how long they waited."""
    process = await bot_process.start(discord, home)
    waits = []
    for _ in range(5):
        orders = [await discord.slash("imagine", who=who, prompt="x", count=1) for who in users]
        waits += [(await order.answer())[2] for order in orders]
        await asyncio.sleep(1)
    for order in list(discord.interactions.values()):
        await order.files(1)
    process.kill()
    await process.wait()
    waits.sort()
    middle, late = waits[len(waits) // 2], waits[int(len(waits) * 0.99) - 1]
    print(
        f"{len(waits)} orders of {len(users)} people: answered after {middle:.3f} s in the middle"
    )
    print(f"and {late:.3f} s at p99")


def main() -> None:
    """Read the numbers, and soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--interactions", type=int, help="Ask so often instead, for the memory.")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        if given.interactions:
            asyncio.run(grow(home, given.interactions))
            return
        chance = random.Random(given.seed)
        asyncio.run(soak(home, given.kills, given.jobs, given.people, chance))


if __name__ == "__main__":
    main()
