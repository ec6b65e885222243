"""A recipe that ships, ordered on Discord and made by the starter models; a studio of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.discord.stage import Stage, staged


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with the studio's own device and models."""
    yield from staged(tmp_path_factory.mktemp("recipes") / "home", None)


@pytest.mark.starter
def test_a_poster_comes_signed(studio: Stage, tmp_path: Path) -> None:
    async def scene() -> None:
        order = await studio.discord.slash("recipe poster", slogan="Come and see", locale="de")
        (file,) = await order.files(1)
        assert await studio.verified(file, tmp_path) == "signed"

    studio.play(scene())
