"""The gallery: what is there, stars, tags, collections, lineage, and the bin."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Query
from pydantic import BaseModel, ConfigDict, Field

from studio.api.failures import routes
from studio.api.here import Here
from studio.api.jobs import Limit
from studio.artifact import Artifact
from studio.gallery import Collection, Contents, Filter
from studio.tasks.request import Text

router = routes("gallery")

#: Ids of outputs, at most as many as a page can hold.
_Ids = Annotated[list[str], Body(max_length=200)]


class Named(BaseModel):
    """A collection's name."""

    model_config = ConfigDict(extra="forbid")

    name: str


class Family(BaseModel):
    """An output among those it was made from and those made from it; null is somebody else's."""

    artifact: Artifact | None
    parents: list[Family]
    children: list[Family]
    more: bool


class Hit(BaseModel):
    """An output, and its cosine with what was looked for."""

    artifact: Artifact
    likeness: float


class Near(BaseModel):
    """What was found, by which card; and how many outputs no model has looked at yet."""

    found: list[Hit]
    card: str
    unseen: int


class Sought(Filter):
    """What to look for among those outputs that the filter lets through."""

    meaning: Annotated[Text, Field(max_length=4000)] = ""
    #: An output's or an upload's id.
    like: Annotated[Text, Field(max_length=200)] | None = None
    limit: Limit = 50


@router.get("/gallery")
async def read_gallery(client: Here) -> Contents:
    """How much you have of what, and your collections."""
    return await client.contents()


@router.get("/gallery/search", response_model=Near)
async def search(client: Here, sought: Annotated[Sought, Query()]) -> object:
    """Your pictures that suit the words `meaning`, or look `like` a picture, the nearest first."""
    return await client.search(sought, meaning=sought.meaning, like=sought.like, limit=sought.limit)


@router.get("/artifacts/{artifact}/lineage", response_model=Family)
async def read_lineage(client: Here, artifact: str) -> object:
    """What an output was made from, and what was made from it, as far as it is yours."""
    return await client.lineage(artifact)


@router.put("/artifacts/{artifact}/star")
async def star(client: Here, artifact: str) -> Artifact:
    """Star one of your outputs."""
    return await client.star(artifact)


@router.delete("/artifacts/{artifact}/star")
async def unstar(client: Here, artifact: str) -> Artifact:
    """Take the star away again."""
    return await client.star(artifact, False)


@router.put("/artifacts/{artifact}/tags")
async def tag(
    client: Here, artifact: str, tags: Annotated[list[str], Body(max_length=200)]
) -> Artifact:
    """Give an output these tags and no others."""
    return await client.tag(artifact, tags)


@router.delete("/artifacts/{artifact}", status_code=200)
async def delete_artifact(client: Here, artifact: str) -> None:
    """Throw an output away; until the bin is emptied, it can be restored."""
    await client.delete(artifact)


@router.post("/artifacts/{artifact}/restore")
async def restore_artifact(client: Here, artifact: str) -> Artifact:
    """Take an output back out of the bin."""
    return await client.restore(artifact)


@router.post("/collections", status_code=201)
async def create_collection(client: Here, named: Named) -> Collection:
    """A new, empty collection."""
    return await client.create_collection(named.name)


@router.put("/collections/{collection}")
async def rename_collection(client: Here, collection: str, named: Named) -> Collection:
    """Give a collection another name."""
    return await client.rename_collection(collection, named.name)


@router.delete("/collections/{collection}", status_code=200)
async def delete_collection(client: Here, collection: str) -> None:
    """Forget a collection; what was in it stays."""
    await client.delete_collection(collection)


@router.put("/collections/{collection}/artifacts")
async def collect(client: Here, collection: str, artifacts: _Ids) -> Collection:
    """Put outputs into a collection."""
    return await client.collect(collection, artifacts)


@router.delete("/collections/{collection}/artifacts")
async def uncollect(client: Here, collection: str, artifacts: _Ids) -> Collection:
    """Take outputs out of a collection."""
    return await client.uncollect(collection, artifacts)
