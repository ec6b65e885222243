"""The gallery's verbs: the same in the host's process and over HTTP, and one's own alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from studio.client import Client
from studio.errors import InvalidRequest, NotFound
from studio.gallery import Filter
from studio.remote import RemoteClient
from tests.api.conftest import Server
from tests.api.test_clients import both, locally, remotely
from tests.hosts import SMALL, finished

ways = pytest.mark.parametrize("way", [locally, remotely])


def made(server: Server, owner: str, prompt: str, count: int = 1) -> tuple[str, ...]:
    async def order(client: Client) -> tuple[str, ...]:
        job = await client.submit("imagine", {**SMALL, "prompt": prompt, "count": count})
        return (await finished(client, job.id)).artifacts

    found: tuple[str, ...] = asyncio.run(locally(server, order, owner))
    return found


def use(server: Server, way: Any, verbs: Callable[[Client], Awaitable[None]], owner: str) -> None:
    asyncio.run(way(server, verbs, owner))


@ways
def test_every_verb_does_what_it_says(server: Server, way: Any) -> None:
    owner = f"verbs-{way.__name__}"
    # One after the other: outputs of one job are sealed side by side, and either may be first.
    (old,), (new,) = (made(server, owner, "a yellow star") for _ in range(2))

    async def verbs(client: Client) -> None:
        assert [one.id for one in await client.artifacts()] == [new, old]
        assert (await client.star(old)).keeping.starred
        assert [one.id for one in await client.artifacts(Filter(starred=True))] == [old]
        assert not (await client.star(old, False)).keeping.starred
        assert (await client.tag(new, ["to print", "to  print", "äöü"])).keeping.tags == (
            "to print",
            "äöü",
        )
        found = await client.artifacts(Filter(search="print", tag="äöü", card="noise"), limit=5)
        assert [one.id for one in found] == [new]

        best = await client.create_collection("Best")
        assert (await client.collect(best.id, [old, new, old])).size == 2
        assert (await client.uncollect(best.id, [old])).size == 1
        with pytest.raises(NotFound):
            await client.collect(best.id, [old, "0" * 32])
        assert len(await client.artifacts(Filter(collection=best.id))) == 1
        assert (await client.rename_collection(best.id, "Better")).name == "Better"
        contents = await client.contents()
        assert (contents.total, contents.kinds, contents.tags["äöü"]) == (2, {"image": 2}, 1)
        assert contents.collections[0].name == "Better"
        await client.delete_collection(best.id)
        assert (await client.contents()).collections == ()

        path = await client.preview(new)
        assert path.suffix == ".webp"
        assert path.read_bytes()[8:12] == b"WEBP"
        assert (await client.lineage(new)).artifact == await client.artifact(new)

        await client.delete(new)
        for verb in (client.artifact, client.fetch, client.preview, client.star, client.delete):
            with pytest.raises(NotFound):
                await verb(new)
        assert [one.id for one in await client.artifacts(Filter(binned=True))] == [new]
        assert (await client.restore(new)).keeping.tags == ("to print", "äöü")
        assert [one.id for one in await client.artifacts()] == [new, old]

        for wrong in ("", "x" * 81, "a\nb\x00"):
            with pytest.raises(InvalidRequest):
                await client.create_collection(wrong)
            with pytest.raises(InvalidRequest):
                await client.tag(new, [wrong])

    use(server, way, verbs, owner)


@ways
def test_somebody_elses_things_are_nowhere(server: Server, way: Any) -> None:
    (theirs,) = made(server, "victor", "a secret wish")

    async def own(client: Client) -> str:
        return (await client.create_collection(f"Victor's {way.__name__}")).id

    collection = asyncio.run(locally(server, own, "victor"))

    async def verbs(client: Client) -> None:
        for artifact in (theirs, "0" * 32, "../../etc/passwd"):
            for verb in (
                client.artifact,
                client.fetch,
                client.preview,
                client.lineage,
                client.star,
                client.delete,
                client.restore,
                lambda one: client.tag(one, ["mine"]),
                lambda one: client.artifacts(before=one),
            ):
                with pytest.raises(NotFound):
                    await verb(artifact)
        for change in (
            client.rename_collection(collection, "Mine"),
            client.delete_collection(collection),
            client.collect(collection, []),
        ):
            with pytest.raises(NotFound):
                await change
        assert await client.artifacts(Filter(search="secret")) == []
        assert await client.artifacts(Filter(collection=collection)) == []
        assert (await client.contents()).total == 0

    use(server, way, verbs, f"eve-{way.__name__}")


def test_both_say_the_same_of_a_gallery(server: Server) -> None:
    made(server, "ann", "a red circle", 3)
    both(server, lambda client: client.contents())
    both(server, lambda client: client.artifacts(Filter(search="circle", kind="image"), limit=2))
    first = both(server, lambda client: client.artifacts(limit=1))[0]
    both(server, lambda client: client.artifacts(Filter(since=1.0), before=first.id))
    both(server, lambda client: client.lineage(first.id))


def test_a_note_is_downloaded_with_the_prompt_and_the_file_is_without(server: Server) -> None:
    (one,) = made(server, "local", "a secret wish")
    with server.client() as http:
        answer = http.get(f"artifacts/{one}/note")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.json()["request"]["prompt"] == "a secret wish"
        file = http.get(f"artifacts/{one}/file").content
    assert b"secret" not in file


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "kind=smell", "since=-1", "starred=perhaps", "oops=1", "since=nan"],
)
def test_what_a_gallery_cannot_be_asked_is_refused(server: Server, query: str) -> None:
    with server.client() as http:
        answer = http.get(f"artifacts?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"] == "InvalidRequest"


def test_a_script_uses_the_same_verbs(server: Server) -> None:
    from studio import Studio

    (one,) = made(server, "local", "a blue ring")
    with Studio(server.settings) as studio:
        assert studio.star(one).keeping.starred
        assert studio.artifacts(Filter(search="ring", starred=True))[0].id == one
        studio.delete(one)
        assert studio.contents().binned >= 1
        assert json.dumps(studio.restore(one).record())
        assert studio.lineage(one).artifact is not None


def test_previews_reach_whoever_is_not_on_this_machine(server: Server) -> None:
    (one,) = made(server, "local", "a green cross")

    async def fetch() -> bytes:
        async with RemoteClient(server.url) as client:
            path = await client.preview(one)
            assert server.settings.home not in path.parents
            return path.read_bytes()

    assert asyncio.run(fetch())[8:12] == b"WEBP"


def test_a_search_by_meaning_or_by_picture_finds_the_same_on_both_ways(server: Server) -> None:
    made(server, "sybil", "a yellow star")
    (last,) = made(server, "sybil", "a red circle")

    def asked(**sought: Any) -> Any:
        async def ask() -> Any:
            async def use(client: Client) -> Any:
                return await client.search(Filter(search="star"), **sought)

            return await locally(server, use, "sybil"), await remotely(server, use, "sybil")

        here, there = asyncio.run(ask())
        assert here == there
        return here

    for sought in ({"meaning": "a star"}, {"like": last}):
        told = asked(**sought)
        assert [one.artifact.note.request["prompt"] for one in told.found] == ["a yellow star"]
        assert (told.card, told.unseen) == ("starter-clip", 0)


@ways
def test_a_search_is_refused_alike_on_both_ways(server: Server, way: Any) -> None:
    async def verbs(client: Client) -> None:
        with pytest.raises(InvalidRequest, match="either"):
            await client.search()
        with pytest.raises(NotFound):
            await client.search(like="0" * 32)

    use(server, way, verbs, "sybil")
