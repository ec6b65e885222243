"""The jobs between acceptance and outcome: how far each is, who waits, and who has had how much."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from studio import scheduler
from studio.errors import ErrorRecord, InvalidRequest, StudioError
from studio.families import Order
from studio.fields import fields_of
from studio.job import Job, JobState, Outcome, Standing
from studio.pace import Kind, kind_of
from studio.scheduler import Waiting
from studio.tasks import TASKS


@dataclass(frozen=True)
class Turn:
    """One job's place in line."""

    job: Job
    #: 0 for a job that runs; 1 for the next.
    place: int
    #: In how many seconds a worker begins it, as far as can be told; 0 for a job that runs.
    starts_in: float | None
    #: How long it will take then; of one that runs, how much of that is left.
    seconds: float | None


@dataclass
class Entry:
    """A job between its acceptance and its outcome."""

    job: Job
    #: Set when there is nothing left to wait for.
    outcome: asyncio.Future[Outcome]
    #: Indices that are still to be made, in order.
    wanted: list[int]
    #: Ids of the published outputs, by index.
    published: dict[int, str]
    #: How often a worker has begun the job since it last finished an output.
    attempts: int
    #: How often a batch with the job, or a seal of it, has failed since then.
    failures: int = 0
    #: How often the job stood at the front and was passed over.
    skips: int = 0
    #: The number of the lane that has it now, and whether the worker has really begun it.
    lane: int | None = None
    begun: bool = False
    #: How many of its outputs are being sealed.
    sealing: int = 0
    #: Why it ends before its time.
    error: ErrorRecord | None = None

    @cached_property
    def kind(self) -> Kind:
        """What tells how long one of its outputs takes."""
        return kind_of(self.job)

    @cached_property
    def shape(self) -> Hashable:
        """What orders must share to be made together: all but the words, the seed and the count."""
        free = {"seed", "count"} | {
            spec.name
            for spec in fields_of(TASKS[self.job.task].request)
            if spec.type in ("text", "model")
        }
        same = {name: value for name, value in self.job.request.items() if name not in free}
        # As one string, which is quickly compared.
        return repr((self.job.task, same))

    @property
    def exact(self) -> bool:
        """Whether its outputs must be the very ones that the same request makes anywhere."""
        return bool(self.job.request.get("exact"))

    @property
    def in_parts(self) -> bool:
        """Whether its outputs are parts of a whole, which follows them."""
        asked = self.job.request
        return asked["count"] > 1 and bool(TASKS[self.job.task].joins or asked.get("stems"))

    @property
    def lacks_whole(self) -> bool:
        """Whether that whole is not published yet."""
        return self.in_parts and self.job.request["count"] not in self.published

    @property
    def on_lane(self) -> bool:
        """Whether a lane has it."""
        return self.lane is not None

    @property
    def waits(self) -> bool:
        """Whether it stands in line."""
        return bool(self.wanted) and not self.on_lane and self.error is None

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Ids of the published outputs, in the order of their index."""
        return tuple(self.published[index] for index in sorted(self.published))

    def view(self) -> Job:
        """The job as it is at this moment."""
        if self.on_lane or self.sealing:
            state = JobState.RUNNING
        elif self.error is not None or not self.wanted:
            state = Outcome(self.artifacts, self.error).state
        else:
            state = JobState.WAITING
        return replace(
            self.job,
            state=state,
            attempts=self.attempts,
            artifacts=self.artifacts,
            error=self.error if state.final else None,
        )

    def orders(self, most: int) -> list[Order]:
        """What to make next: at most `most` outputs, and none of a job that has ended."""
        if self.error is not None:
            return []
        seed = int(self.job.request["seed"])
        return [
            Order(self.job.id, index, self.job.task, self.job.request, seed + index)
            for index in self.wanted[:most]
        ]

    def made(self, index: int) -> None:
        """The lane has made an output, and it is about to be sealed."""
        self.wanted.remove(index)
        self.attempts = 0
        self.begun = False
        self.sealing += 1

    def sealed(self, index: int, artifact: str) -> None:
        """An output is published."""
        self.published[index] = artifact
        self.failures = 0

    def lost(self, index: int) -> None:
        """An output that was made could not be sealed, and has to be made again."""
        bisect.insort(self.wanted, index)

    def end(self, error: StudioError) -> None:
        """End the job before its time; the first reason stands."""
        if self.error is None:
            self.error = error.record()
        self.settle()

    def settle(self) -> None:
        """End the job if there is nothing left to wait for."""
        if self.on_lane or self.sealing or self.outcome.done():
            return
        if self.error is not None or not self.wanted:
            self.outcome.set_result(Outcome(self.artifacts, self.error))


class Line:
    """All entries of one host, and the fairness between their owners."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        #: Seconds of the device that each owner has had.
        self._served: dict[str, float] = {}
        #: How many entries each owner has.
        self._present: Counter[str] = Counter()
        #: The owners of the jobs that are being accepted, and how many each has.
        self._expected: dict[str, str] = {}
        self._coming: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, job: str) -> bool:
        return job in self._entries

    def __getitem__(self, job: str) -> Entry:
        return self._entries[job]

    def get(self, job: str) -> Entry | None:
        """The job's entry, if it is in here."""
        return self._entries.get(job)

    def enter(self, entry: Entry) -> None:
        """Take a job in."""
        owner = entry.job.owner
        self.leave(entry.job.id)
        if owner not in self._present:
            # Whoever comes back starts level with those who are here: rest is not saved up.
            level = min((self._served[other] for other in self._present), default=0.0)
            self._served[owner] = max(self._served.get(owner, 0.0), level)
        self._present[owner] += 1
        self._entries[entry.job.id] = entry

    def expect(self, job: Job) -> None:
        """Count a job that is about to enter among its owner's."""
        if job.id not in self._expected:
            self._expected[job.id] = job.owner
            self._coming[job.owner] += 1

    def forgo(self, job: str) -> None:
        """Count an expected job no more; nothing happens if it has entered."""
        if (owner := self._expected.pop(job, None)) is not None:
            self._coming[owner] -= 1
            if not self._coming[owner]:
                del self._coming[owner]

    def leave(self, job: str) -> None:
        """Forget a job; nothing happens if it was never here."""
        self.forgo(job)
        if (entry := self._entries.pop(job, None)) is None:
            return
        owner = entry.job.owner
        self._present[owner] -= 1
        if not self._present[owner]:
            del self._present[owner]
        if not self._entries:
            self._served.clear()

    def serve(self, owner: str, seconds: float) -> None:
        """Remember that the owner has had the device for so long."""
        self._served[owner] = self._served.get(owner, 0.0) + seconds

    def count(self, owner: str) -> int:
        """How many of the owner's jobs are in here or expected."""
        return self._present[owner] + self._coming[owner]

    def waiting(self, able: Callable[[Entry], bool] = lambda _: True) -> list[Waiting]:
        """Those in line that are `able`, as the scheduler sees them."""
        return [
            Waiting(
                entry.job.id,
                entry.job.owner,
                entry.job.card,
                # What failed in company is tried again alone, so that the culprit fails alone.
                (entry.shape, entry.job.id if entry.failures or entry.exact else ""),
                (standing := entry.job.standing).priority,
                standing.since,
                len(entry.wanted),
                entry.skips,
                standing.rank,
            )
            for entry in self
            if entry.waits and able(entry)
        ]

    def order(self) -> list[tuple[str, int]]:
        """Those in line, the next first, each with how many jobs go before it."""
        busy = sum(entry.on_lane for entry in self)
        line = scheduler.in_line(self.waiting(), time.time(), served=self._served)
        return [(job, ahead) for ahead, job in enumerate(line, busy)]

    def move(self, job: str, before: str | None) -> Standing:
        """Put a job in front of another one of its owner's, or behind all of them.

        It takes that one's claim, and so no claim that its owner did not have already: nobody
        else's place changes.

        Raises:
            InvalidRequest: if one of them does not wait any more.
        """
        entry = self._entries.get(job)
        waiting = [self._entries[other] for other, _ in self.order() if other != job]
        line = [other for other in waiting if entry and other.job.owner == entry.job.owner]
        place = next((n for n, other in enumerate(line) if other.job.id == before), len(line))
        if entry is None or not entry.waits or (before is not None and place == len(line)):
            raise InvalidRequest(
                "Only jobs that wait can change places.", hint="Look at the line as it is now."
            )
        moved = entry.job.standing
        if line:
            behind = line[place].job.standing if place < len(line) else None
            ahead = line[place - 1].job.standing if place else None
            moved = _between(ahead, behind)
            entry.job = replace(entry.job, moved=moved)
        return moved

    def pick(
        self,
        resident: Collection[str],
        most: Callable[[Waiting, int], int],
        able: Callable[[Entry], bool],
    ) -> scheduler.Pick | None:
        """The next batch of those that are `able`, as `scheduler.pick` chooses it.

        The skip that it costs is noted.
        """
        waiting = self.waiting(able)
        pick = scheduler.pick(waiting, resident, time.time(), served=self._served, most=most)
        if pick is not None and pick.passed is not None:
            self._entries[pick.passed].skips += 1
        return pick


def _between(ahead: Standing | None, behind: Standing | None) -> Standing:
    """A standing after the one and before the other; at least one is there."""
    if behind is None:
        assert ahead is not None  # noqa: S101 - tells mypy what the caller knows
        return replace(ahead, rank=ahead.rank + 1)
    if ahead is not None and (ahead.priority, ahead.since) == (behind.priority, behind.since):
        return replace(behind, rank=(ahead.rank + behind.rank) / 2)
    return replace(behind, rank=behind.rank - 1)
