"""Who watches which job: live events, in memory only, for any number of watchers at any time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from studio.errors import Unavailable
from studio.job import Event, Loading, Queued, Sealed, Step, TextDelta

#: How many streams of events one owner may have open at a time.
MOST_STREAMS = 500


@dataclass
class _Scene:
    """How far a job is: what a watcher who comes late has to hear first."""

    latest: Event | None = None
    sealed: list[Sealed] = field(default_factory=list)
    texts: dict[int, Event] = field(default_factory=dict)
    watchers: set[_Watcher] = field(default_factory=set)

    def note(self, event: Event) -> None:
        match event:
            case Sealed():
                self.sealed.append(event)
            case TextDelta():
                before = self.texts.get(event.index, TextDelta("", event.index))
                self.texts[event.index] = _together(before, event) or event
            case _:
                if isinstance(event, Loading):
                    self.texts.clear()  # Whoever begins anew writes anew.
                self.latest = (self.latest and _together(self.latest, event)) or event

    @property
    def is_bare(self) -> bool:
        """Whether nothing was told and nobody watches."""
        return not (self.watchers or self.latest or self.sealed or self.texts)

    def so_far(self) -> list[Event]:
        latest = [] if self.latest is None else [self.latest]
        return [*self.sealed, *latest, *self.texts.values()]


class _Watcher:
    """One watcher's unread events; those that say the same again take each other's place."""

    def __init__(self, events: list[Event]) -> None:
        self._unread: dict[tuple[type[Event], int], Event] = {}
        self._news = asyncio.Event()
        for event in events:
            self.hear(event)

    def hear(self, event: Event) -> None:
        # However slowly it reads, a watcher holds one event of a type for each output at most.
        key = type(event), getattr(event, "index", 0)
        before = self._unread.pop(key, None)
        if isinstance(event, Loading):
            # What is begun anew is told anew.
            self._unread = {k: one for k, one in self._unread.items() if k[0] is not TextDelta}
        self._unread[key] = (before and _together(before, event)) or event
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            await self._news.wait()
            self._news.clear()
            events, self._unread = self._unread, {}
            for event in events.values():
                yield event
                if event.last:
                    return


def _together(before: Event, event: Event) -> Event | None:
    """One event that says what the two say, if there is one."""
    match before, event:
        case Queued(), Queued():
            return event
        case Step(), Step() if before.index == event.index:
            return replace(event, preview=event.preview or before.preview)
        case TextDelta(), TextDelta() if before.index == event.index:
            return replace(event, text=before.text + event.text)
        case _:
            return None


class Watchers:
    """The live events of all jobs that are not finished. Belongs to one event loop."""

    def __init__(self) -> None:
        self._scenes: dict[str, _Scene] = {}
        self._streams: Counter[str] = Counter()

    def tell(self, job: str, event: Event) -> None:
        """Pass an event on to everyone who watches the job; after its last event, forget it."""
        scene = self._scenes.setdefault(job, _Scene())
        scene.note(event)
        for watcher in scene.watchers:
            watcher.hear(event)
        if event.last:
            del self._scenes[job]

    def written(self, job: str, index: int = 0) -> str:
        """What was told so far of a text that the job writes; empty if nothing was."""
        match (scene := self._scenes.get(job)) and scene.texts.get(index):
            case TextDelta(text=text):
                return text
            case _:
                return ""

    def watched(self, job: str) -> bool:
        """Whether anybody watches the job."""
        scene = self._scenes.get(job)
        return scene is not None and bool(scene.watchers)

    @contextmanager
    def watch(self, job: str, owner: str = "") -> Iterator[AsyncIterable[Event]]:
        """How far the job is, then every event as it happens, to the last.

        Nothing is missed from the moment the context is entered. Ask the job store after that: a
        job that was final before it has no events left.

        Raises:
            Unavailable: if `owner` watches too many jobs already.
        """
        if self._streams[owner] >= MOST_STREAMS:
            raise Unavailable(
                f"{MOST_STREAMS} of your jobs are being watched, and no more can be.",
                hint="Close some pages or programs that watch jobs, then try again.",
                retry=True,
            )
        self._streams[owner] += 1
        scene = self._scenes.setdefault(job, _Scene())
        watcher = _Watcher(scene.so_far())
        scene.watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._streams[owner] -= 1
            scene.watchers.discard(watcher)
            if scene.is_bare and self._scenes.get(job) is scene:
                del self._scenes[job]
