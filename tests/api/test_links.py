"""Links with which anybody fetches one file for a while, and who may act for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from studio import links
from studio.errors import InvalidRequest, NotFound
from studio.remote import RemoteClient
from tests.api.conftest import Server, serve
from tests.hosts import SMALL, finished, settings_for

ORDER: Any = SMALL
TOKEN = "an operator's token"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token."""
    home: Path = tmp_path_factory.mktemp("links") / "home"
    yield from serve(settings_for(home, token=TOKEN))


def test_whoever_has_the_link_gets_the_file_and_nobody_else(guarded: Server) -> None:
    async def scene() -> None:
        async with RemoteClient(guarded.url, TOKEN, owner="discord:1") as client:
            job = await finished(client, (await client.submit("text-to-image", ORDER)).id)
            path = await client.share(job.artifacts[0], seconds=60)
            file = (await client.fetch(job.artifacts[0])).read_bytes()
            async with httpx.AsyncClient(base_url=guarded.url, trust_env=False) as stranger:
                answer = await stranger.get(path)
                assert answer.content == file
                assert answer.headers["content-type"] == "image/png"
                other = path.replace(job.artifacts[0], "0" * 32)
                later = path.replace("until=", "until=9")
                for wrong in (other, later, path[:-1], path + "0"):
                    assert (await stranger.get(wrong)).status_code == 403
                past = links.link(guarded.host.secret, job.artifacts[0], 1)
                assert (await stranger.get(past)).status_code == 403
            with pytest.raises(InvalidRequest, match="month"):
                await client.share(job.artifacts[0], seconds=links.MAX_SECONDS + 1)
            async with client.acting_for("discord:2") as other_owner:
                with pytest.raises(NotFound):
                    await other_owner.share(job.artifacts[0], seconds=60)

    asyncio.run(scene())


def test_the_operator_may_act_for_others_and_a_user_may_not(guarded: Server) -> None:
    async def scene() -> None:
        token = guarded.host.users.add("ada")
        async with (
            RemoteClient(guarded.url, TOKEN, owner="discord:1") as bot,
            RemoteClient(guarded.url, token, owner="discord:1") as ada,
        ):
            assert (await bot.submit("text-to-image", ORDER)).owner == "discord:1"
            async with bot.acting_for("discord:2") as other:
                assert (await other.submit("text-to-image", ORDER)).owner == "discord:2"
            assert (await ada.submit("text-to-image", ORDER)).owner == "ada"

    asyncio.run(scene())


def test_what_is_fetched_for_somebody_else_is_gone_afterwards(guarded: Server) -> None:
    async def scene() -> None:
        async with RemoteClient(guarded.url, TOKEN) as client:
            async with client.acting_for("discord:3") as other:
                job = await finished(other, (await other.submit("text-to-image", ORDER)).id)
                path = await other.fetch(job.artifacts[0])
                assert path.is_file()
            assert not path.exists()
            assert await client.queue() is not None

    asyncio.run(scene())
