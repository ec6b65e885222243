"""What somebody on Discord asked for, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How far an errand is. The last two are final."""

    #: Written down; perhaps answered, perhaps ordered.
    TAKEN = "taken"
    #: The studio has the job.
    MAKING = "making"
    #: A new message may have been sent, because the answer could no longer be edited.
    SENDING = "sending"
    #: Whoever asked has seen the end of it.
    POSTED = "posted"
    #: Nobody could be told; the log says why.
    DROPPED = "dropped"


class Kind(StrEnum):
    """What an errand is about."""

    #: One job: to be ordered, or one that is there and is shown.
    JOB = "job"
    #: A run of a recipe.
    RUN = "run"
    #: The answer to something that was said in a conversation.
    TALK = "talk"


@dataclass(frozen=True)
class Chat:
    """Somebody's conversation in one channel."""

    channel: str
    user: str
    #: The errand's id that began it: by it the conversation is found again.
    begun: str
    #: The model's name, and who it is to be; empty for the best one, and for itself.
    model: str
    persona: str
    language: str


@dataclass(frozen=True)
class Errand:
    """One thing that somebody asked for, and where the answer goes."""

    #: The interaction's or the message's id: the key of the order and the nonce of the post.
    id: str
    #: With which an interaction's answer can be edited, for fifteen minutes; a message has none.
    token: str
    user: str
    channel: str
    #: Empty outside of servers.
    guild: str
    #: Whether the answer may only go to the user: the bot is no member of the place.
    personal: bool
    language: str
    #: The largest file that can be sent there, in bytes.
    limit: int
    #: The task's id, or the recipe's name; empty if what is there already is to be shown.
    task: str
    #: The fields. A file that was attached is a mapping with its `url` and its `name`.
    values: Mapping[str, Any]
    kind: Kind = Kind.JOB
    #: The recipe of a run that is to be begun; None until a file that was brought along is read.
    recipe: Mapping[str, Any] | None = None
    #: The channel that the thread is in, where `channel` is a thread.
    parent: str = ""
    #: Whether the place is age-restricted.
    adult: bool = False
    #: The roles that the user had in the server.
    roles: tuple[str, ...] = ()
    #: Whether the end comes as a message of its own, and not in the answer to an interaction.
    apart: bool = False
    spoiler: bool = False
    created: float = field(default_factory=time.time)
    state: State = State.TAKEN
    #: The job's id, or the run's.
    job: str = ""
    #: Which outputs of the job to post; all if empty.
    only: tuple[int, ...] = ()
    #: The message that shows the result.
    message: str = ""
    #: Whose job it is, if it is not the user's own.
    owner: str = ""

    @property
    def studio_owner(self) -> str:
        """What the studio calls the job's owner."""
        return owner_of(self.owner or self.user)


def owner_of(user: str) -> str:
    """What the studio calls somebody on Discord."""
    return f"discord:{user}"
