"""The sealers: each draft that a lane has made is sealed in a thread, while the lane goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio

from studio.artifact import Artifact
from studio.cards import Card
from studio.draft import Draft
from studio.errors import Broken, NotFound, StudioError
from studio.heap import trim
from studio.inputs import Inputs
from studio.job import Sealed
from studio.line import Entry
from studio.parts import Parts
from studio.provenance.manifest import Ingredient
from studio.provenance.seal import Sealer
from studio.tasks import TASKS
from studio.tasks.request import Relation
from studio.worker.report import Made, Original
from studio.worker.supervisor import Lane

#: How many outputs are sealed at once. The lane waits beyond that, so that the spool stays small.
SEALERS = 2

_LOG = logging.getLogger(__name__)


class Sealers:
    """Seals drafts, a few at a time. It belongs to one event loop."""

    def __init__(
        self,
        sealer: Sealer,
        inputs: Inputs,
        parts: Parts,
        *,
        done: Callable[[Entry, Sealed], None],
        failed: Callable[[Entry, StudioError], None],
        broken: Callable[[Entry, Broken], None],
    ) -> None:
        """Who hears of every output that was sealed, was not, or met something unforeseen."""
        self._sealer = sealer
        self._inputs = inputs
        self._parts = parts
        self._done = done
        self._failed = failed
        self._broken = broken
        self._free = asyncio.Semaphore(SEALERS)
        self._seals: set[asyncio.Task[None]] = set()

    def expect(self, task: str) -> None:
        """Load what sealing this task's outputs takes, while the first draft is being made."""
        self._keep(anyio.to_thread.run_sync(self._sealer.prepare, TASKS[task].makes))

    async def take(self, entry: Entry, lane: Lane, made: Made, card: Card, revision: str) -> None:
        """Take a draft from the lane; waits while too many are being sealed."""
        entry.made(made.order.index)
        await self._free.acquire()
        self._keep(self._seal(entry, lane, made, card, revision))

    async def join(self, entry: Entry, card: Card) -> Sealed:
        """Seal the whole of what the entry's parts say; all of them are published.

        Raises:
            StudioError: as `Sealer.seal` does.
        """
        store = self._sealer.store

        def seal() -> Artifact:
            # What the parts' seals had and do not need any more is large; so is the whole.
            trim()
            parents = []
            for identity in entry.artifacts:
                # What its owner has thrown away meanwhile is not quoted.
                with suppress(NotFound):
                    path, beside = store.path(identity), store.companion(identity)
                    media_type = store.get(identity).media_type
                    parents.append(
                        Ingredient(path, media_type, "componentOf", identity, beside is None)
                    )
            note = store.get(entry.artifacts[0], binned=True).note
            return self._sealer.seal(
                self._parts.whole(entry.job),
                job=entry.job,
                card=card,
                revision=note.revision,
                ingredients=parents,
                batch=1,
                versions=note.versions,
            )

        async with self._free:
            artifact = await anyio.to_thread.run_sync(seal)
        return Sealed(artifact.note.index, artifact.id)

    async def finish(self) -> None:
        """Wait until everything that was taken is sealed."""
        await asyncio.gather(*self._seals, return_exceptions=True)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._seals.add(task)
        task.add_done_callback(self._seals.discard)

    async def _seal(self, entry: Entry, lane: Lane, made: Made, card: Card, revision: str) -> None:
        def seal() -> Artifact:
            place = made.place
            try:
                if entry.in_parts:
                    place = self._parts.keep(entry.job.id, place)
                ingredients = self._inputs.open(entry.job).ingredients
                if made.original is not None:
                    ingredients = (*ingredients, _from(made.original, first=not ingredients))
                return self._sealer.seal(
                    Draft.unspool(place).checked(
                        TASKS[made.order.task].makes, made.order.index, made.order.seed
                    ),
                    job=entry.job,
                    card=card,
                    revision=revision,
                    ingredients=ingredients,
                    batch=made.batch,
                    versions=made.versions,
                )
            finally:
                lane.discard(made.place)

        try:
            artifact = await anyio.to_thread.run_sync(seal)
        except StudioError as error:
            entry.lost(made.order.index)
            self._failed(entry, error)
        except Exception as error:
            broken = Broken()
            _LOG.error("incident %s: sealing failed", broken.incident, exc_info=error)
            self._broken(entry, broken)
        else:
            entry.sealed(made.order.index, artifact.id)
            self._done(entry, Sealed(made.order.index, artifact.id))
        finally:
            self._free.release()
            entry.sealing -= 1
            entry.settle()


def _from(original: Original, *, first: bool) -> Ingredient:
    """What came from elsewhere, as the manifest quotes it; only one file can be the parent."""
    relation: Relation = "parentOf" if first else "componentOf"
    return Ingredient(original.path, original.media_type, relation, quotable=original.holds)
