"""The gallery's verbs inside the host's own process."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from studio.artifact import Artifact
from studio.errors import InvalidRequest, NotFound
from studio.gallery import (
    Collection,
    Contents,
    Filter,
    Findings,
    Found,
    Gallery,
    Lineage,
)
from studio.links import MAX_SECONDS, link

if TYPE_CHECKING:
    from studio.host import Host

_ID = re.compile("[0-9a-f]{32}")
_T = TypeVar("_T")


class LocalGallery(Gallery):
    """One owner's view of what the host has published."""

    _host: Host
    _owner: str

    async def artifact(self, artifact: str) -> Artifact:
        return await self._of(artifact, lambda found: found)

    async def artifacts(
        self, where: Filter | None = None, *, limit: int = 50, before: str | None = None
    ) -> list[Artifact]:
        store = self._host.provenance.store
        return await anyio.to_thread.run_sync(
            lambda: store.list(self._owner, where, limit=limit, before=before)
        )

    async def search(
        self,
        where: Filter | None = None,
        *,
        meaning: str = "",
        like: str | None = None,
        limit: int = 50,
    ) -> Findings:
        if (like is not None) == bool(meaning.strip()):
            raise InvalidRequest(
                "A search is either by meaning or by picture.",
                hint="Say what you look for, or name a picture that it looks like.",
            )
        near = await self._host.looker.find(
            self._owner, where or Filter(), meaning=meaning, like=like, limit=limit
        )
        store = self._host.provenance.store

        def found() -> Iterator[Found]:
            for identity, likeness in near.pictures:
                # It may have been thrown away meanwhile.
                with suppress(NotFound):
                    yield Found(store.get(identity), likeness)

        pictures = await anyio.to_thread.run_sync(lambda: tuple(found()))
        return Findings(pictures, near.card, near.unseen)

    async def fetch(self, artifact: str) -> Path:
        store = self._host.provenance.store
        return await self._of(artifact, lambda found: store.path(found.id))

    async def companion(self, artifact: str) -> Path | None:
        store = self._host.provenance.store
        return await self._of(artifact, lambda found: store.companion(found.id))

    async def preview(self, artifact: str) -> Path:
        sealer = self._host.provenance.sealer
        return await self._of(artifact, lambda found: sealer.preview(found.id))

    async def share(self, artifact: str, *, seconds: float) -> str:
        if not 0 < seconds <= MAX_SECONDS:
            raise InvalidRequest(
                "A link can last up to a month.", hint=f"Ask for {MAX_SECONDS:.0f} seconds at most."
            )
        secret, until = self._host.secret, math.ceil(time.time() + seconds)
        return await self._of(artifact, lambda found: link(secret, found.id, until))

    async def contents(self) -> Contents:
        store = self._host.provenance.store
        return await anyio.to_thread.run_sync(store.contents, self._owner)

    async def lineage(self, artifact: str) -> Lineage:
        store = self._host.provenance.store
        return await self._of(artifact, lambda found: store.lineage(found.id))

    async def star(self, artifact: str, starred: bool = True) -> Artifact:
        store = self._host.provenance.store
        return await self._of(artifact, lambda found: store.keep(found.id, starred=starred))

    async def tag(self, artifact: str, tags: Sequence[str]) -> Artifact:
        store = self._host.provenance.store
        return await self._of(artifact, lambda found: store.tag(found.id, tags))

    async def delete(self, artifact: str) -> None:
        store = self._host.provenance.store
        await self._of(artifact, lambda found: store.keep(found.id, deleted=time.time()))

    async def restore(self, artifact: str) -> Artifact:
        store = self._host.provenance.store
        return await self._of(
            artifact, lambda found: store.keep(found.id, deleted=None), binned=True
        )

    async def create_collection(self, name: str) -> Collection:
        collections = self._host.provenance.store.collections
        return await anyio.to_thread.run_sync(collections.create, self._owner, name)

    async def rename_collection(self, collection: str, name: str) -> Collection:
        collections = self._host.provenance.store.collections
        return await anyio.to_thread.run_sync(collections.rename, self._owner, collection, name)

    async def delete_collection(self, collection: str) -> None:
        collections = self._host.provenance.store.collections
        await anyio.to_thread.run_sync(collections.delete, self._owner, collection)

    async def collect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        return await self._list(collection, artifacts, held=True)

    async def uncollect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        return await self._list(collection, artifacts, held=False)

    async def _list(self, collection: str, artifacts: Sequence[str], *, held: bool) -> Collection:
        store = self._host.provenance.store

        def put() -> Collection:
            store.collections.get(self._owner, collection)
            # All of them, or none.
            for found in [self._mine(artifact) for artifact in artifacts]:
                store.collect(found.id, collection, held=held)
            return store.collections.get(self._owner, collection)

        return await anyio.to_thread.run_sync(put)

    async def _of(
        self, artifact: str, use: Callable[[Artifact], _T], *, binned: bool = False
    ) -> _T:
        return await anyio.to_thread.run_sync(lambda: use(self._mine(artifact, binned=binned)))

    def _mine(self, artifact: str, *, binned: bool = False) -> Artifact:
        """The artifact, if it is the owner's; somebody else's is as if it were not."""
        nothing = NotFound("You have no such output.", hint="Your gallery lists what you have.")
        if not _ID.fullmatch(artifact):
            raise nothing
        try:
            found = self._host.provenance.store.get(artifact, binned=binned)
        except NotFound:
            raise nothing from None
        if found.owner != self._owner:
            raise nothing
        return found
