"""Conversations as their owner has them: what was said, and what a model answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from studio.errors import ErrorRecord
from studio.job import Job, JobState


@dataclass(frozen=True)
class Reply:
    """What a model answered, or is about to."""

    #: The job that writes it; its events stream the text.
    job: str
    #: The name of the card that writes it.
    card: str
    #: Seconds since the epoch.
    created: float
    state: JobState = JobState.WAITING
    #: The sealed text, once it is done; of one that was stopped, what was written until then.
    text: str = ""
    #: The sealed text's artifact, once it is done.
    artifact: str | None = None
    #: Why there is none.
    error: ErrorRecord | None = None
    #: What was done to the order, as in earlier turns that the model was not shown.
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Turn:
    """What somebody said, and every answer to it."""

    #: From 0.
    place: int
    text: str
    #: The id of the picture that this is about.
    image: str | None
    #: Seconds since the epoch.
    created: float
    #: Oldest first. The newest counts; those that it replaced are kept.
    replies: tuple[Reply, ...]


@dataclass(frozen=True)
class Conversation:
    """A conversation with a model."""

    #: 128 random bits in hex.
    id: str
    title: str
    #: The card to answer with; None for the best one installed.
    model: str | None
    #: Who the model is to be, and how it is to write.
    system: str
    #: Seconds since the epoch.
    created: float
    #: When something was said last, in seconds since the epoch.
    changed: float
    #: Empty in lists of conversations.
    turns: tuple[Turn, ...] = ()

    def record(self) -> dict[str, Any]:
        """The conversation as plain JSON."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Conversation:
        """The conversation that `record` describes."""
        return Conversation(**{**record, "turns": tuple(_turn(one) for one in record["turns"])})

    def markdown(self) -> str:
        """The conversation as a Markdown document, with the newest answer to each turn."""
        parts = [f"# {self.title}"]
        if self.system:
            parts.append("\n".join(f"> {line}" for line in self.system.splitlines()))
        for turn in self.turns:
            picture = "" if turn.image is None else f"\n\n*Picture: {turn.image}*"
            parts.append(f"## You · {_when(turn.created)}\n\n{turn.text}{picture}")
            reply = turn.replies[-1]
            ended = () if reply.state is JobState.DONE else (f"*{reply.state}*",)
            said = "\n\n".join(filter(None, (reply.text, *ended)))
            signed = "" if reply.artifact is None else f"\n\n*Signed: {reply.artifact}*"
            parts.append(f"## {reply.card} · {_when(reply.created)}\n\n{said}{signed}")
        return "\n\n".join(parts) + "\n"


class Talk(Protocol):
    """The verbs of conversations. Somebody else's is `NotFound`, like one that is not."""

    async def conversations(
        self, search: str = "", *, limit: int = 50, before: str | None = None
    ) -> list[Conversation]:
        """One's own, without their turns, the one used last first; those with `search`'s words.

        `before` is the id of the last one already seen.
        """

    async def conversation(self, conversation: str) -> Conversation:
        """The conversation with this id, as it is now."""

    async def start_conversation(
        self, title: str = "", *, model: str | None = None, system: str = ""
    ) -> Conversation:
        """Begin one. Without a title it is called by the first words that are said in it.

        Raises:
            InvalidRequest: if a text is too long, or holds what cannot be used in text.
            NotFound: if there is no such model.
        """

    async def change_conversation(
        self,
        conversation: str,
        *,
        title: str | None = None,
        model: str | None = None,
        system: str | None = None,
    ) -> Conversation:
        """Change what is not None; the answers from now on. An empty model is the best installed.

        Raises what `start_conversation` raises.
        """

    async def delete_conversation(self, conversation: str) -> None:
        """Forget every word of it, and throw its answers into the bin; a reply on its way stops.

        The jobs that wrote it are forgotten when their time comes, like all jobs.
        """

    async def talk(
        self,
        conversation: str,
        text: str,
        *,
        image: str | None = None,
        key: str | None = None,
    ) -> Job:
        """Say something; the job that writes the answer. The same `key` says it once.

        The model is shown what was said before, the newest answers only. With `image`, the id of
        an upload or an output, it is asked about that picture; where it sees none, another model
        is, about that picture alone.

        Raises:
            InvalidRequest: if that cannot be said, the last answer is still being written, or the
                key came with other words before; nothing was kept.
            NotFound: if there is no such conversation or picture, or its model is gone.
            Unavailable: if no model is installed, or too many of one's jobs wait.
        """

    async def regenerate(self, conversation: str, *, key: str | None = None) -> Job:
        """Answer what was said last once more; the earlier answers are kept.

        Raises:
            InvalidRequest: if nothing was said, or the last answer is still being written.
        """

    async def go_on(self, conversation: str, *, key: str | None = None) -> Job:
        """Go on with the last answer from where it ended or was stopped, as another answer.

        Raises:
            InvalidRequest: if there is nothing to go on from: nothing was said or written, it is
                still being written, or it is about a picture.
        """


def _turn(record: Mapping[str, Any]) -> Turn:
    replies = (
        {**one, "state": JobState(one["state"]), "remarks": tuple(one["remarks"])}
        for one in record["replies"]
    )
    return Turn(**{**record, "replies": tuple(Reply(**one) for one in replies)})


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
