"""What is posted: the signed files, if they are small enough, and links to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import discord

from bots.errand import Errand
from bots.options import MAX_COUNT
from bots.wording import clipped
from studio.artifact import Artifact
from studio.client import Client
from studio.errors import StudioError
from studio.fields import Value, fields_of
from studio.job import JobState
from studio.tasks import find_task
from studio.words import say

#: How a file of each kind is made smaller, the gentlest way first: a task, and its fields. The
#: studio makes, marks and signs the copy like any output, and the copy names its original.
_SMALLER: Mapping[str, Sequence[tuple[str, dict[str, Value]]]] = {
    "image": (
        ("image-conversion", {"format": "webp"}),
        ("image-conversion", {"format": "jpeg", "longest": 2048}),
        ("image-conversion", {"format": "jpeg", "longest": 1024}),
    ),
    "audio": (("audio-mastering", {"format": "mp3"}),),
}
#: Seconds for which a link can be opened.
_LINK_SECONDS = 7 * 24 * 3600.0
_MAX_ALT = 1024


@dataclass(frozen=True)
class Piece:
    """One file of a post."""

    path: Path
    name: str
    #: What it shows or says, for those who do not see or hear it.
    alt: str | None = None

    def file(self, spoiler: bool) -> discord.File:
        """The file, opened anew: sending one uses it up."""
        return discord.File(self.path, filename=self.name, description=self.alt, spoiler=spoiler)


@dataclass(frozen=True)
class Parcel:
    """All that a post brings."""

    pieces: tuple[Piece, ...] = ()
    #: Where those lie that were too large, or too many.
    links: tuple[str, ...] = ()
    #: The first text among them, to be read at once.
    text: str = ""


async def packed(
    client: Client,
    artifacts: Sequence[str],
    errand: Errand,
    subject: str,
    *,
    largest: int,
    public_url: str,
) -> Parcel:
    """The outputs, each no larger than `largest` bytes; `subject` is what they are about."""
    pieces: list[Piece] = []
    links: list[str] = []
    text = ""
    for number, identity in enumerate(artifacts, 1):
        artifact = await client.artifact(identity)
        fitting = await _fitting(client, artifact, errand, largest)
        found = [] if fitting is None else await _pieces(client, fitting)
        if not found or len(pieces) + len(found) > MAX_COUNT:
            path = await client.share(identity, seconds=_LINK_SECONDS) if public_url else ""
            links.append(f"{public_url}{path}")
            continue
        seen = artifact.keeping.caption or subject
        alt = say("result.alt", errand.language, subject=seen)
        if len(artifacts) > 1:
            count = len(artifacts)
            alt = say("result.alt.many", errand.language, subject=seen, index=number, count=count)
        pieces += [replace(found[0], alt=clipped(alt, _MAX_ALT)), *found[1:]]
        if artifact.kind == "text" and not text:
            text = await anyio.Path(found[0].path).read_text(encoding="utf-8")
    return Parcel(tuple(pieces), tuple(links), text)


async def _pieces(client: Client, artifact: Artifact) -> list[Piece]:
    """The file, and the manifest beside it if it cannot hold one."""
    path = await client.fetch(artifact.id)
    name = f"colophon-{artifact.id[:8]}{path.suffix}"
    beside = await client.companion(artifact.id)
    return [Piece(path, name)] + ([] if beside is None else [Piece(beside, f"{name}.c2pa")])


async def _fitting(
    client: Client, artifact: Artifact, errand: Errand, largest: int
) -> Artifact | None:
    """The output, or the best copy of it that is small enough."""
    if artifact.size <= largest:
        return artifact
    for rung, (task, fields) in enumerate(_SMALLER.get(artifact.kind, ())):
        source = _media(task)[0]
        key = f"discord:{errand.id}:smaller:{artifact.id}:{rung}"
        try:
            job = await client.submit(task, {**fields, source: artifact.id}, key=key)
            async for _ in client.events(job.id):
                pass
            job = await client.job(job.id)
        except StudioError as error:
            if error.retry:
                raise
            return None
        if job.state is JobState.DONE:
            copy = await client.artifact(job.artifacts[0])
            if copy.size <= largest:
                return copy
    return None


def _media(task: str) -> list[str]:
    return [spec.name for spec in fields_of(find_task(task).request) if spec.media]


def subject_of(request: Mapping[str, Any], task: str) -> str:
    """What an order is about: what somebody typed, if they typed anything."""
    found = find_task(task)
    if found.positional in _media(task):
        return found.title
    return str(request[found.positional])
