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

import psutil

from tests.discord import bot_process
from tests.discord.fake import ADA, FakeDiscord, Interaction, Person
from tests.discord.test_kills import posts, shown, studio


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
    """Have somebody ask, order and fetch very often, and print how the bot's memory grows.

    Every third time a finished file is delivered, every fiftieth time something is made.
    """
    delivered = made = 0
    async with studio(home) as host, FakeDiscord() as discord:
        process = await bot_process.start(discord, home)
        await (await discord.slash("imagine", prompt="x", count=1)).files(1)
        job = (await host.client(f"discord:{ADA.id}").jobs(limit=1))[0].id
        begun = time.monotonic()
        for done in range(interactions + 1):
            if done in (0, 1000) or done % max(1, interactions // 10) == 0:
                size = psutil.Process(process.pid).memory_info().rss / 1e6
                print(f"after {done} interactions, {delivered} files: {size:.1f} MB", flush=True)
            if done % 50 == 49:
                await (await discord.slash("imagine", prompt="x", count=1)).files(1)
                made += 1
            elif done % 3 == 0:
                await (await discord.slash("show", job=job)).files(1)
                delivered += 1
            else:
                await (await discord.slash(("me quota", "queue")[done % 2])).answer()
            forget(discord)
        print(f"made {made}, in {time.monotonic() - begun:.0f} s")
        process.kill()
        await process.wait()


def forget(discord: FakeDiscord) -> None:
    """Have this process keep no more than it needs, so that it can go on for long."""
    if len(discord.calls) > 500:
        discord.calls.clear()
        discord.interactions.clear()
        discord.messages.all.clear()
        discord.messages.cdn.clear()


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
