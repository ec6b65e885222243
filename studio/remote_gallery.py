"""The gallery's verbs over HTTP."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import anyio
import httpx
from pydantic import TypeAdapter

from studio.artifact import Artifact
from studio.errors import NotFound
from studio.gallery import (
    Collection,
    Contents,
    Filter,
    Findings,
    Found,
    Gallery,
    Lineage,
)

_COLLECTION = TypeAdapter(Collection)
_CONTENTS = TypeAdapter(Contents)


class RemoteGallery(Gallery):
    """One owner's view of what a host has published."""

    _files: Path

    async def artifact(self, artifact: str) -> Artifact:
        return Artifact.from_record(await self._json("GET", _at(artifact)))

    async def artifacts(
        self, where: Filter | None = None, *, limit: int = 50, before: str | None = None
    ) -> list[Artifact]:
        params = (where or Filter()).model_dump(exclude_defaults=True) | {"limit": limit}
        if before is not None:
            params["before"] = before
        found = await self._json("GET", "artifacts", params=params)
        return [Artifact.from_record(one) for one in found]

    async def search(
        self,
        where: Filter | None = None,
        *,
        meaning: str = "",
        like: str | None = None,
        limit: int = 50,
    ) -> Findings:
        params = (where or Filter()).model_dump(exclude_defaults=True)
        params |= {"meaning": meaning, "limit": limit} | ({} if like is None else {"like": like})
        told = await self._json("GET", "gallery/search", params=params)
        found = [
            Found(Artifact.from_record(one["artifact"]), one["likeness"]) for one in told["found"]
        ]
        return Findings(tuple(found), told["card"], told["unseen"])

    async def fetch(self, artifact: str) -> Path:
        return await self._download(f"{_at(artifact)}/file")

    async def companion(self, artifact: str) -> Path | None:
        try:
            return await self._download(f"{_at(artifact)}/manifest")
        except NotFound:
            # Either the file holds its manifest, or there is no such file.
            await self.artifact(artifact)
            return None

    async def preview(self, artifact: str) -> Path:
        return await self._download(f"{_at(artifact)}/preview")

    async def share(self, artifact: str, *, seconds: float) -> str:
        path = f"{_at(artifact)}/link"
        return str((await self._json("POST", path, params={"seconds": seconds}))["path"])

    async def contents(self) -> Contents:
        return _CONTENTS.validate_python(await self._json("GET", "gallery"))

    async def lineage(self, artifact: str) -> Lineage:
        return _lineage(await self._json("GET", f"{_at(artifact)}/lineage"))

    async def star(self, artifact: str, starred: bool = True) -> Artifact:
        method = "PUT" if starred else "DELETE"
        return Artifact.from_record(await self._json(method, f"{_at(artifact)}/star"))

    async def tag(self, artifact: str, tags: Sequence[str]) -> Artifact:
        record = await self._json("PUT", f"{_at(artifact)}/tags", json=list(tags))
        return Artifact.from_record(record)

    async def delete(self, artifact: str) -> None:
        await self._json("DELETE", _at(artifact))

    async def restore(self, artifact: str) -> Artifact:
        return Artifact.from_record(await self._json("POST", f"{_at(artifact)}/restore"))

    async def create_collection(self, name: str) -> Collection:
        record = await self._json("POST", "collections", json={"name": name})
        return _COLLECTION.validate_python(record)

    async def rename_collection(self, collection: str, name: str) -> Collection:
        record = await self._json("PUT", _list(collection), json={"name": name})
        return _COLLECTION.validate_python(record)

    async def delete_collection(self, collection: str) -> None:
        await self._json("DELETE", _list(collection))

    async def collect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        return await self._put("PUT", collection, artifacts)

    async def uncollect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        return await self._put("DELETE", collection, artifacts)

    @abstractmethod
    async def _json(self, method: str, path: str, **options: Any) -> Any:
        """The JSON that the host answers with."""

    @abstractmethod
    def _send(
        self, method: str, path: str, **options: Any
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """The host's answer, if it is a good one; else the error that it carries is raised."""

    async def _put(self, method: str, collection: str, artifacts: Sequence[str]) -> Collection:
        path = f"{_list(collection)}/artifacts"
        return _COLLECTION.validate_python(await self._json(method, path, json=list(artifacts)))

    async def _download(self, path: str) -> Path:
        async with self._send("GET", path) as response:
            # On the host's own machine the file is there already; its name is quoted.
            here = Path(unquote(response.headers.get("x-studio-path", "")))
            if here.is_absolute() and await anyio.Path(here).is_file():
                return here
            name = response.headers["content-disposition"].rpartition("filename=")[2].strip('"')
            target = self._files / Path(name).name
            async with await anyio.open_file(target, "wb") as file:
                async for chunk in response.aiter_bytes():
                    await file.write(chunk)
        return target


def _at(artifact: str) -> str:
    return f"artifacts/{quote(artifact, safe='')}"


def _list(collection: str) -> str:
    return f"collections/{quote(collection, safe='')}"


def _lineage(record: dict[str, Any]) -> Lineage:
    artifact = record["artifact"]
    return Lineage(
        artifact and Artifact.from_record(artifact),
        tuple(map(_lineage, record["parents"])),
        tuple(map(_lineage, record["children"])),
        record["more"],
    )
