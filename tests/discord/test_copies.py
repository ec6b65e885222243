"""Files that are too large for Discord are made again, smaller, and signed again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.discord.stage import Stage, staged


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with the studio's own device and models."""
    yield from staged(tmp_path_factory.mktemp("copies") / "home", None)


@pytest.mark.starter
def test_a_picture_and_a_piece_come_smaller_and_signed(studio: Stage, tmp_path: Path) -> None:
    async def scene() -> None:
        order = await studio.discord.slash("imagine", prompt="a yellow star", count=1, seed=7)
        large = (await order.files(1))[0]
        assert large["filename"].endswith(".png")
        # Another mark, and so another size: a little less would do for the one and not the other.
        studio.discord.messages.largest = large["size"] * 3 // 4
        order = await studio.discord.slash("imagine", prompt="a yellow star", count=1, seed=7)
        small = (await order.files(1))[0]
        assert small["filename"].endswith(".webp")
        assert small["size"] <= studio.discord.messages.largest
        assert await studio.verified(small, tmp_path) == "signed"
        studio.discord.messages.largest = 200_000
        order = await studio.discord.slash("compose", prompt="calm", duration=5.0)
        piece = (await order.files(1))[0]
        assert piece["filename"].endswith(".mp3")
        assert await studio.verified(piece, tmp_path) == "signed"
        # With its manifest beside it where the file cannot hold one.
        order = await studio.discord.slash("compose", prompt="calm", duration=2.0, format="ogg")
        names = [one["filename"] for one in await order.files(2)]
        assert names[1] == f"{names[0]}.c2pa"

    studio.play(scene())
