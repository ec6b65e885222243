"""What one owner can do with the studio: the same verbs in the host's process and over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from studio.cards import Card
from studio.checkup import Finding
from studio.consent import Voices
from studio.fields import FieldSpec, Value
from studio.fitting import Fit
from studio.gallery import Gallery
from studio.imports import Survey
from studio.job import Event, Job, JobState
from studio.presets import Preset
from studio.provenance.verdict import Verdict
from studio.runs import Runs
from studio.shelf import Download
from studio.talk import Talk
from studio.uploads import Upload
from studio.worker.report import LaneState

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
    #: In how many seconds it begins, as far as can be told; 0 for a job that runs.
    starts_in: float | None = None
    #: How many seconds it takes then, or how many are left; None if nothing alike was measured.
    seconds: float | None = None


@dataclass(frozen=True)
class Model:
    """A model in the catalogue."""

    card: Card
    #: Whether its weights are here.
    installed: bool
    #: The words that it knows, by group, where it ships a list of them.
    vocabulary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: How far it is on its way here, or why it did not arrive.
    download: Download | None = None


class Client(Gallery, Runs, Talk, Voices, Protocol):
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

        The same `key` is the same job, however often it is sent, and whatever has become of the
        model since.

        Raises:
            InvalidRequest: naming every field that is wrong, or if the key came with other values
                before; nothing was stored.
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

    async def retry(self, job: str) -> Job:
        """Order what failed or was stopped once more, with the same request and seed.

        Returns the new job; while that is not finished, asking again gives the same one.

        Raises:
            InvalidRequest: if the job is on its way, or done.
            Unavailable: if too many of one's jobs wait.
        """

    async def move(self, job: str, before: str | None = None) -> Job:
        """Let a waiting job go before another waiting one of one's own, or after all of them.

        Nobody else's place changes.

        Raises:
            InvalidRequest: if one of the two does not wait any more.
        """

    async def upload(self, path: Path, *, name: str | None = None) -> Upload:
        """Bring a file along: its id can be put into any media field that takes its kind.

        The same file has the same id. `name` is what its owner calls it. An upload that no job
        has used for `upload_days` vanishes; an unfinished job keeps those that it names.

        Raises:
            NotFound: if there is no such file.
            InvalidRequest: if it is empty, too large, damaged, or of no kind that is known.
            Unavailable: if one has as many uploads as one may have.
        """

    async def verify(self, path: Path) -> Verdict:
        """What can be found out about the file at `path`, wherever it came from."""

    async def cards(self) -> list[Model]:
        """The catalogue."""

    async def get_model(self, name: str) -> None:
        """Begin to fetch a model's weights, or go on; `cards` says how far they are.

        Whoever asks has read and accepted the licence on its card.

        Raises:
            Refused: for anyone but the operator.
        """

    async def stop_model(self, name: str) -> None:
        """Stop fetching a model; what has arrived is kept. Refused as `get_model` is."""

    async def remove_model(self, name: str) -> None:
        """Delete a model's weights from this machine. Refused as `get_model` is."""

    async def survey(self, path: Path, *, base: str | None = None) -> Survey:
        """What models lie at a path of the studio's machine, and which could be imported.

        `base` is an installed model's name, or a folder, that has what they lack. Refused as
        `get_model` is.

        Raises:
            NotFound: if there is nothing at the path, or no such base.
            InvalidRequest: if there is no model there.
        """

    async def import_model(
        self,
        path: Path,
        *,
        name: str | None = None,
        base: str | None = None,
        copy: bool = False,
        licence: str = "other",
    ) -> str:
        """Begin to import a checkpoint or a folder; the name its card will have.

        `imports` says how far it is; when it is done, it is among the `cards`. `copy` copies a
        folder, which is used where it lies otherwise; an interrupted copy goes on where it was.
        Refused as `get_model` is.

        Raises:
            NotFound: if there is nothing at the path, or no such base.
            InvalidRequest: if it cannot be imported, or there is a model of that name.
            Unavailable: if it needs something that is not here, or is being imported already.
        """

    async def imports(self) -> dict[str, Download]:
        """How far imports are, or why they failed; `stop_model` ends them. Refused likewise."""

    async def presets(self) -> list[Preset]:
        """One's own named settings, by name."""

    async def save_preset(self, preset: Preset) -> None:
        """Keep some fields of a task under a name; one of the same name is replaced."""

    async def delete_preset(self, name: str) -> None:
        """Forget one's preset of that name."""

    async def examine(self) -> list[Finding]:
        """What is right with the studio's machine and what is not. Refused as `get_model` is."""

    async def users(self) -> list[str]:
        """Who may come in beside the operator. Refused as `get_model` is."""

    async def add_user(self, name: str) -> str:
        """Let somebody in: their token, shown this once. Refused as `get_model` is."""

    async def remove_user(self, name: str) -> None:
        """Let them in no more; what they made stays. Refused as `get_model` is."""

    async def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        """What the task asks for; with the defaults and limits of `model`, if one is named."""

    async def devices(self) -> list[LaneState]:
        """The devices, what each holds, and how fast it is."""

    async def fit(self, model: str | None = None) -> list[Fit]:
        """How a model, or every one, would run on each device."""
