"""The gallery as its owner uses it: what can be asked of it, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from studio.tasks.request import Kind, Text

if TYPE_CHECKING:
    # The store of artifacts is built on these types.
    from studio.artifact import Artifact

#: A name that a filter asks for.
_Name = Annotated[Text, Field(max_length=200)]


class Filter(BaseModel):
    """Which of one's outputs to show; every part narrows further."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    #: Words, each of them in any place and as the beginning of a longer one; "quoted" as they are.
    search: Annotated[str, Field(max_length=1000)] = ""
    kind: Kind | None = None
    task: _Name | None = None
    card: _Name | None = None
    tag: _Name | None = None
    #: A collection's id.
    collection: _Name | None = None
    starred: bool = False
    #: What was thrown away and can still be restored, instead of what is there; all of it.
    binned: bool = False
    #: Made at or after, and before, these seconds since the epoch.
    since: Annotated[float, Field(ge=0, le=1e11)] | None = None
    until: Annotated[float, Field(ge=0, le=1e11)] | None = None


@dataclass(frozen=True)
class Collection:
    """A list of artifacts under a name. What is in it lies where it lay."""

    id: str
    name: str
    size: int


@dataclass(frozen=True)
class Contents:
    """How much there is of what, counted as it comes and goes."""

    total: int
    starred: int
    binned: int
    kinds: Mapping[str, int]
    tasks: Mapping[str, int]
    cards: Mapping[str, int]
    tags: Mapping[str, int]
    #: By name.
    collections: tuple[Collection, ...]


@dataclass(frozen=True)
class Found:
    """An output, and how near it is to what was looked for: a cosine, 1 at most."""

    artifact: Artifact
    likeness: float


@dataclass(frozen=True)
class Findings:
    """What a search by meaning or by picture found, the nearest first."""

    found: tuple[Found, ...]
    #: The card of the model that compared them.
    card: str
    #: How many of those that it might have found no model has looked at yet.
    unseen: int


@dataclass(frozen=True)
class Lineage:
    """An artifact among those it was made from and those that were made from it."""

    #: None for one that is somebody else's, or is not there any more.
    artifact: Artifact | None
    parents: tuple[Lineage, ...] = ()
    #: Newest first.
    children: tuple[Lineage, ...] = ()
    #: Whether there are more than are told here.
    more: bool = False


class Gallery(Protocol):
    """What one owner can do with what was made. What is somebody else's is `NotFound`."""

    async def artifact(self, artifact: str) -> Artifact:
        """The finished output with this id."""

    async def artifacts(
        self, where: Filter | None = None, *, limit: int = 50, before: str | None = None
    ) -> list[Artifact]:
        """One's own outputs, newest first; `before` is the id of the last one already seen."""

    async def search(
        self,
        where: Filter | None = None,
        *,
        meaning: str = "",
        like: str | None = None,
        limit: int = 50,
    ) -> Findings:
        """One's own pictures, films and objects that suit some words, or look like a picture.

        `like` is the id of an artifact or an upload, and is given instead of a `meaning`. A model
        looks at what was made whenever nothing else is to be done, and before it answers for some
        seconds.

        Raises:
            NotFound: if `like` is neither.
            InvalidRequest: unless one of the two is given, or if the model does not read so much.
            Unavailable: if no model that compares is installed, or the device is at work for long.
        """

    async def fetch(self, artifact: str) -> Path:
        """The finished file, byte by byte as it was signed; not to be changed."""

    async def companion(self, artifact: str) -> Path | None:
        """The signed manifest beside a file of a kind that cannot hold one; None if it holds it."""

    async def preview(self, artifact: str) -> Path:
        """A small WebP copy of a picture, at most 256 px: to find it by, and not an output.

        Raises:
            NotFound: also if nothing that small can be shown of it.
        """

    async def share(self, artifact: str, *, seconds: float) -> str:
        """A path below the studio's address from which anybody can fetch the file for a while.

        Raises:
            InvalidRequest: for more than a month.
        """

    async def contents(self) -> Contents:
        """How much there is of what, and which collections there are."""

    async def lineage(self, artifact: str) -> Lineage:
        """What it was made from, and what was made from it, as far as it is one's own."""

    async def star(self, artifact: str, starred: bool = True) -> Artifact:
        """Mark an output as one to find again, or not any more."""

    async def tag(self, artifact: str, tags: Sequence[str]) -> Artifact:
        """Give an output these tags and no others; `InvalidRequest` if one cannot be a tag."""

    async def delete(self, artifact: str) -> None:
        """Throw an output away; until the bin is emptied, it can be restored.

        The ledger keeps its entry even then: a mark that somebody finds can still be named.
        """

    async def restore(self, artifact: str) -> Artifact:
        """Take an output back out of the bin."""

    async def create_collection(self, name: str) -> Collection:
        """A new, empty collection; `InvalidRequest` if there is one by that name already."""

    async def rename_collection(self, collection: str, name: str) -> Collection:
        """Give a collection another name; `InvalidRequest` if another has it."""

    async def delete_collection(self, collection: str) -> None:
        """Forget the list; what was in it stays."""

    async def collect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        """Put outputs into a collection."""

    async def uncollect(self, collection: str, artifacts: Sequence[str]) -> Collection:
        """Take outputs out of a collection."""
