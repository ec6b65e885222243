"""The looker is ended in the middle of its work, whatever fails while it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from studio.looking import Looker
from studio.settings import Settings
from tests.hosts import run


class Failing(Looker):
    """One in whose folder a thread still writes when it is ended, so that it cannot be removed."""

    async def _see(self, card: object = None) -> bool:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("Directory not empty")


def looker(home: Path) -> Looker:
    lane = SimpleNamespace(state=SimpleNamespace(device="cpu"))
    unused = cast(Any, None)
    return Failing(
        Settings(home=home, look_seconds=0.01),
        *(unused, cast(Any, [lane]), unused, unused),
        preview=Path,
        busy=lambda: False,
    )


def test_it_ends_though_something_fails_while_it_is_ended(home: Path) -> None:
    async def ended() -> None:
        one = looker(home)
        await one.__aenter__()
        await asyncio.sleep(0.2)
        await asyncio.wait_for(one.__aexit__(), 10)

    run(ended)


def test_what_an_earlier_one_left_on_its_desk_is_removed(home: Path) -> None:
    left = home / "inputs" / "looking-abc"
    left.mkdir(parents=True)
    (left / "picture.png").touch()
    (home / "inputs" / "kept.png").touch()

    async def opened() -> None:
        async with looker(home):
            pass

    run(opened)
    assert [path.name for path in (home / "inputs").iterdir()] == ["kept.png"]
