"""What one owner can do with the studio: the same verbs in the host's process and over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from studio.artifacts import Artifact
from studio.cards import Card
from studio.fields import FieldSpec, Value
from studio.job import Event, Job, JobState
from studio.provenance.verdict import Verdict
from studio.worker.supervisor import LaneState

#: The owner that everyone at this machine is.
LOCAL = "local"


@dataclass(frozen=True)
class Place:
    """A place in line, and what everybody may know of the job that stands there."""

    #: 0 for a job that runs; 1 for the next.
    place: int
    state: JobState
    task: str
    card: str
    #: The job itself, if it is one's own.
    job: Job | None


@dataclass(frozen=True)
class Model:
    """A model in the catalogue."""

    card: Card
    #: Whether its weights are here.
    installed: bool


class Client(Protocol):
    """What one owner can do. What belongs to somebody else is `NotFound`, like what is not."""

    async def submit(
        self,
        task: str,
        values: Mapping[str, Value],
        *,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        """Order something; when this returns, the job is stored and will be carried out.

        The same `key` is the same job, however often it is sent.

        Raises:
            InvalidRequest: naming every field that is wrong; nothing was stored.
            NotFound: if there is no such task or model.
            Refused: if this studio does not make such things.
            Unavailable: if no model is installed, or too many of one's jobs wait.
        """

    async def job(self, job: str) -> Job:
        """The job with this id, as it is now."""

    async def jobs(self, *, limit: int = 50, before: str | None = None) -> list[Job]:
        """One's own jobs, newest first; `before` is the id of the last one already seen."""

    async def queue(self) -> list[Place]:
        """Everybody's unfinished jobs, those that run first."""

    def events(self, job: str) -> AsyncIterator[Event]:
        """How far the job is, then what happens, to its last event. Can be asked at any time."""

    async def cancel(self, job: str) -> Job:
        """Stop the job: at once if it waits, within a step if it runs. A finished one stays."""

    async def artifact(self, artifact: str) -> Artifact:
        """The finished output with this id."""

    async def artifacts(self, *, limit: int = 50, before: str | None = None) -> list[Artifact]:
        """One's own outputs, newest first; `before` is the id of the last one already seen."""

    async def fetch(self, artifact: str) -> Path:
        """The finished file, byte by byte as it was signed; not to be changed."""

    async def verify(self, path: Path) -> Verdict:
        """What can be found out about the file at `path`, wherever it came from."""

    async def cards(self) -> list[Model]:
        """The catalogue."""

    async def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        """What the task asks for; with the defaults and limits of `model`, if one is named."""

    async def devices(self) -> list[LaneState]:
        """The devices, and what each holds."""
