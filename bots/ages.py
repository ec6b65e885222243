"""What the studio's policy marks as for adults alone stays in age-restricted channels.

Words are looked at before anything is ordered; models when one is known, which is afterwards where
nobody named one. What is shown again is looked at again: `/show` is no way around.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import discord

from bots.models import Models
from studio import policy
from studio.client import Client
from studio.errors import Refused
from studio.job import Job
from studio.tasks import TASKS
from studio.words import say

#: What is looked at, and so has an age.
_SEEN = ("image", "video")


def is_adult(channel: object) -> bool:
    """Whether the channel, or the one that the thread is in, is age-restricted."""
    return isinstance(channel, discord.abc.GuildChannel | discord.Thread) and bool(
        getattr(channel, "is_nsfw", lambda: False)()
    )


def check_words(tasks: Iterable[str], texts: Sequence[str], language: str) -> None:
    """Pass an order, for a channel that is for everybody, whose words are for everybody.

    Raises:
        Refused: if they are not.
    """
    if any(TASKS[task].makes in _SEEN for task in tasks) and policy.for_adults(texts):
        raise _refused(language)


def check_model(models: Models, name: str, language: str) -> None:
    """Pass a model that is for everybody, as far as that is known without asking.

    Raises:
        Refused: if it is not.
    """
    if name in models.known.adult:
        raise _refused(language)


async def check_jobs(client: Client, models: Models, jobs: Iterable[Job], language: str) -> None:
    """Pass jobs whose models and words are for everybody.

    Raises:
        Refused: if one of them is not.
    """
    adult = (await models.now(client)).adult
    for job in jobs:
        if job.card in adult:
            raise _refused(language)
        check_words([job.task], list(texts_in(job.request)), language)


def texts_in(values: Mapping[str, Any]) -> Iterator[str]:
    """All texts among the values but those that say what is not wanted."""
    wanted = {name: one for name, one in values.items() if not name.startswith("negative")}
    return all_texts(wanted)


def all_texts(values: Mapping[str, Any]) -> Iterator[str]:
    """All texts among the values, those in lists too."""
    for value in values.values():
        parts = value if isinstance(value, list) else [value]
        yield from (part for part in parts if isinstance(part, str))


def _refused(language: str) -> Refused:
    return Refused(say("bot.rule.adult", language), hint=say("bot.rule.adult.how", language))
