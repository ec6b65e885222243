"""What runs next: one pure choice over everything that waits.

The line is drawn by level, then by who has had least, then by age. A level is a job's priority,
lifted by age but never above the highest priority in the line: so a job of low priority is not
starved, and a thousand old jobs of one person do not outrank the first job of another. Only one
thing may jump the line, a job whose model is already in memory, and only so often: whoever stands
at the front is passed over at most `MOST_SKIPS` times.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

#: Seconds of waiting that lift a job by one level of priority.
SECONDS_PER_LEVEL = 60.0
#: How far down the line a job may stand and still go first because its model is in memory.
LOOK_AHEAD = 16
#: How often the front of the line may be passed over. Measured with `LOOK_AHEAD`: swaps of models
#: fall by nearly half, and time by an eighth.
MOST_SKIPS = 8


_Place = tuple[int, float, float, float, str, int]


@dataclass(frozen=True)
class Waiting:
    """A job in line."""

    job: str
    owner: str
    card: str
    #: What must be equal for outputs to share a batch, beside the card.
    shape: Hashable
    priority: int
    #: Since when it waits, in seconds since the epoch.
    since: float
    #: How many outputs it still needs, 1 or more.
    outputs: int
    #: How often it stood at the front and was passed over.
    skips: int = 0
    #: Decides between jobs of one owner that wait equally long; the lowest goes first.
    rank: float = 0.0


@dataclass(frozen=True)
class Share:
    """How many outputs of one job belong to a batch."""

    job: str
    outputs: int


@dataclass(frozen=True)
class Pick:
    """One batch, and what it cost the front of the line."""

    #: The leader first; all of one card and one shape.
    batch: tuple[Share, ...]
    #: The job that stood at the front, if another led the batch in its place.
    passed: str | None


def in_line(waiting: Sequence[Waiting], now: float, *, served: Mapping[str, float]) -> list[str]:
    """The jobs in the order of the line, as `pick` sees it."""
    return [job for *_, job, _ in sorted(_places(waiting, now, served))]


def pick(
    waiting: Sequence[Waiting],
    resident: Collection[str],
    now: float,
    *,
    served: Mapping[str, float],
    most: Callable[[Waiting, int], int] = lambda _leader, _alike: 1,
) -> Pick | None:
    """The next batch; None only if nothing waits.

    `resident` names the cards in memory, `served` how much of the device each owner has had (any
    unit); `most` says how many outputs to make in one go, given the job that leads and how many
    like its own there are; `now` is in seconds since the epoch. Equal arguments give the equal
    pick.
    """
    if not waiting:
        return None
    line = _places(waiting, now, served)
    ahead = heapq.nsmallest(LOOK_AHEAD, line)
    front = leader = waiting[ahead[0][-1]]
    if front.card not in resident and front.skips < MOST_SKIPS:
        level = ahead[0][0]
        near = (waiting[place] for entry_level, *_, place in ahead if entry_level == level)
        leader = next((entry for entry in near if entry.card in resident), front)
    return Pick(
        batch=_fill(leader, line, waiting, most),
        passed=None if leader is front else front.job,
    )


def _places(waiting: Sequence[Waiting], now: float, served: Mapping[str, float]) -> list[_Place]:
    """One sortable place per job: the lowest goes first; the last number is its index."""
    top = max((entry.priority for entry in waiting), default=0)
    return [
        (
            -min(top, entry.priority + int((now - entry.since) / SECONDS_PER_LEVEL)),
            served.get(entry.owner, 0.0),
            entry.since,
            entry.rank,
            entry.job,
            index,
        )
        for index, entry in enumerate(waiting)
    ]


def _fill(
    leader: Waiting,
    line: list[_Place],
    waiting: Sequence[Waiting],
    most: Callable[[Waiting, int], int],
) -> tuple[Share, ...]:
    """The leader's outputs and, while there is room, those of others like it in line."""
    alike = [
        place
        for place in line
        if (other := waiting[place[-1]]).card == leader.card
        and other.shape == leader.shape
        and other is not leader
    ]
    room = most(leader, leader.outputs + sum(waiting[place[-1]].outputs for place in alike))
    shares = [Share(leader.job, min(leader.outputs, room))]
    room -= shares[0].outputs
    for *_, index in heapq.nsmallest(room, alike):
        share = Share(waiting[index].job, min(waiting[index].outputs, room))
        shares.append(share)
        room -= share.outputs
        if not room:
            break
    return tuple(shares)


def forecast(
    line: Sequence[tuple[float | None, Collection[int]]], free: Sequence[float | None]
) -> list[float | None]:
    """In how many seconds each of those in line begins; None where that cannot be told.

    `line` has for each how long it takes, if known, and which lanes may run it; `free` has for each
    lane in how many seconds it is free. Whoever is next takes the lane that is free first.
    """
    lanes = list(free)
    starts: list[float | None] = []
    for seconds, able in line:
        known = [(when, lane) for lane in able if (when := lanes[lane]) is not None]
        if not known:
            starts.append(None)
            continue
        when, lane = min(known)
        starts.append(when)
        lanes[lane] = None if seconds is None else when + seconds
    return starts
