"""The starters' pictures as a journey, and what the workshop makes of it, each from the last."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from studio.host import Host
from tests.hosts import run, settings_for
from tests.objects.test_sealed_objects import made

pytestmark = pytest.mark.starter


def test_a_journey_is_smoothed_and_looped_and_knows_where_it_came_from(home: Path) -> None:
    async def use() -> None:
        async with Host(settings_for(home, devices=("cpu",))) as host:
            client = host.client("local")
            journey = await made(
                client,
                "travel",
                prompt="a red circle on a white background",
                prompt_2="a blue circle on a white background",
                model="starter-pictures",
                duration=0.5,
                steps=2,
                seed=1,
            )
            smooth = await made(client, "smooth", video=journey.id, fps=16)
            loop = await made(client, "loop", video=smooth.id)
            parents = [one.note.parents for one in (journey, smooth, loop)]
            assert parents == [(), (journey.id,), (smooth.id,)]
            with av.open(str(await client.fetch(loop.id))) as film:
                assert (film.streams.video[0].frames, film.streams.video[0].average_rate) == (
                    14,
                    16,
                )

    run(use)
